"""Packed linear layers: the same function, and the same bits in any company."""

from pathlib import Path

import pytest
import torch
from torch import nn

from language.checkpoints import load_causal_lm
from language.cpu_linears import PackedLinear, pack_linears
from language.generation import default_dtype, sample, sample_batch
from records import SamplingParams

FORMATS = [torch.float32, default_dtype("cpu")]


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(1, 48), (3, 48), (2, 5, 48), (70, 1, 48)])
def test_a_packed_layer_is_the_same_function(dtype: torch.dtype, bias: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    linear, x = nn.Linear(48, 40, bias=bias).to(dtype), torch.randn(shape).to(dtype)
    with torch.inference_mode():
        tolerance = 1e-5 if dtype == torch.float32 else 2e-2
        torch.testing.assert_close(PackedLinear(linear)(x), linear(x), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_row_has_the_same_bits_however_many_stand_beside_it(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    packed, x = PackedLinear(nn.Linear(1536, 576).to(dtype)), torch.randn(80, 1536).to(dtype)
    with torch.inference_mode():
        whole = packed(x)
        for count in (1, 2, 3, 8, 33, 64):
            assert torch.equal(packed(x[:count]), whole[:count])


def test_every_linear_layer_of_a_model_is_packed_and_little_changes(tiny_policy: Path) -> None:
    plain, packed = load_causal_lm(tiny_policy), load_causal_lm(tiny_policy)
    assert pack_linears(packed) == 2 * 7 + 1
    assert not any(type(module) is nn.Linear for module in packed.modules())
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.inference_mode():
        torch.testing.assert_close(packed(ids).logits, plain(ids).logits, atol=1e-5, rtol=0)


def test_layers_of_other_formats_are_left_alone() -> None:
    assert pack_linears(nn.Sequential(nn.Linear(4, 4, dtype=torch.float64))) == 0


def assert_company_changes_nothing(directory: Path, prompts: list[list[int]], dtype: torch.dtype, tokens: int) -> None:
    model = load_causal_lm(directory, dtype=dtype)
    pack_linears(model)
    how = SamplingParams(max_new_tokens=tokens, seed=11)
    groups = sample_batch(model, prompts, num_completions=3, params=how, end_token_id=2, most_rows=8)
    for j, prompt in enumerate(prompts):
        for i in range(3):
            alone = SamplingParams(max_new_tokens=tokens, seed=11 + 3 * j + i)
            assert sample(model, prompt, num_completions=1, params=alone, end_token_id=2) == [groups[j][i]]


@pytest.mark.parametrize("dtype", FORMATS)
def test_sampling_gives_the_same_bits_in_any_company(tiny_policy: Path, dtype: torch.dtype) -> None:
    prompts = [[5], [6, 7, 8, 9], list(range(5, 105)), [20, 21] * 15]
    assert_company_changes_nothing(tiny_policy, prompts, dtype, tokens=30)


@pytest.mark.real_model
def test_sampling_from_the_real_model_gives_the_same_bits_in_any_company(bundled_policy: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    prompts = [torch.randint(100, 40_000, (length,), generator=generator).tolist() for length in (14, 30)]
    assert_company_changes_nothing(bundled_policy, prompts, default_dtype("cpu"), tokens=12)
