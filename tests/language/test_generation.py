"""Sampling: exact log-probabilities, seeds that hold in any company, one prefill, and prompt stops."""

import math
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from language.batching import pad_prompts_and_responses
from language.chat import end_token_id, render_prompt
from language.checkpoints import load_causal_lm, load_tokenizer
from language.generation import MOST_ROWS, Sampled, default_dtype, sample, sample_batch
from language.lora import wrap_with_lora
from records import Message, SamplingParams
from tests.separate_forwards import response_logprobs

PROMPT = [5, 6, 7, 8, 9, 10, 11]
PROMPTS = [[5], [6, 7, 8, 9, 10, 11, 12, 13], PROMPT, [20, 21, 22]]
NEVER = -1  # an end token that no model samples


@pytest.fixture(scope="module")
def model(tiny_policy: Path) -> PreTrainedModel:
    return load_causal_lm(tiny_policy)


def params(**changes: float) -> SamplingParams:
    return SamplingParams(**{"max_new_tokens": 12, "seed": 3, **changes})  # type: ignore[arg-type]


def re_evaluated(
    model: PreTrainedModel, prompt: list[int], completion: Sampled, *, temperature: float = 1.0
) -> torch.Tensor:
    ids = torch.tensor([prompt + completion.token_ids])
    mask = torch.ones_like(ids, dtype=torch.bool)
    with torch.no_grad():
        return response_logprobs(model, ids, mask, len(completion.token_ids), temperature=temperature)[0]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_agree_with_a_teacher_forced_re_evaluation(model: PreTrainedModel, temperature: float) -> None:
    """Method reference §9 C14: ragged prompts, cached sampling against whole sequences, fp32."""
    how = params(temperature=temperature, max_new_tokens=30)
    for prompt, group in zip(
        PROMPTS, sample_batch(model, PROMPTS, num_completions=3, params=how, end_token_id=2), strict=True
    ):
        for completion in group:
            expected = re_evaluated(model, prompt, completion, temperature=temperature)
            assert (torch.tensor(completion.logprobs) - expected).abs().max() < 1e-4


def test_logprobs_agree_with_a_left_padded_re_evaluation_of_all_at_once(model: PreTrainedModel) -> None:
    """Method reference §9 C14: left-padded prompts, right-padded completions, one batch."""
    groups = sample_batch(model, PROMPTS, num_completions=1, params=params(), end_token_id=2)
    completions = [group[0] for group in groups]
    batch = pad_prompts_and_responses(PROMPTS, [c.token_ids for c in completions], pad_token_id=0)
    longest = max(len(c.token_ids) for c in completions)
    with torch.no_grad():
        together = response_logprobs(model, batch.input_ids, batch.attention_mask, longest)
    assert together.shape == (len(PROMPTS), longest)
    for row, completion in zip(together, completions, strict=True):
        assert (row[: len(completion.token_ids)] - torch.tensor(completion.logprobs)).abs().max() < 1e-4


def test_truncated_sampling_reports_logprobs_of_the_whole_distribution(model: PreTrainedModel) -> None:
    (completion,) = sample(model, PROMPT, num_completions=1, params=params(top_k=3, top_p=0.9), end_token_id=NEVER)
    assert (torch.tensor(completion.logprobs) - re_evaluated(model, PROMPT, completion)).abs().max() < 1e-4


def test_a_seed_gives_the_same_tokens_alone_and_in_any_company(model: PreTrainedModel) -> None:
    how = params(max_new_tokens=25)
    groups = sample_batch(model, PROMPTS, num_completions=4, params=how, end_token_id=2)
    for j, prompt in enumerate(PROMPTS):
        for i in range(4):
            alone = params(max_new_tokens=25, seed=3 + 4 * j + i)
            (completion,) = sample(model, prompt, num_completions=1, params=alone, end_token_id=2)
            assert completion.token_ids == groups[j][i].token_ids
            assert completion.logprobs == pytest.approx(groups[j][i].logprobs, abs=1e-4)


def test_completions_of_one_prompt_differ_and_another_seed_gives_others(model: PreTrainedModel) -> None:
    first = sample(model, PROMPT, num_completions=8, params=params(), end_token_id=NEVER)
    second = sample(model, PROMPT, num_completions=8, params=params(seed=1000), end_token_id=NEVER)
    assert len({tuple(completion.token_ids) for completion in [*first, *second]}) == 16


