"""The probability of a weak order: its worked number, its derivatives, and that all orders together have one."""

import math
from collections.abc import Sequence
from itertools import product

import pytest

from judging.tied_orders import Information, Stages, sets_of, slopes, stages_of

STEP = 1e-5


def log_probability(places: dict[int, int], qualities: Sequence[float], scale: float, leniency: float) -> float:
    sets = sets_of(len(places), len(places))
    masses = [
        math.exp(scale * mean + leniency * more) for mean, more in zip(sets.means(qualities), sets.joined, strict=True)
    ]
    stages: Stages = stages_of(places, len(places))
    return sum(math.log(masses[came] / sum(masses[one] for one in among)) for among, came in stages)


def test_of_two_completions_it_is_davidsons() -> None:
    scale, leniency, difference = 0.7, -0.4, 1.2
    up, down, tie = math.exp(scale * difference / 2), math.exp(-scale * difference / 2), math.exp(leniency)
    total = up + down + tie
    for places, expected in (({0: 0, 1: 1}, up), ({0: 1, 1: 0}, down), ({0: 0, 1: 0}, tie)):
        found = log_probability(places, (difference, 0.0), scale, leniency)
        assert found == pytest.approx(math.log(expected / total))


def test_without_ties_it_is_placketts_and_luces() -> None:
    qualities = (0.5, -1.0, 0.2)
    weights = [math.exp(2 * quality) for quality in qualities]
    expected = weights[0] / sum(weights) * weights[2] / (weights[1] + weights[2])
    found = log_probability({0: 0, 2: 1, 1: 2}, qualities, 2.0, -40.0)
    assert found == pytest.approx(math.log(expected))


def test_each_completion_that_joins_a_tie_costs_the_same() -> None:
    one = math.exp(-0.7)
    expected = one**2 / (3 + 3 * one + one**2)
    assert log_probability({0: 0, 1: 0, 2: 0}, (0.4, 0.4, 0.4), 1.5, -0.7) == pytest.approx(math.log(expected))


def test_all_weak_orders_together_have_probability_one() -> None:
    orders = {tuple(sorted(set(given)).index(tier) for tier in given) for given in product(range(3), repeat=3)}
    assert len(orders) == 13
    total = sum(math.exp(log_probability(dict(enumerate(order)), (0.3, -0.8, 1.1), 1.3, 0.2)) for order in orders)
    assert total == pytest.approx(1.0)


def test_its_derivatives_are_those_of_its_logarithm() -> None:
    places, qualities, scale, leniency = {0: 1, 1: 0, 2: 1, 3: 2}, [0.3, -0.2, 0.9, 0.1], 0.7, -0.4
    sets, stages = sets_of(4, 3), stages_of(places, 3)

    def information(at: Sequence[float], own: float = scale, lenient: float = leniency) -> Information:
        found = Information()
        found.add(1.0, stages, sets.means(at), sets.joined, own, lenient)
        return found

    def slope(one: float, other: float) -> float:
        return (one - other) / (2 * STEP)

    found = slopes(stages, sets, qualities, scale, leniency)
    for place in range(4):
        more, less = ([*qualities[:place], qualities[place] + sign, *qualities[place + 1 :]] for sign in (STEP, -STEP))
        of_scale = slope(information(more).scale, information(less).scale)
        of_leniency = slope(information(more).leniency, information(less).leniency)
        assert found.of_scale[place] == pytest.approx(of_scale, abs=1e-6)
        assert found.of_leniency[place] == pytest.approx(of_leniency, abs=1e-6)
        ahead, behind = (slopes(stages, sets, at, scale, leniency).gradient for at in (more, less))
        for other in range(place + 1):
            second = -slope(ahead[other], behind[other]) / scale
            assert found.information[place][other] == pytest.approx(second, abs=1e-6)
    at = information(qualities)
    steeper, flatter = information(qualities, scale + STEP), information(qualities, scale - STEP)
    assert at.scale_scale == pytest.approx(-slope(steeper.scale, flatter.scale), abs=1e-6)
    assert at.scale_leniency == pytest.approx(-slope(steeper.leniency, flatter.leniency), abs=1e-6)
    kinder, stricter = (information(qualities, lenient=leniency + sign) for sign in (STEP, -STEP))
    assert at.leniency_leniency == pytest.approx(-slope(kinder.leniency, stricter.leniency), abs=1e-6)
