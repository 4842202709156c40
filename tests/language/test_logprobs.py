"""Log-probabilities: worked numbers, temperature, and masks."""

import math
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

from language.batching import pad_prompts_and_responses
from language.checkpoints import load_causal_lm
from language.logprobs import entropy, token_logprobs
from tests.separate_forwards import response_logprobs


@pytest.mark.parametrize(("temperature", "expected"), [(1.0, -0.407606), (0.7, -0.260118)])
def test_logits_are_divided_by_temperature(temperature: float, expected: float) -> None:
    """Method reference §9 C13."""
    logits = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)
    value = token_logprobs(logits, torch.tensor([0]), temperature=temperature)
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_uniform_logits_give_minus_log_vocabulary() -> None:
    """Method reference §9 B1."""
    value = token_logprobs(torch.zeros(1, 50257, dtype=torch.float64), torch.tensor([3]))
    assert value.item() == pytest.approx(-10.824905, abs=1e-6)


def test_a_shift_of_all_logits_changes_nothing() -> None:
    logits, ids = torch.randn(2, 3, 7, dtype=torch.float64), torch.randint(7, (2, 3))
    torch.testing.assert_close(token_logprobs(logits + 5, ids), token_logprobs(logits, ids))


def test_half_precision_logits_are_summed_in_full_precision() -> None:
    logits = torch.zeros(1, 50257, dtype=torch.bfloat16)
    assert token_logprobs(logits, torch.tensor([3])).item() == pytest.approx(-math.log(50257), abs=1e-5)


def test_entropy_of_uniform_is_log_vocabulary_and_of_certainty_zero() -> None:
    assert entropy(torch.zeros(1, 8, dtype=torch.float64)).item() == pytest.approx(math.log(8))
    assert entropy(torch.tensor([[1e4, 0.0, 0.0]])).item() == pytest.approx(0.0)
    p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    assert entropy(p.log().unsqueeze(0)).item() == pytest.approx(-(p * p.log()).sum().item())


def test_entropy_is_that_of_the_distribution_at_its_temperature() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)
    cooler = entropy(logits, temperature=0.5).item()
    assert cooler == pytest.approx(entropy(2 * logits).item())
    assert cooler < entropy(logits).item()


def test_temperature_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"temperature is 0"):
        token_logprobs(torch.zeros(1, 3), torch.tensor([0]), temperature=0.0)


def test_shapes_that_disagree_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        token_logprobs(torch.zeros(2, 3), torch.tensor([0]))


def test_response_logprobs_are_those_of_the_whole_sequence(tiny_policy: Path) -> None:
    model = load_causal_lm(tiny_policy)
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        whole = token_logprobs(model(ids).logits[:, :-1], ids[:, 1:])
        response = response_logprobs(model, ids, torch.ones_like(ids, dtype=torch.bool), 2)
    torch.testing.assert_close(response, whole[:, -2:])


def test_padding_and_batch_mates_change_no_logprob(tiny_policy: Path) -> None:
    """Method reference §9 C22, C14: within 1e-5 in fp32, whatever stands in the padding."""
    model = load_causal_lm(tiny_policy)
    prompts, responses = [[5], [6, 7, 8, 9, 10]], [[11, 12, 13], [14]]
    batch = pad_prompts_and_responses(prompts, responses, pad_token_id=0)
    poisoned = batch.input_ids.masked_fill(~batch.attention_mask, 77)
    with torch.no_grad():
        padded = response_logprobs(model, poisoned, batch.attention_mask, 3)
        for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
            alone = torch.tensor([prompt + response])
            expected = response_logprobs(model, alone, torch.ones_like(alone, dtype=torch.bool), len(response))
            torch.testing.assert_close(padded[row, : len(response)], expected[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("num_response", [0, 5])
def test_a_response_needs_a_prompt_before_it(tiny_policy: Path, num_response: int) -> None:
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with pytest.raises(ValueError, match="num_response"):
        response_logprobs(load_causal_lm(tiny_policy), ids, torch.ones_like(ids, dtype=torch.bool), num_response)
