"""Chunks against the plain form: the same numbers and gradients, and never more logits than a chunk has."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import CohereConfig, Gemma2Config, GPT2Config, GraniteConfig, LlamaConfig, LlamaForCausalLM

from language import chunked_logprobs
from language.chunked_logprobs import chunking
from language.lora import wrap_with_lora
from policy.dialogues import TokenizedDialogue, target_nlls
from policy.shared_prompt import PromptGroups, completion_logprobs, completion_logprobs_and_entropies
from tests.policy.test_packing_families import build, of

GROUPS = PromptGroups(((3, 4, 5, 6), (7, 8)), (((9, 10, 11), (12,)), ((13, 14, 15, 16, 17),)), torch.device("cpu"))
DIALOGUES = [
    TokenizedDialogue("a", tuple(range(3, 12)), (False,) * 4 + (True,) * 5),
    TokenizedDialogue("b", (20, 21, 22, 23), (True,) * 4),
]
CHUNK = 3

FAMILIES = {
    "llama tied": of(LlamaConfig, tie_word_embeddings=True),
    "llama": of(LlamaConfig, tie_word_embeddings=False),
    "gemma2 capped": of(Gemma2Config, head_dim=8, query_pre_attn_scalar=8, final_logit_softcapping=0.5),
    "granite scaled": of(GraniteConfig, logits_scaling=7.0),
    "cohere scaled": of(CohereConfig, logit_scale=0.1),
    "gpt2": GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64),
}


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound at nothing and chunks of three tokens."""
    monkeypatch.setattr(chunked_logprobs, "MOST_LOGITS", 0)
    monkeypatch.setattr(chunked_logprobs, "CHUNK_LOGITS", CHUNK * 64)


def measure(model: nn.Module, *, packing: bool) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Every number that goes by chunks, and the gradient of all of them together."""
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        recorded = completion_logprobs_and_entropies(model, GROUPS, temperature=0.7)
    logprobs = completion_logprobs(model, GROUPS, temperature=0.7)
    nlls = target_nlls(model, DIALOGUES, packing=packing)
    (logprobs.square().sum() + nlls.square().sum()).backward()  # type: ignore[no-untyped-call]
    assert torch.equal(recorded[0], logprobs)  # so PPO's first ratio is exactly 1
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return [logprobs.detach(), recorded[1], nlls.detach()], gradients


def require_equal(model: Any, monkeypatch: pytest.MonkeyPatch, *, packing: bool = True) -> None:
    chunked, found = measure(model, packing=packing)
    monkeypatch.setattr(chunked_logprobs, "MOST_LOGITS", 2**28)
    plain, expected = measure(model, packing=packing)
    assert chunked[2].shape == (8,)
    for one, other in zip(chunked, plain, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-4 * float(expected[name].abs().max()), rtol=1e-4)


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("name", FAMILIES)
def test_chunks_give_the_plain_forms_numbers_and_gradients(
    name: str, monkeypatch: pytest.MonkeyPatch, *, packing: bool
) -> None:
    model = build(FAMILIES[name])
    assert chunking(model, 1) is not None
    require_equal(model, monkeypatch, packing=packing)


@pytest.mark.usefixtures("chunks")
def test_adapters_get_the_plain_forms_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    model = wrap_with_lora(build(FAMILIES["llama tied"]), rank=4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.05, generator=torch.Generator().manual_seed(0))
    assert chunking(model, 1) is not None
    require_equal(model, monkeypatch)


@pytest.mark.usefixtures("chunks")
def test_no_more_logits_than_a_chunk_are_ever_held() -> None:
    model = build(FAMILIES["llama"])
    measure(model, packing=True)  # probes are of a few tokens, once
    seen: list[int] = []
    model.get_output_embeddings().register_forward_hook(lambda _, __, logits: seen.append(logits[..., 0].numel()))
    measure(model, packing=True)
    assert max(seen) == CHUNK
    assert len(seen) == 3 + 2 * 3 + 2 * 3  # nine and eight tokens by threes, twice where gradients are wanted


@pytest.mark.usefixtures("chunks")
def test_a_model_that_does_more_than_is_known_keeps_the_plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubling(LlamaForCausalLM):  # type: ignore[no-untyped-call]
        """Does to its logits what no configuration says."""

        def forward(self, *arguments: Any, **options: Any) -> Any:
            output = super().forward(*arguments, **options)
            output.logits = output.logits * 2
            return output

    torch.manual_seed(0)
    model = Doubling(of(LlamaConfig)).eval()  # type: ignore[no-untyped-call]
    assert chunking(model, 1) is None
    require_equal(model, monkeypatch)


def test_small_batches_are_computed_as_ever() -> None:
    model = build(FAMILIES["llama"])
    assert chunking(model, 2**28 // 64) is None
    assert chunking(model, 2**28 // 64 + 1) is not None
