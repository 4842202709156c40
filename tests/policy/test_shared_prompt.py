"""Completions that share the computation of their prompt have the numbers of completions that do not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from language.batching import pad_prompts_and_responses
from language.checkpoints import load_backbone, load_causal_lm
from language.logprobs import entropy, response_logits, response_logprobs
from policy.shared_prompt import (
    PromptGroups,
    completion_logprobs,
    completion_logprobs_and_entropies,
    completion_states,
    group_prompts,
)

PROMPTS = [[5, 9, 17, 40, 41], [8, 8, 30]]
COMPLETIONS = [[11, 12, 2], [13, 14, 15, 16], [21, 2], [22]]


def groups(*, pad_token_id: int = 0) -> PromptGroups:
    return group_prompts(PROMPTS, COMPLETIONS, pad_token_id=pad_token_id)


def alone(model: object, row: int) -> Tensor:
    """Log-probs of one completion, forwarded by itself with its own copy of the prompt and no padding."""
    batch = pad_prompts_and_responses([PROMPTS[row // 2]], [COMPLETIONS[row]], pad_token_id=0)
    return response_logprobs(model, batch.input_ids, batch.attention_mask, len(COMPLETIONS[row]))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_logprobs_equal_those_of_separate_forwards(tiny_policy: Path, attention: str) -> None:
    model = load_causal_lm(tiny_policy)
    model.set_attn_implementation(attention)
    shared = completion_logprobs(model, groups(), temperature=1.0)
    for row, completion in enumerate(COMPLETIONS):
        torch.testing.assert_close(shared[row, : len(completion)], alone(model, row), atol=1e-5, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_gradients_equal_those_of_separate_forwards(tiny_policy: Path, attention: str) -> None:
    model = load_causal_lm(tiny_policy)
    model.set_attn_implementation(attention)
    sum(alone(model, row).sum() for row in range(4)).backward()  # type: ignore[union-attr]
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    together = groups()
    completion_logprobs(model, together, temperature=1.0)[together.completions.attention_mask].sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], atol=1e-4, rtol=1e-4)


def test_the_token_under_the_padding_is_never_read(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    mask = groups().completions.attention_mask
    some, other = (completion_logprobs(model, groups(pad_token_id=pad), temperature=1.0)[mask] for pad in (0, 77))
    assert torch.equal(some, other)


def test_entropies_are_those_of_the_sampled_distributions(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    logprobs, entropies = completion_logprobs_and_entropies(model, groups(), temperature=0.7)
    torch.testing.assert_close(logprobs, completion_logprobs(model, groups(), temperature=0.7))
    batch = pad_prompts_and_responses(PROMPTS[:1], COMPLETIONS[1:2], pad_token_id=0)
    expected = entropy(response_logits(model, batch.input_ids, batch.attention_mask, 4), temperature=0.7)
    torch.testing.assert_close(entropies[1:2], expected, atol=1e-5, rtol=0)


def test_states_are_those_before_each_token_and_after_the_last(tiny_policy: Path) -> None:
    backbone = load_backbone(tiny_policy)
    states = completion_states(backbone, groups())
    assert states.shape[:2] == (4, 5)
    whole = torch.tensor([[*PROMPTS[1], *COMPLETIONS[2]]])
    expected = backbone(input_ids=whole).last_hidden_state[0, len(PROMPTS[1]) - 1 :]
    torch.testing.assert_close(states[2, :3], expected, atol=1e-5, rtol=0)


def test_completions_of_one_token_need_the_prompt_only(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    single = group_prompts(PROMPTS, [[11], [22]], pad_token_id=0)
    expected = model(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1].log_softmax(0)[11]
    assert completion_logprobs(model, single, temperature=1.0)[0, 0].item() == pytest.approx(expected.item(), abs=1e-5)
