"""Figures about scores: hand-computed, and honest where pairs depend on one another."""

import math

import pytest
import torch

from rewardmodel.statistics import (
    calibration_bins,
    calibration_error,
    correctness,
    correlation,
    estimate_mean,
    estimate_within_correlation,
    log_loss,
    within_group_correlation,
)


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_a_level_pair_counts_half() -> None:
    assert correctness(numbers(2.0, -1.0, 0.0)).tolist() == [1.0, 0.0, 0.5]


def test_the_estimate_is_the_mean_over_pairs_with_an_interval_around_it() -> None:
    generator = torch.Generator().manual_seed(1)
    right = (torch.rand(400, generator=generator) < 0.7).double()
    estimate = estimate_mean(right, torch.arange(400))
    assert estimate.value == pytest.approx(float(right.mean()))
    # 400 independent pairs: the interval must be close to ±1.96·√(p(1−p)/n).
    half = 1.96 * math.sqrt(estimate.value * (1 - estimate.value) / 400)
    assert estimate.low == pytest.approx(estimate.value - half, abs=0.01)
    assert estimate.high == pytest.approx(estimate.value + half, abs=0.01)
    assert (estimate.high - estimate.low) / 2 == pytest.approx(half, rel=0.1)  # 90 % would be 0.84 of it


def test_f9_doubling_every_pair_within_its_prompt_does_not_shrink_the_interval() -> None:
    generator = torch.Generator().manual_seed(2)
    right = (torch.rand(60, generator=generator) < 0.6).double()
    prompts = torch.arange(60) // 3
    once = estimate_mean(right, prompts)
    twice = estimate_mean(right.repeat(2), prompts.repeat(2))
    assert (twice.low, twice.high) == (once.low, once.high)
    assert twice.value == pytest.approx(once.value)
    assert (twice.num_pairs, twice.num_prompts) == (120, 20)


def test_one_prompt_alone_gives_no_interval() -> None:
    estimate = estimate_mean(numbers(1.0, 0.0), torch.tensor([7, 7]))
    assert (estimate.value, estimate.low, estimate.high, estimate.num_prompts) == (0.5, None, None, 1)
    with pytest.raises(ValueError, match="no pairs"):
        estimate_mean(numbers(), torch.tensor([], dtype=torch.long))


def test_the_interval_is_the_same_for_the_same_seed_only() -> None:
    values, prompts = torch.rand(50, generator=torch.Generator().manual_seed(3)), torch.arange(50)
    assert estimate_mean(values, prompts, seed=1) == estimate_mean(values, prompts, seed=1)
    assert estimate_mean(values, prompts, seed=1) != estimate_mean(values, prompts, seed=2)


def test_log_loss_of_indifference_is_ln_2() -> None:
    assert log_loss(numbers(0.0, 0.0)) == pytest.approx(math.log(2))
    assert log_loss(numbers(1.0, -2.0)) == pytest.approx((0.313262 + 2.126928) / 2, abs=1e-6)


def test_a_calibrated_model_has_no_calibration_error_and_a_boastful_one_has() -> None:
    generator = torch.Generator().manual_seed(4)
    size = torch.rand(20_000, generator=generator) * 3
    right = torch.rand(20_000, generator=generator) < torch.sigmoid(size)
    gaps = torch.where(right, size, -size)
    assert calibration_error(calibration_bins(gaps)) < 0.02
    assert calibration_error(calibration_bins(gaps * 4)) > 0.1


def test_calibration_bins_hold_every_pair_once_and_rise_with_the_gap() -> None:
    bins = calibration_bins(numbers(0.1, -0.2, 3.0, 2.0, -1.0), num_bins=2)
    assert [bin_.num_pairs for bin_ in bins] == [3, 2]
    assert bins[0].gap_to <= bins[1].gap_from
    assert bins[0].observed == pytest.approx(1 / 3)
    assert bins[1].predicted == pytest.approx(float(torch.sigmoid(numbers(2.0, 3.0)).mean()))
    errors = [abs(bin_.predicted - bin_.observed) for bin_ in bins]
    assert calibration_error(bins) == pytest.approx((3 * errors[0] + 2 * errors[1]) / 5)
    assert sum(bin_.num_pairs for bin_ in calibration_bins(numbers(1.0), num_bins=10)) == 1


def test_correlation_within_prompts_ignores_what_differs_between_them() -> None:
    length = numbers(1.0, 2.0, 3.0, 101.0, 102.0, 103.0)
    score = numbers(3.0, 2.0, 1.0, 13.0, 12.0, 11.0)
    prompts = torch.tensor([0, 0, 0, 5, 5, 5])
    overall = correlation(score, length)
    assert overall is not None
    assert overall > 0.9
    assert within_group_correlation(score, length, prompts) == pytest.approx(-1.0)
    assert correlation(numbers(1.0, 1.0), numbers(1.0, 2.0)) is None


def test_a_correlation_within_prompts_has_an_interval_of_95_percent_over_prompts() -> None:
    generator = torch.Generator().manual_seed(5)
    prompts = torch.arange(800) // 2
    length = torch.randn(800, generator=generator, dtype=torch.float64)
    score = 0.3 * length + torch.randn(800, generator=generator, dtype=torch.float64)
    found = estimate_within_correlation(score, length, prompts)
    assert found is not None
    assert found.value == within_group_correlation(score, length, prompts)
    # Two completions of a prompt are one difference: 400 of them, so about 1.96 * (1 - r^2) / sqrt(400) on either side;
    # 90 % would be 1.64.
    half = 1.96 * (1 - found.value**2) / math.sqrt(400)
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.1)
    assert found.low < found.value < found.high
    assert found != estimate_within_correlation(score, length, prompts, seed=1)
    doubled = estimate_within_correlation(score.repeat(2), length.repeat(2), prompts.repeat(2))
    assert doubled is not None
    assert doubled.low == pytest.approx(found.low)  # the same prompts, seen twice
