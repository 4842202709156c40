"""Length figures against worked examples and planted biases."""

import math
import random

import pytest

from labeling.statistics.length_bias import (
    LengthControl,
    control_length,
    correlation,
    preference_for_longer,
)
from labeling.statistics.logistic_regression import fit_logistic, sigmoid


def test_preference_for_longer_passes_over_pairs_of_similar_length() -> None:
    estimate = preference_for_longer([(100, 50), (100, 10), (20, 90), (100, 80), (50, 80)])
    assert estimate is not None
    assert estimate.value == pytest.approx(2 / 3)
    assert estimate.n == 3
    assert preference_for_longer([(100, 80)]) is None


def test_correlation() -> None:
    assert correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert correlation([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert correlation([1, 1], [2, 3]) is None
    assert correlation([], []) is None


def test_length_control_of_the_worked_example() -> None:
    control = LengthControl(advantage=0.3, length_weight=-0.8, scale=1.0)
    assert control.win_probability(-0.9) == pytest.approx(0.705378, abs=1e-6)
    assert control.win_rate == pytest.approx(0.574443, abs=1e-6)


def judged(*, advantage: float, per_token: float, padding: int = 0, n: int = 4000) -> tuple[list[float], list[float]]:
    """Outcomes of a judge with a planted taste for length, on lengths that vary by prompt."""
    generator = random.Random(7)
    outcomes, differences = [], []
    for _ in range(n):
        difference = generator.gauss(0, 60) - padding
        outcomes.append(float(generator.random() < sigmoid(advantage - per_token * difference)))
        differences.append(difference)
    return outcomes, differences


def test_swapping_model_and_baseline_mirrors_the_win_rate() -> None:
    outcomes, differences = judged(advantage=0.4, per_token=0.01)
    there = control_length(outcomes, differences)
    back = control_length([1 - outcome for outcome in outcomes], [-difference for difference in differences])
    assert there.win_rate + back.win_rate == pytest.approx(1.0)


def test_identical_policies_come_out_even() -> None:
    assert control_length([0.5] * 10, [0.0] * 10).win_rate == pytest.approx(0.5)


def test_padding_every_answer_does_not_buy_a_length_controlled_win_rate() -> None:
    plain, padded = (judged(advantage=0.2, per_token=0.01, padding=padding) for padding in (0, 60))
    raw_gain = sum(padded[0]) / len(padded[0]) - sum(plain[0]) / len(plain[0])
    controlled_gain = control_length(*padded).win_rate - control_length(*plain).win_rate
    assert raw_gain > 0.1
    assert abs(controlled_gain) < 0.4 * raw_gain


def test_the_unit_of_lengths_does_not_matter() -> None:
    outcomes, differences = judged(advantage=0.4, per_token=0.01, n=400)
    tokens, characters = (control_length(outcomes, [unit * one for one in differences]) for unit in (1.0, 4.0))
    assert characters.win_rate == pytest.approx(tokens.win_rate)
    assert characters.scale == pytest.approx(4 * tokens.scale)


@pytest.mark.parametrize("ridge", [0.1, 2.0])
def test_a_clean_sweep_is_held_back_by_the_ridge(ridge: float) -> None:
    """At the maximum the pull of n wins equals that of the prior: n (1 - p) = ridge * advantage."""
    control = control_length([1.0] * 8, [0.0] * 8, ridge=ridge)
    assert 8 * (1 - control.win_rate) == pytest.approx(ridge * control.advantage)


def test_a_clean_sweep_stays_finite() -> None:
    control = control_length([1.0] * 30, [float(i - 15) for i in range(30)])
    assert 0.5 < control.win_rate < 1.0


@pytest.mark.parametrize("planted", [0.02, 0.0])
def test_a_planted_taste_for_length_is_found_and_none_where_none_is(planted: float) -> None:
    generator = random.Random(12)
    rows, outcomes = [], []
    for _ in range(3000):
        quality, tokens = generator.gauss(0, 1), generator.gauss(0, 40)
        rows.append((quality, tokens))
        outcomes.append(float(generator.random() < sigmoid(quality + planted * tokens)))
    fit = fit_logistic(rows, outcomes)
    assert abs(fit.coefficients[1] - planted) < 2 * fit.standard_errors[1]
    assert abs(fit.coefficients[0] - 1.0) < 2 * fit.standard_errors[0]


def test_logistic_regression_of_one_share_is_its_logit() -> None:
    fit = fit_logistic([(1.0,)] * 10, [1.0] * 7 + [0.0] * 3)
    assert fit.coefficients[0] == pytest.approx(math.log(7 / 3))
    assert fit.standard_errors[0] == pytest.approx(1 / math.sqrt(10 * 0.7 * 0.3))


def test_an_observation_of_weight_n_counts_as_n_of_them() -> None:
    weighted = fit_logistic([(1.0, 0.0), (1.0, 1.0)], [0.3, 0.6], weights=[10, 20])
    one_by_one = fit_logistic([(1.0, 0.0)] * 10 + [(1.0, 1.0)] * 20, [1.0] * 3 + [0.0] * 7 + [1.0] * 12 + [0.0] * 8)
    assert weighted.coefficients == pytest.approx(one_by_one.coefficients)
    assert weighted.standard_errors == pytest.approx(one_by_one.standard_errors)


def test_logistic_regression_refuses_what_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="no observations"):
        fit_logistic([], [])
    with pytest.raises(ValueError, match="covariate 1 says nothing"):
        fit_logistic([(1.0, 2.0), (2.0, 4.0)], [1.0, 0.0], ridge=0.0)


def test_the_sigmoid_does_not_overflow() -> None:
    assert sigmoid(1000.0) == 1.0
    assert sigmoid(-1000.0) == 0.0