def test_sampling_does_not_touch_the_global_random_state(model: PreTrainedModel) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    sample(model, PROMPT, num_completions=2, params=params(), end_token_id=NEVER)
    assert torch.equal(torch.rand(1), expected)


def test_the_first_token_follows_the_models_distribution(model: PreTrainedModel) -> None:
    """20,000 completions of one token: frequencies within five standard errors of softmax(logits)."""
    count = 20_000
    completions = sample(model, PROMPT, num_completions=count, params=params(max_new_tokens=1), end_token_id=NEVER)
    with torch.no_grad():
        p = model(torch.tensor([PROMPT])).logits[0, -1].softmax(-1)
    seen = torch.bincount(torch.tensor([c.token_ids[0] for c in completions]), minlength=len(p)) / count
    assert ((seen - p).abs() <= 5 * (p * (1 - p) / count).sqrt() + 1e-9).all()


def test_temperature_zero_is_greedy_and_any_seed_gives_the_same(model: PreTrainedModel) -> None:
    greedy = sample(model, PROMPT, num_completions=3, params=params(temperature=0), end_token_id=NEVER)
    assert len({tuple(completion.token_ids) for completion in greedy}) == 1
    ids = list(PROMPT)
    for token in greedy[0].token_ids:
        with torch.no_grad():
            assert int(model(torch.tensor([ids])).logits[0, -1].argmax()) == token
        ids.append(token)


def test_top_k_of_one_is_greedy(model: PreTrainedModel) -> None:
    greedy = sample(model, PROMPT, num_completions=1, params=params(temperature=0), end_token_id=NEVER)
    narrow = sample(model, PROMPT, num_completions=2, params=params(top_k=1), end_token_id=NEVER)
    assert [completion.token_ids for completion in narrow] == [greedy[0].token_ids] * 2


