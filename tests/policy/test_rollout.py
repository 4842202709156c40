"""Rollouts: who ended, which rows go together, and that every path to a log-probability gives the same."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from language.chat import end_token_id
from language.checkpoints import load_backbone, load_causal_lm, load_tokenizer
from language.generation import Sampled
from language.options import OptionError
from language.stop_ids import hidden_ids
from policy.learner import PolicyLearner, Trainable
from policy.objective import replace_unended_scores
from policy.prompts import TokenizedPrompt, load_prompts
from policy.rollout import (
    MeasuredRollouts,
    Rollouts,
    arrange,
    collect_rollouts,
    measure_rollouts,
    over_rollouts,
)
from policy.shared_prompt import completion_logprobs
from policy.value import ValueLearner, require_same_tokens
from records import SamplingParams
from rewardmodel.model import RewardModel, load_reward_model, make_head
from tests.policy.factories import make_prompt
from tests.separate_forwards import score_tokens
from tests.tiny import CHATML, build_tiny_tokenizer

END = 2
PARAMS = SamplingParams(max_new_tokens=10, seed=3)


def prompt(*token_ids: int, id: str = "p") -> TokenizedPrompt:
    return TokenizedPrompt(make_prompt(id=id), token_ids)


def sampled(*token_ids: int) -> Sampled:
    return Sampled(list(token_ids), [-1.0] * len(token_ids), "stop" if token_ids[-1] == END else "length")


def collect(policy: Path, prompts: Path, *, params: SamplingParams = PARAMS, num_completions: int = 4) -> Rollouts:
    model, tokenizer = load_causal_lm(policy), load_tokenizer(policy)
    return collect_rollouts(
        model,
        load_prompts(prompts, tokenizer, max_tokens=100).prompts,
        num_completions=num_completions,
        params=params,
        end_token_id=end_token_id(tokenizer),
        hidden_ids=hidden_ids(tokenizer),
        precision="fp32",
    )


def test_a_completion_without_end_token_scores_exactly_minus_one() -> None:
    # The prompt has an end token, as every chat prompt; only the completion's own counts, at the limit too.
    rollouts = arrange(
        [prompt(7, END, 8)],
        [[sampled(4, END), sampled(4, 5, 6), sampled(4, 5, END)]],
        end_token_id=END,
        hidden_ids=frozenset(),
    )
    assert rollouts.ended.tolist() == [True, False, True]
    assert rollouts.mask.tolist() == [[True, True, False], [True, True, True], [True, True, True]]
    scores = replace_unended_scores(torch.tensor([3.0, 4.0, -5.0]), rollouts.ended, -1.0)
    assert scores.tolist() == [3.0, -1.0, -5.0]


def test_rows_of_like_length_are_neighbours_and_keep_their_prompt() -> None:
    prompts = [prompt(1, 1, 1, 1, 1, id="long"), prompt(1, id="short"), prompt(1, 1, 1, id="middle")]
    rollouts = arrange(
        prompts,
        [[sampled(5, END)] * 2, [sampled(6, END)] * 2, [sampled(7, END)] * 2],
        end_token_id=END,
        hidden_ids=frozenset(),
    )
    assert rollouts.prompt_ids(range(6)) == ["short", "short", "middle", "middle", "long", "long"]
    assert [completion[0] for completion in rollouts.completions] == [6, 6, 7, 7, 5, 5]


def test_pieces_hold_every_row_once_and_share_prompts_where_they_can() -> None:
    rollouts = arrange(
        [prompt(1, id="a"), prompt(1, 2, id="b"), prompt(1, 2, 3, id="c")],
        [[sampled(5, END)] * 4] * 3,
        end_token_id=END,
        hidden_ids=frozenset(),
    )
    assert [row for rows in rollouts.pieces(8) for row in rows] == list(range(12))
    shared = rollouts.groups([0, 1, 2, 3, 4, 5, 6, 7])
    assert [len(own) for own in shared.completions] == [4, 4]
    uneven = rollouts.groups([2, 3, 4])
    assert uneven.prompts == ((1,), (1, 2))
    assert [len(own) for own in uneven.completions] == [2, 1]


def test_sampler_and_re_evaluation_agree_on_mixed_lengths(toy_policy: Path, toy_prompts: Path) -> None:
    rollouts = collect(toy_policy, toy_prompts)
    assert len({len(completion) for completion in rollouts.completions}) > 1
    assert len({len(one.token_ids) for one in rollouts.prompts}) > 1
    model = load_causal_lm(toy_policy)
    for size in (1, 3, 20):
        (logprobs,) = over_rollouts(
            lambda groups: completion_logprobs(model, groups, temperature=1.0), rollouts, pieces=rollouts.pieces(size)
        )
        gap = (logprobs - rollouts.sampled_logprobs)[rollouts.mask].abs().max().item()
        assert gap < 1e-4


def test_every_log_probability_is_at_the_temperature_of_sampling(toy_policy: Path, toy_prompts: Path) -> None:
    rollouts = collect(toy_policy, toy_prompts, params=replace(PARAMS, temperature=0.7))
    model = load_causal_lm(toy_policy)
    gaps = {}
    for temperature in (0.7, 1.0):
        (logprobs,) = over_rollouts(
            lambda groups, t=temperature: completion_logprobs(model, groups, temperature=t),  # type: ignore[misc]
            rollouts,
            pieces=rollouts.pieces(4),
        )
        gaps[temperature] = (logprobs - rollouts.sampled_logprobs)[rollouts.mask].abs().max().item()
    assert gaps[0.7] < 1e-4
    assert gaps[1.0] > 0.02


def test_the_same_seed_gives_the_same_rollouts_and_another_one_others(toy_policy: Path, toy_prompts: Path) -> None:
    once, again = collect(toy_policy, toy_prompts), collect(toy_policy, toy_prompts)
    other = collect(toy_policy, toy_prompts, params=replace(PARAMS, seed=4000))
    assert once.completions == again.completions
    assert once.completions != other.completions
    assert len(set(once.completions[:4])) > 1  # completions of one prompt are draws of their own


def test_rollouts_that_are_not_pure_samples_are_refused(toy_policy: Path, toy_prompts: Path) -> None:
    with pytest.raises(AssertionError, match="pure samples"):
        collect(toy_policy, toy_prompts, params=replace(PARAMS, top_k=5))


@pytest.mark.parametrize("trainable", [Trainable(), Trainable(lora_rank=4)], ids=["all", "lora"])
def test_before_any_update_kl_is_zero_and_the_last_value_is_the_score(
    toy_policy: Path, toy_prompts: Path, toy_reward_model: Path, trainable: Trainable
) -> None:
    rollouts = collect(toy_policy, toy_prompts)
    policy = PolicyLearner(load_causal_lm(toy_policy), trainable)
    value = ValueLearner(load_reward_model(toy_reward_model), trainable)
    measured = measure_rollouts(policy, value, rollouts, pieces=rollouts.pieces(4), temperature=1.0, precision="fp32")
    torch.testing.assert_close(measured.logprobs, measured.ref_logprobs, atol=1e-6, rtol=0)
    reward_model = load_reward_model(toy_reward_model)
    assert len(rollouts.completions) == len(measured.scores) > 0
    for row, completion in enumerate(rollouts.completions):
        prompt_ids = rollouts.prompts[row // 4].token_ids
        whole = torch.tensor([[*prompt_ids, *completion]])
        score = score_tokens(reward_model, whole, torch.ones_like(whole, dtype=torch.bool)).item()
        with torch.no_grad():
            value_after_last = value.model(whole, torch.ones_like(whole, dtype=torch.bool))[0, -1].item()
            value_before_last = value.model(whole, torch.ones_like(whole, dtype=torch.bool))[0, -2].item()
        assert measured.scores[row].item() == pytest.approx(score, abs=1e-5)
        assert value_after_last == pytest.approx(score, abs=1e-5)
        assert measured.values[row, len(completion) - 1].item() == pytest.approx(value_before_last, abs=1e-5)


@pytest.mark.parametrize("trainable", [Trainable(), Trainable(last_layers=1), Trainable(lora_rank=4)])
def test_the_reward_model_stays_what_the_value_model_was(
    toy_policy: Path, toy_prompts: Path, toy_reward_model: Path, trainable: Trainable
) -> None:
    rollouts = collect(toy_policy, toy_prompts)
    policy = PolicyLearner(load_causal_lm(toy_policy), trainable)
    value = ValueLearner(load_reward_model(toy_reward_model), trainable)

    def measure() -> tuple[torch.Tensor, torch.Tensor]:
        measured = measure_rollouts(
            policy, value, rollouts, pieces=rollouts.pieces(20), temperature=1.0, precision="fp32"
        )
        return measured.scores, measured.values

    scores, values = measure()
    with torch.no_grad():
        for parameter in value.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    scores_after, values_after = measure()
    assert torch.equal(scores, scores_after)
    assert (values_after - values)[rollouts.mask].abs().min() > 1e-3


@pytest.mark.parametrize("trainable", [Trainable(), Trainable(lora_rank=4)], ids=["all", "lora"])
def test_the_reference_says_at_the_temperature_of_sampling_what_the_policy_said_at_its_start(
    toy_policy: Path, toy_prompts: Path, toy_reward_model: Path, trainable: Trainable
) -> None:
    rollouts = collect(toy_policy, toy_prompts, params=replace(PARAMS, temperature=0.7))
    policy = PolicyLearner(load_causal_lm(toy_policy), trainable)
    value = ValueLearner(load_reward_model(toy_reward_model), trainable)

    def measure() -> MeasuredRollouts:
        return measure_rollouts(policy, value, rollouts, pieces=rollouts.pieces(20), temperature=0.7, precision="fp32")

    start = measure()
    torch.testing.assert_close(start.ref_logprobs, start.logprobs, atol=1e-5, rtol=0)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    moved = measure()
    assert torch.equal(moved.ref_logprobs, start.ref_logprobs)
    assert (moved.logprobs - start.logprobs)[rollouts.mask].abs().max() > 0.01
    numbers = (moved.logprobs, moved.entropies, moved.ref_logprobs, moved.values, moved.scores)
    assert not any(number.requires_grad for number in numbers)


def test_a_completion_has_ended_only_at_the_templates_own_end_token() -> None:
    other = Sampled([4, 9], [-1.0, -1.0], "other_stop")
    rollouts = arrange([prompt(7)], [[sampled(4, END), other]], end_token_id=END, hidden_ids=frozenset({END, 9}))
    assert rollouts.ended.tolist() == [True, False]
    assert rollouts.mask.tolist() == [[True, True], [True, True]]  # it was sampled, so its KL counts
    assert rollouts.shown == ((4, END), (4,))


def test_the_reward_model_reads_nothing_that_a_person_is_not_shown(toy_policy: Path, toy_prompts: Path) -> None:
    tokenizer, policy = load_tokenizer(toy_policy), PolicyLearner(load_causal_lm(toy_policy), Trainable())
    value = ValueLearner(RewardModel(load_backbone(toy_policy), make_head(32, seed=3)), Trainable())
    prompts = load_prompts(toy_prompts, tokenizer, max_tokens=100).prompts[:1]
    end, start = end_token_id(tokenizer), tokenizer.convert_tokens_to_ids("<|im_start|>")
    plain, hiding, only_hidden = sampled(50, 51, end), sampled(start, 50, start, start, 51, end), sampled(start, start)
    rollouts = arrange(prompts, [[plain, hiding, only_hidden]], end_token_id=end, hidden_ids=hidden_ids(tokenizer))
    measured = measure_rollouts(policy, value, rollouts, pieces=[[0, 1, 2]], temperature=1.0, precision="fp32")
    assert measured.scores[0].item() == pytest.approx(measured.scores[1].item(), abs=1e-5)
    assert measured.values.shape == measured.logprobs.shape == rollouts.mask.shape == (3, 6)
    assert rollouts.ended.tolist() == [True, True, False]


def speaking(template: str) -> PreTrainedTokenizerFast:
    """A tokenizer with this template; one of its own each time, since what a template says is remembered."""
    tokenizer = build_tiny_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


def test_templates_must_say_the_same_of_a_system_message_too() -> None:
    other = CHATML.replace("message['role'] + ", "('user' if message['role'] == 'system' else message['role']) + ")
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}" + CHATML
    for template in (CHATML, refusing):  # where neither takes one, that is the same too
        require_same_tokens(speaking(template), speaking(template), where=Path("rm"))
    for template in (other, refusing):
        with pytest.raises(OptionError, match="another tokenizer or chat template"):
            require_same_tokens(speaking(CHATML), speaking(template), where=Path("rm"))
