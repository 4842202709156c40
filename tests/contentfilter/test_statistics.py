"""Average precision and calibration error against worked numbers and another implementation's definition."""

import numpy as np
import pytest
from scipy import stats

from contentfilter.statistics import average_precision, best_f1, calibration_error, resampled, share


def numbers(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_average_precision_of_a_worked_example() -> None:
    """Positives at ranks 1, 3 and 4: (1/1 + 2/3 + 3/4) / 3."""
    found = average_precision(numbers(0.9, 0.8, 0.7, 0.6, 0.1), numbers(1, 0, 1, 1, 0))
    assert found == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_texts_of_one_probability_are_taken_together() -> None:
    assert average_precision(numbers(0.5, 0.5, 0.5, 0.5), numbers(1, 0, 0, 0)) == 0.25
    assert average_precision(numbers(0.5, 0.5), numbers(0, 1)) == average_precision(numbers(0.5, 0.5), numbers(1, 0))


def test_without_a_positive_there_is_no_value() -> None:
    assert average_precision(numbers(0.3, 0.2), numbers(0, 0)) is None
    assert calibration_error(numbers(), numbers()) is None


def test_calibration_error_of_a_worked_example() -> None:
    """Two in the bin of 0.2 (one positive), two in that of 0.9 (both): (|0.25 - 0.5| · 2 + |0.95 - 1| · 2) / 4."""
    found = calibration_error(numbers(0.2, 0.3 - 1e-9, 0.9, 1.0), numbers(1, 0, 1, 1))
    assert found == pytest.approx((0.25 * 2 + 0.05 * 2) / 4, abs=1e-6)


def test_an_interval_holds_the_value_and_a_constant_has_none() -> None:
    labels = numbers(*[1, 0] * 50)
    found = resampled(100, lambda rows: float(labels[rows].mean()), seed=1)
    assert found.value == 0.5
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.45 < 0.55 < found.high
    assert found == resampled(100, lambda rows: float(labels[rows].mean()), seed=1)
    constant = resampled(10, lambda _rows: 1.0, seed=1)
    assert (constant.value, constant.low, constant.high) == (1.0, None, None)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (7, 10), (10, 10), (3, 400)])
def test_a_share_has_wilsons_interval(successes: int, n: int) -> None:
    wilson = stats.binomtest(successes, n).proportion_ci(method="wilson")
    found = share(successes, n)
    assert (found.low, found.high) == (pytest.approx(wilson.low, abs=1e-6), pytest.approx(wilson.high, abs=1e-6))


def test_the_best_threshold_is_where_f1_is_highest() -> None:
    assert best_f1([0.9, 0.8, 0.7, 0.6], [1.0, 1.0, 0.0, 0.0]) == 0.8
    assert best_f1([0.9, 0.8], [0.0, 0.0]) == 1.0