def test_the_prompt_is_computed_once_for_all_its_completions(model: PreTrainedModel) -> None:
    """K completions of T tokens cost the prompt and K x (T - 1) tokens, not K prompts."""
    counted: list[tuple[int, int]] = []
    hook = model.register_forward_pre_hook(
        lambda _, __, kwargs: counted.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    try:
        sample(model, PROMPT, num_completions=8, params=params(max_new_tokens=5), end_token_id=NEVER)
    finally:
        hook.remove()
    assert counted == [(1, len(PROMPT)), (8, 1), (8, 1), (8, 1), (8, 1)]


def test_finished_completions_leave_the_batch_and_the_next_prompts_join(model: PreTrainedModel) -> None:
    widths: list[int] = []
    hook = model.register_forward_pre_hook(
        lambda _, __, kwargs: widths.append(kwargs["input_ids"].shape[0]), with_kwargs=True
    )
    prompts = [PROMPT, *[[5, 6]] * 5]
    try:
        groups = sample_batch(
            model, prompts, num_completions=2, params=params(max_new_tokens=40), end_token_id=2, most_rows=4
        )
    finally:
        hook.remove()
    steps = sum(width for width in widths)
    tokens = sum(len(completion.token_ids) for group in groups for completion in group)
    assert max(widths) == 4
    # Each prompt's forward gives 2 first tokens; every other token is one row of one step: none is wasted.
    assert steps == len(prompts) + tokens - 2 * len(prompts)


def test_it_stops_at_the_end_token_and_keeps_it(model: PreTrainedModel) -> None:
    free = sample(model, PROMPT, num_completions=1, params=params(max_new_tokens=30), end_token_id=NEVER)[0]
    end = free.token_ids[9]
    first = free.token_ids.index(end)
    stopped = sample(model, PROMPT, num_completions=1, params=params(max_new_tokens=30), end_token_id=end)[0]
    assert stopped.token_ids == free.token_ids[: first + 1]
    assert len(stopped.logprobs) == first + 1
    assert (stopped.finish_reason, free.finish_reason) == ("stop", "length")


def test_it_stops_at_the_length_asked_for(model: PreTrainedModel) -> None:
    for most in (1, 2, 7):
        completions = sample(model, PROMPT, num_completions=2, params=params(max_new_tokens=most), end_token_id=NEVER)
        assert [len(completion.token_ids) for completion in completions] == [most, most]
        assert {completion.finish_reason for completion in completions} == {"length"}


def test_it_stops_where_the_models_context_ends(model: PreTrainedModel) -> None:
    prompt = [5] * (model.config.max_position_embeddings - 3)
    (completion,) = sample(model, prompt, num_completions=1, params=params(), end_token_id=NEVER)
    assert len(completion.token_ids) == 3
    with pytest.raises(ValueError, match=r"the prompt has 512 tokens and this model holds 512; shorten the dialogue"):
        sample(model, [5] * 512, num_completions=1, params=params(), end_token_id=NEVER)


def test_an_empty_prompt_is_refused(model: PreTrainedModel) -> None:
    with pytest.raises(ValueError, match="empty"):
        sample(model, [], num_completions=1, params=params(), end_token_id=NEVER)


def test_it_stops_within_a_token_when_asked_to(model: PreTrainedModel) -> None:
    asked = iter([False, False, False, True])
    completions = sample(
        model, PROMPT, num_completions=2, params=params(), end_token_id=NEVER, should_stop=lambda: next(asked)
    )
    assert [len(completion.token_ids) for completion in completions] == [3, 3]
    assert {completion.finish_reason for completion in completions} == {"cancelled"}


def test_what_had_not_begun_when_it_was_stopped_is_cancelled_too(model: PreTrainedModel) -> None:
    groups = sample_batch(
        model, PROMPTS, num_completions=1, params=params(), end_token_id=NEVER, most_rows=1, should_stop=lambda: True
    )
    assert [group[0] for group in groups] == [Sampled([], [], "cancelled")] * len(PROMPTS)


def test_tokens_are_told_as_they_come_and_join_to_the_completions(model: PreTrainedModel) -> None:
    heard: dict[tuple[int, int], list[int]] = {}
    calls = 0

    def on_tokens(j: int, i: int, ids: list[int]) -> None:
        nonlocal calls
        calls += 1
        heard.setdefault((j, i), []).extend(ids)

    groups = sample_batch(model, PROMPTS, num_completions=2, params=params(), end_token_id=2, on_tokens=on_tokens)
    assert heard == {(j, i): c.token_ids for j, group in enumerate(groups) for i, c in enumerate(group)}
    assert calls == sum(len(c.token_ids) for group in groups for c in group)


def test_a_model_with_adapters_samples_like_any_other(tiny_policy: Path, model: PreTrainedModel) -> None:
    wrapped = wrap_with_lora(load_causal_lm(tiny_policy), rank=2)
    assert sample(wrapped, PROMPT, num_completions=2, params=params(), end_token_id=2) == sample(
        model, PROMPT, num_completions=2, params=params(), end_token_id=2
    )


def test_models_with_another_memory_are_refused(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    model.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(ValueError, match="another memory than keys and values"):
        sample(model, PROMPT, num_completions=1, params=params(), end_token_id=2)


def test_many_more_prompts_than_rows_all_come_out_in_order(model: PreTrainedModel) -> None:
    prompts = [[5 + index % 40, 6] for index in range(MOST_ROWS + 10)]
    groups = sample_batch(model, prompts, num_completions=1, params=params(temperature=0), end_token_id=NEVER)
    assert groups[0][0].token_ids == groups[40][0].token_ids
    assert groups[0][0].token_ids != groups[1][0].token_ids


def test_the_default_format_on_a_cpu_follows_its_instructions() -> None:
    has_bf16 = "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    assert default_dtype("cpu") == (torch.bfloat16 if has_bf16 else torch.float32)


@pytest.mark.real_model
def test_the_real_model_answers_and_its_logprobs_agree(bundled_policy: Path) -> None:
    """Method reference §9 C14 on 135 million parameters in fp32."""
    model, tokenizer = load_causal_lm(bundled_policy), load_tokenizer(bundled_policy)
    prompt = render_prompt(tokenizer, [Message(role="user", content="What is the capital of France?")])
    completions = sample(
        model, prompt, num_completions=3, params=params(max_new_tokens=24, temperature=0.5),
        end_token_id=end_token_id(tokenizer),
    )  # fmt: skip
    assert any("France" in tokenizer.decode(completion.token_ids) for completion in completions)
    for completion in completions:
        gap = torch.tensor(completion.logprobs) - re_evaluated(model, prompt, completion, temperature=0.5)
        assert gap.abs().max() < 1e-4
        assert math.isfinite(sum(completion.logprobs))
