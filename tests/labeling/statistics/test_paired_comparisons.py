"""Win rates and strengths against worked examples; what the data cannot say is refused."""

import math

import pytest

from labeling.statistics.intervals import bootstrap, ratio_of_sums
from labeling.statistics.paired_comparisons import (
    bradley_terry,
    elo,
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


def test_each_policy_is_expected_to_win_as_often_as_it_did() -> None:
    """The equations of the maximum of the likelihood, however unequal the numbers of comparisons."""
    wins = {("a", "b"): 6, ("b", "a"): 2, ("b", "c"): 40, ("c", "b"): 60, ("a", "c"): 3, ("c", "a"): 5}
    found = bradley_terry(wins)
    assert found.keys() == {"a", "b", "c"}
    for name in found:
        met = {other: wins[name, other] + wins[other, name] for other in found if other != name}
        expected = sum(num / (1 + math.exp(found[other] - found[name])) for other, num in met.items())
        assert expected == pytest.approx(sum(wins[name, other] for other in met))


def test_seven_wins_of_ten_are_a_strength_of_0_847_and_147_elo() -> None:
    strengths = bradley_terry({("a", "b"): 7, ("b", "a"): 3})
    difference = strengths["a"] - strengths["b"]
    assert difference == pytest.approx(0.847298, abs=1e-6)
    assert elo(difference) == pytest.approx(147.191, abs=1e-3)
    assert bradley_terry({("a", "b"): 6 + 1, ("b", "a"): 2 + 1}) == strengths  # 6 wins, 2 ties, 2 losses


def test_a_hundred_points_ahead_wins_64_percent() -> None:
    assert win_probability(100) == pytest.approx(0.640065, abs=1e-6)
    assert win_probability(0) == 0.5


def test_planted_strengths_are_found_again() -> None:
    planted = {"a": 1.1, "b": 0.2, "c": -0.3, "d": -1.0}
    wins = {
        (i, j): 1000 / (1 + math.exp(planted[j] - planted[i]))
        for i in planted
        for j in planted
        if i != j and {i, j} != {"a", "d"}
    }
    assert bradley_terry(wins) == pytest.approx(planted)


def test_strengths_without_bound_are_refused_with_a_name() -> None:
    with pytest.raises(ValueError, match="b has never beaten a"):
        bradley_terry({("a", "b"): 5})
    with pytest.raises(ValueError, match="c has never been beaten by a"):
        bradley_terry({("a", "b"): 1, ("b", "a"): 1, ("c", "d"): 1, ("d", "c"): 1})
