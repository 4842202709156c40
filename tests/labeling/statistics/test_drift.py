"""Whether a week is like those before it: intervals against scipy's, and indices worked by hand."""

import math

import pytest
from scipy.stats import poisson

from labeling.statistics.drift import poisson_interval, stability_index, stands_out


@pytest.mark.parametrize("mean", [0.0, 0.3, 1.0, 4.0, 17.5, 300.0, 5_000.0])
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_the_interval_is_that_of_the_poisson_distribution(mean: float, confidence: float) -> None:
    low, high = poisson_interval(mean, confidence=confidence)
    if mean:
        assert (low, high) == tuple(map(int, poisson.interval(confidence, mean)))
    else:
        assert (low, high) == (0, 0)


def test_a_mean_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="from 0 on"):
        poisson_interval(-1.0)


@pytest.mark.parametrize(
    ("count", "trials", "before", "expected"),
    [
        (10, 100, [(80, 800)], False),  # 10 are expected, 3 to 19 are usual
        (19, 100, [(80, 800)], False),
        (20, 100, [(80, 800)], True),
        (2, 100, [(40, 400), (40, 400)], True),
        (0, 100, [(0, 800)], False),
        (1, 100, [(0, 800)], True),
        (5, 0, [(80, 800)], None),
        (5, 100, [], None),
    ],
)
def test_a_week_stands_out_where_its_count_lies_outside(
    count: int, trials: int, before: list[tuple[int, int]], expected: bool | None
) -> None:
    assert stands_out(count, trials, before=before) is expected


def test_the_stability_index_of_two_bins() -> None:
    assert stability_index([50, 50], [50, 50]) == 0.0
    expected = (0.75 - 0.5) * math.log(0.75 / 0.5) + (0.25 - 0.5) * math.log(0.25 / 0.5)
    assert stability_index([50, 50], [75, 25]) == pytest.approx(expected)
    assert stability_index([75, 25], [50, 50]) == pytest.approx(expected), "it has no direction"


def test_an_empty_bin_counts_a_half_and_an_empty_histogram_says_nothing() -> None:
    new = (10 / 10.5, 0.5 / 10.5)
    expected = (new[0] - 0.5) * math.log(new[0] / 0.5) + (new[1] - 0.5) * math.log(new[1] / 0.5)
    assert stability_index([5, 5], [10, 0]) == pytest.approx(expected)
    assert stability_index([5, 5, 0], [10, 0, 0]) == pytest.approx(expected), "what is empty in both says nothing"
    assert stability_index([0, 0], [10, 0]) is None
    with pytest.raises(ValueError, match="the same bins"):
        stability_index([1], [1, 2])
