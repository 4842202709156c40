"""The test for a change of a rate: its law, what it finds, and how often it is wrong where nothing changed."""

import random

import pytest
from scipy import stats

from labeling.statistics.change_point import FEWEST, brownian_bridge_tail, change_point


def agreements(*rates_and_numbers: tuple[float, int], seed: int) -> list[tuple[float, float]]:
    """Comparisons of six pairs, of which each is agreed on with the rate of its stretch."""
    generator = random.Random(seed)
    return [
        (float(sum(generator.random() < rate for _ in range(6))), 6.0)
        for rate, number in rates_and_numbers
        for _ in range(number)
    ]


@pytest.mark.parametrize("x", [0.2, 0.5, 1.0, 1.3581, 2.0])
def test_the_tail_is_kolmogorovs(x: float) -> None:
    assert brownian_bridge_tail(x) == pytest.approx(stats.kstwobign.sf(x), abs=1e-5)


def test_a_fall_is_found_where_it_is() -> None:
    found = change_point(agreements((0.8, 60), (0.6, 60), seed=1))
    assert found is not None
    assert found.p < 0.01
    assert found.index == pytest.approx(60, abs=10)
    assert found.before > 0.75 > 0.65 > found.after


def test_where_nothing_changes_it_is_wrong_no_more_often_than_it_says() -> None:
    """Of 400 nulls, at most 5 % and three standard errors more fall below 0.05."""
    found = [change_point(agreements((0.7, 80), seed=seed)) for seed in range(400)]
    false_alarms = sum(one is not None and one.p < 0.05 for one in found)
    assert 1 <= false_alarms <= 33


def test_too_few_or_all_alike_say_nothing() -> None:
    assert change_point(agreements((0.8, FEWEST - 1), seed=1)) is None
    assert change_point([(6.0, 6.0)] * 50) is None
    assert change_point([(0.0, 0.0)] * 50) is None


def test_a_change_at_the_edge_is_not_named_on_fewer_than_five_comparisons() -> None:
    found = change_point([*[(3.0, 6.0)] * 48, (6.0, 6.0), (0.0, 6.0)])
    assert found is not None
    assert found.index <= 45
