"""Bytes by arithmetic: parameters as transformers and peft count them, and the tables of docs/scale.md recomputed."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaModel

from language.lora import wrap_with_lora
from language.memory import (
    SHAPES,
    Shape,
    activation_bytes,
    cache_bytes,
    held_bytes,
    held_table,
    lora_bytes,
    passing_table,
    state_bytes,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
ONE, EIGHT = SHAPES[1:3]


def config_of(shape: Shape) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        tie_word_embeddings=shape.tied,
    )


@pytest.mark.parametrize("shape", SHAPES[:3], ids=lambda shape: shape.name)
def test_parameters_are_those_of_a_real_model(shape: Shape) -> None:
    with torch.device("meta"):
        model, trunk = LlamaForCausalLM(config_of(shape)), LlamaModel(config_of(shape))
    assert sum(one.numel() for one in model.parameters()) == shape.parameters
    assert sum(one.numel() for one in trunk.parameters()) == shape.trunk


def test_adapters_are_those_that_lora_adds() -> None:
    small = Shape("small", 2, 32, 64, 4, 2, 320, tied=True)
    wrapped = wrap_with_lora(LlamaForCausalLM(config_of(small)), rank=4)
    assert sum(one.numel() for one in wrapped.parameters() if one.requires_grad) == small.adapters(4)


def test_ppo_holds_forty_bytes_a_parameter_and_a_shard_its_share() -> None:
    """Four networks of 4, two gradients of 4, four moments of 4; trunks have as many where the embeddings are tied."""
    assert held_bytes("ppo", ONE) == 40 * ONE.parameters
    assert held_bytes("rloo", ONE) == 24 * ONE.parameters
    assert held_bytes("sft", ONE) == held_bytes("dpo", ONE) == held_bytes("reward_model", ONE) == 16 * ONE.parameters
    assert held_bytes("ppo", ONE, sharded_over=8) * 8 - held_bytes("ppo", ONE) in range(8)
    assert held_bytes("reward_model", EIGHT) == 16 * (EIGHT.parameters - EIGHT.vocabulary * EIGHT.width)
    assert state_bytes("ppo", ONE) == 24 * ONE.parameters


def test_with_adapters_a_start_is_the_same_network() -> None:
    assert lora_bytes("sft", ONE) == 2 * ONE.parameters + 16 * ONE.adapters(16)
    assert lora_bytes("reward_model", ONE) == 4 * ONE.parameters + 16 * ONE.adapters(16)
    assert lora_bytes("ppo", ONE) == 4 * ONE.parameters + 32 * ONE.adapters(16)
    assert lora_bytes("rloo", ONE) == 4 * ONE.parameters + 16 * ONE.adapters(16)


def test_what_passes_is_worked_by_hand() -> None:
    small = Shape("small", layers=2, width=8, inner=16, heads=4, kv_heads=2, vocabulary=100, tied=True)
    assert cache_bytes(small, rows=3, tokens=5) == 2 * 2 * 3 * 5 * 4 * 2
    assert activation_bytes(small, tokens=10) == 34 * 10 * 8 * 2 + 3 * 4 * 10 * 100


def test_the_page_has_these_very_tables() -> None:
    """`python -m language.memory` prints them anew."""
    text = PAGE.read_text(encoding="utf-8")
    assert held_table() in text
    assert passing_table() in text
