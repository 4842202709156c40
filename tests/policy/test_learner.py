"""What is trained, what is kept of the start, and what is sampled from."""

from pathlib import Path

import pytest
import torch
from torch import nn

from language.checkpoints import load_causal_lm
from language.commandline import Precision
from language.cpu_linears import PackedLinear
from policy.learner import PolicyLearner, Trainable, bf16_copy, sampling_model
from policy.publishing import merge_in_full_precision

WAYS = [Trainable(), Trainable(last_layers=1), Trainable(lora_rank=4)]
IDS = torch.tensor([[5, 9, 17, 40, 41]])


def logits(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits  # type: ignore[no-any-return]


def train_a_little(model: nn.Module) -> None:
    """Move every trained parameter, as an optimizer would, in place."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("trainable", WAYS, ids=["all", "last", "lora"])
def test_the_reference_stays_what_the_policy_was(tiny_policy: Path, trainable: Trainable) -> None:
    before = logits(load_causal_lm(tiny_policy))
    learner = PolicyLearner(load_causal_lm(tiny_policy), trainable)
    with learner.as_reference() as reference:
        packed = logits(reference)
    torch.testing.assert_close(packed, before, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits(learner.model), before)
    train_a_little(learner.model)
    with learner.as_reference() as reference:
        assert torch.equal(logits(reference), packed)
    assert (logits(learner.model) - before).abs().max() > 0.01


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("trainable", [Trainable(), Trainable(last_layers=1)], ids=["all", "last"])
def test_only_a_reference_of_its_own_weights_is_packed_and_only_in_fp32(
    tiny_policy: Path, trainable: Trainable, precision: Precision
) -> None:
    learner = PolicyLearner(load_causal_lm(tiny_policy), trainable, precision)
    assert [type(module) for module in learner.model.modules()].count(PackedLinear) == 0
    with learner.as_reference() as reference:
        packed = [name for name, module in reference.named_modules() if isinstance(module, PackedLinear)]
    assert bool(packed) == (precision == "fp32" and not trainable.last_layers)
    assert packed.count("lm_head") == 0, "its weights are the embedding's, and would be held twice"


def test_with_adapters_the_reference_is_the_same_network(tiny_policy: Path) -> None:
    learner = PolicyLearner(load_causal_lm(tiny_policy), Trainable(lora_rank=4))
    with learner.as_reference() as reference:
        assert reference is learner.model


def test_the_last_layers_alone_are_kept_twice(tiny_policy: Path) -> None:
    learner = PolicyLearner(load_causal_lm(tiny_policy), Trainable(last_layers=1))
    with learner.as_reference() as reference:
        kept = dict(reference.named_parameters())
    parameters = dict(learner.model.named_parameters())
    assert {parameter.requires_grad for parameter in parameters.values()} == {False, True}
    for name, parameter in parameters.items():
        assert (kept[name] is parameter) != parameter.requires_grad
        assert not kept[name].requires_grad


def test_sampling_is_from_packed_layers_and_leaves_the_model_as_it_is(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    before = logits(model)
    sampler = sampling_model(model, precision="fp32")
    torch.testing.assert_close(logits(sampler), before, atol=1e-5, rtol=1e-5)
    assert sampler.get_parameter("model.embed_tokens.weight") is model.get_parameter("model.embed_tokens.weight")
    assert any(isinstance(module, PackedLinear) for module in sampler.modules())
    assert not any(isinstance(module, PackedLinear) for module in model.modules())
    train_a_little(model)
    torch.testing.assert_close(logits(sampling_model(model, precision="fp32")), logits(model), atol=1e-5, rtol=1e-5)
    copied = sampling_model(model, precision="bf16")
    assert {parameter.dtype for parameter in copied.parameters()} == {torch.bfloat16}
    assert model.dtype == torch.float32
    adapted = Trainable(lora_rank=4).choose(load_causal_lm(tiny_policy, dtype=torch.bfloat16))
    assert sampling_model(adapted, precision="bf16") is adapted


def test_a_bf16_copy_keeps_tied_weights_tied(tiny_policy: Path) -> None:
    copied = bf16_copy(load_causal_lm(tiny_policy))
    ends = [module for module in copied.modules() if getattr(module, "weight", torch.empty(0)).ndim == 2]
    assert ends[0].weight is ends[-1].weight  # the embedding and the unembedding


def test_adapters_are_merged_into_the_base_and_not_into_its_rounded_copy(tiny_policy: Path) -> None:
    trainable = Trainable(lora_rank=4)
    model = trainable.choose(load_causal_lm(tiny_policy, dtype=torch.bfloat16))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(1e-5)
    merged = merge_in_full_precision(model, base=tiny_policy, trainable=trainable)
    base, after = load_causal_lm(tiny_policy).state_dict(), merged.state_dict()
    moved = [name for name in base if not torch.equal(base[name], after[name])]
    assert len(moved) == 14  # seven matrices in each of two layers
    assert all((after[name] - base[name]).abs().max() < 1e-3 for name in moved)
