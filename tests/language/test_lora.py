"""LoRA: little is trained, the reference stays reachable, publishing merges."""

from pathlib import Path

import torch

from language.checkpoints import load_backbone, load_causal_lm, load_tokenizer, publish_checkpoint
from language.lora import merge_lora, without_adapter, wrap_with_lora
from language.optimization import build_adamw

IDS = torch.tensor([[5, 6, 7, 8]])


def trained_model(directory: Path) -> torch.nn.Module:
    torch.manual_seed(0)
    model = wrap_with_lora(load_causal_lm(directory), rank=4)
    optimizer = build_adamw(model, lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        model(IDS, labels=IDS).loss.backward()
        optimizer.step()
    return model


def test_it_begins_as_the_identity_and_trains_only_adapters(tiny_policy: Path) -> None:
    plain, wrapped = load_causal_lm(tiny_policy), wrap_with_lora(load_causal_lm(tiny_policy), rank=4)
    assert torch.equal(plain(IDS).logits, wrapped(IDS).logits)
    assert all("lora_" in name for name, p in wrapped.named_parameters() if p.requires_grad)


def test_an_adapter_is_scaled_by_two_and_repeats_itself_in_training(tiny_policy: Path) -> None:
    model = wrap_with_lora(load_causal_lm(tiny_policy), rank=4).train()
    layer = next(module for module in model.modules() if hasattr(module, "lora_A"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
    assert layer.scaling == {"default": 2.0}  # alpha is 2 x rank
    assert torch.equal(model(IDS).logits, model(IDS).logits)  # no dropout: log-probabilities must repeat


def test_the_reference_is_bit_identical_beneath_a_trained_adapter(tiny_policy: Path) -> None:
    """Method reference §9 C19."""
    plain, model = load_causal_lm(tiny_policy), trained_model(tiny_policy)
    with torch.no_grad(), without_adapter(model):
        assert torch.equal(model(IDS).logits, plain(IDS).logits)
    assert not torch.equal(model(IDS).logits, plain(IDS).logits)


def test_merging_publishes_a_plain_checkpoint_and_leaves_training_as_it_was(tiny_policy: Path, tmp_path: Path) -> None:
    model = trained_model(tiny_policy)
    with torch.no_grad():
        before = model(IDS).logits
        publish_checkpoint(tmp_path / "out", model=merge_lora(model), tokenizer=load_tokenizer(tiny_policy))
        assert torch.equal(model(IDS).logits, before)
        torch.testing.assert_close(load_causal_lm(tmp_path / "out")(IDS).logits, before, atol=1e-5, rtol=0)


def test_a_backbone_can_be_wrapped_as_well(tiny_policy: Path) -> None:
    model = wrap_with_lora(load_backbone(tiny_policy), rank=2)
    model(IDS).last_hidden_state.sum().backward()
    assert any(p.grad is not None for p in model.parameters())
