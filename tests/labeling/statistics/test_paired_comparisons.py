"""Win rates and strengths against worked examples; what the data cannot say is refused."""

import pytest

from labeling.statistics.intervals import bootstrap, ratio_of_sums
from labeling.statistics.paired_comparisons import (
    win_probability,
    win_rate,
    win_rate_by_prompt,
)


def test_a_tie_is_half_a_win() -> None:
    rate = win_rate(wins=6, ties=2, losses=2)
    assert (rate.value, rate.n) == (0.7, 10)
    assert (rate.low, rate.high) == (win_rate(wins=7, ties=0, losses=3).low, win_rate(wins=7, ties=0, losses=3).high)


def test_the_win_rate_by_prompt_counts_prompts() -> None:
    outcomes = {f"prompt {i}": [1.0, 0.5] if i % 2 else [0.0, 0.5] for i in range(20)}
    rate = win_rate_by_prompt(outcomes)
    assert (rate.value, rate.n) == (0.5, 20)
    assert rate.low < 0.5 < rate.high
    with pytest.raises(ValueError, match="nothing to resample"):
        win_rate_by_prompt({})


def test_the_win_rate_by_prompt_is_a_bootstrap_of_its_seed_and_confidence_whatever_comes_first() -> None:
    outcomes = {f"prompt {i:02d}": [1.0] * (i % 3) + [0.5] * (i % 2) + [0.0] for i in range(25)}
    clusters = [(sum(won), len(won)) for _, won in sorted(outcomes.items())]
    for seed, confidence in ((7, 0.9), (8, 0.8)):
        rate = win_rate_by_prompt(outcomes, rounds=60, seed=seed, confidence=confidence)
        assert rate == bootstrap(clusters, ratio_of_sums, rounds=60, seed=seed, confidence=confidence)
        turned = dict(reversed(outcomes.items()))
        assert win_rate_by_prompt(turned, rounds=60, seed=seed, confidence=confidence) == rate


def test_a_hundred_points_ahead_wins_64_percent() -> None:
    assert win_probability(100) == pytest.approx(0.640065, abs=1e-6)
    assert win_probability(0) == 0.5
