"""Completions that share the computation of their prompt have the numbers of completions that do not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from language.batching import pad_prompts_and_responses
from language.checkpoints import load_backbone, load_causal_lm, without_dropout
from language.logprobs import entropy, response_logits
from language.lora import wrap_with_lora
from policy import shared_prompt
from policy.packing import packs
from policy.shared_prompt import (
    PromptGroups,
    completion_logprobs,
    completion_logprobs_and_entropies,
    completion_states,
)
from tests.separate_forwards import response_logprobs

PROMPTS = [[5, 9, 17, 40, 41], [8, 8, 30]]
COMPLETIONS = [[11, 12, 2], [13, 14, 15, 16], [21, 2], [22]]  # three of the first prompt, one of the second
CPU = torch.device("cpu")
OWNERS = [0, 0, 0, 1]


def groups() -> PromptGroups:
    completions = [tuple(ids) for ids in COMPLETIONS]
    return PromptGroups(tuple(map(tuple, PROMPTS)), (tuple(completions[:3]), tuple(completions[3:])), CPU)


def without_packing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a network that cannot be packed."""
    monkeypatch.setattr(shared_prompt, "packs", lambda *_, **__: False)


def alone(model: object, row: int) -> Tensor:
    """Log-probs of one completion, forwarded by itself with its own copy of the prompt and no padding."""
    batch = pad_prompts_and_responses([PROMPTS[OWNERS[row]]], [COMPLETIONS[row]], pad_token_id=0)
    return response_logprobs(model, batch.input_ids, batch.attention_mask, len(COMPLETIONS[row]))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("packing", [True, False])
def test_logprobs_equal_those_of_separate_forwards(
    tiny_policy: Path, monkeypatch: pytest.MonkeyPatch, *, packing: bool
) -> None:
    model = load_causal_lm(tiny_policy)
    if not packing:
        without_packing(monkeypatch)
    shared = completion_logprobs(model, groups(), temperature=1.0)
    for row, completion in enumerate(COMPLETIONS):
        torch.testing.assert_close(shared[row, : len(completion)], alone(model, row), atol=1e-5, rtol=0)
    assert (shared[~groups().mask] == 0).all()


@pytest.mark.parametrize("packing", [True, False])
def test_gradients_equal_those_of_separate_forwards(
    tiny_policy: Path, monkeypatch: pytest.MonkeyPatch, *, packing: bool
) -> None:
    model = load_causal_lm(tiny_policy)
    if not packing:
        without_packing(monkeypatch)
    sum(alone(model, row).sum() for row in range(4)).backward()  # type: ignore[union-attr]
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    completion_logprobs(model, groups(), temperature=1.0).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], atol=1e-4, rtol=1e-4)


def test_logits_are_computed_for_the_completions_tokens_only(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    seen = []
    model.get_submodule("lm_head").register_forward_hook(lambda _, __, logits: seen.append(logits.shape[:-1].numel()))
    completion_logprobs(model, groups(), temperature=1.0)
    assert seen[-1] == sum(map(len, COMPLETIONS))


def test_nothing_is_forwarded_twice_and_no_padding(tiny_policy: Path) -> None:
    backbone = load_backbone(tiny_policy)
    completion_states(backbone, groups())  # the first call probes
    seen = []
    backbone.get_submodule("layers.0").register_forward_hook(
        lambda _, __, states: seen.append(states.shape[:-1].numel())
    )
    completion_states(backbone, groups())
    assert seen == [sum(map(len, PROMPTS)) + sum(map(len, COMPLETIONS))]


def test_adapters_can_be_packed(tiny_policy: Path) -> None:
    model = wrap_with_lora(load_causal_lm(tiny_policy), rank=4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(0))
    shared = completion_logprobs(model, groups(), temperature=1.0)
    assert packs(model, longest=9)
    torch.testing.assert_close(shared[1, :4], alone(model, 1), atol=1e-5, rtol=0)


def test_entropies_are_those_of_the_sampled_distributions(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    logprobs, entropies = completion_logprobs_and_entropies(model, groups(), temperature=0.7)
    torch.testing.assert_close(logprobs, completion_logprobs(model, groups(), temperature=0.7))
    batch = pad_prompts_and_responses(PROMPTS[:1], COMPLETIONS[1:2], pad_token_id=0)
    expected = entropy(response_logits(model, batch.input_ids, batch.attention_mask, 4), temperature=0.7)
    torch.testing.assert_close(entropies[1:2], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("packing", [True, False])
def test_states_are_those_before_each_token_and_after_the_last(
    tiny_policy: Path, monkeypatch: pytest.MonkeyPatch, *, packing: bool
) -> None:
    backbone = load_backbone(tiny_policy)
    if not packing:
        without_packing(monkeypatch)
    states = completion_states(backbone, groups())
    assert states.shape[:2] == (4, 5)
    whole = torch.tensor([[*PROMPTS[0], *COMPLETIONS[2]]])
    expected = backbone(input_ids=whole).last_hidden_state[0, len(PROMPTS[0]) - 1 :]
    torch.testing.assert_close(states[2, :3], expected, atol=1e-5, rtol=0)


def test_completions_of_one_token_need_the_prompt_only(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    single = PromptGroups(tuple(map(tuple, PROMPTS)), (((11,),), ((22,),)), CPU)
    expected = model(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1].log_softmax(0)[11]
    assert completion_logprobs(model, single, temperature=1.0)[0, 0].item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_network_with_attention_of_its_own_is_not_packed() -> None:
    class Deaf(LlamaForCausalLM):  # type: ignore[no-untyped-call]
        """Takes no layout, as a network that does not go through transformers' attention functions."""

        def forward(self, *arguments: object, layout: object = None, **options: object) -> object:
            return super().forward(*arguments, **options)

    torch.manual_seed(0)
    model: nn.Module = Deaf(
        LlamaConfig(vocab_size=60, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    )
    without_dropout(model).eval()
    shared = completion_logprobs(model, groups(), temperature=1.0)
    assert not packs(model, longest=9)
    torch.testing.assert_close(shared[1, :4], alone(model, 1), atol=1e-5, rtol=0)


def test_a_window_shorter_than_the_sequences_forbids_packing(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    model.config.sliding_window = 4
    assert not packs(model, longest=9)
    model.config.sliding_window = 4000
    assert packs(model, longest=9)
