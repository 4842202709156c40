"""Jurors' totals on one scale, by worked numbers; and a simulated contest, in which the truth is known."""

import random
from statistics import correlation, fmean

import pytest

from labeling.challenges.draw import draw, lot
from labeling.statistics.marks import (
    agreement_of_jurors,
    by_entry,
    further_jurors,
    scaled_by_juror,
    spread_of,
    weighted_total,
)

THIRDS = {"risk": 1.0, "novelty": 1.0, "form": 1.0}


def test_a_total_weighs_its_criteria() -> None:
    assert weighted_total({"risk": 4, "novelty": 1, "form": 1}, THIRDS) == pytest.approx(2)
    assert weighted_total({"risk": 4, "novelty": 1, "form": 1}, {"risk": 2, "novelty": 1, "form": 0}) == pytest.approx(
        3
    )
    with pytest.raises(KeyError):
        weighted_total({"risk": 4}, THIRDS)


def test_totals_are_scaled_by_mean_and_spread_that_are_shrunk() -> None:
    """By hand: all totals have mean 2, sums of squares are 2 and 2, and the pooled variance is 4 / 4 = 1.

    The first juror's mean is (6 + 5 · 2) / 8 = 2 with sums 1 + 2 + 3, the variance (2 + 5 · 1) / (2 + 5) = 1.
    """
    scaled = scaled_by_juror({"one": {"a": 1.0, "b": 2.0, "c": 3.0}, "two": {"a": 1.0, "b": 2.0, "c": 3.0}})
    assert scaled["one"] == pytest.approx({"a": -1, "b": 0, "c": 1})
    strict = scaled_by_juror({"one": {"a": 1.0, "b": 2.0, "c": 3.0}, "two": {"a": 0.0, "b": 1.0, "c": 2.0}})
    # Means 2 and 1, all together 1.5: shrunk to (6 + 7.5) / 8 = 1.6875 and (3 + 7.5) / 8 = 1.3125.
    assert strict["one"] == pytest.approx({"a": -0.6875, "b": 0.3125, "c": 1.3125})
    assert strict["two"] == pytest.approx({"a": -1.3125, "b": -0.3125, "c": 0.6875})


def test_a_juror_with_many_marks_is_taken_at_their_own_scale() -> None:
    mild = {f"e{number}": 2.0 + number % 3 for number in range(300)}
    harsh = {entry: (total - 2) / 2 for entry, total in mild.items()}
    scaled = scaled_by_juror({"mild": mild, "harsh": harsh})
    assert max(abs(scaled["mild"][entry] - scaled["harsh"][entry]) for entry in mild) < 0.1
    few = scaled_by_juror({"mild": mild, "harsh": {"e0": 0.0}})
    assert few["harsh"]["e0"] < -1.5, "one mark says little of a scale: it is read by everybody's"


def test_marks_that_do_not_differ_say_nothing() -> None:
    assert scaled_by_juror({"one": {"a": 2.0, "b": 2.0}, "two": {}}) == {"one": {"a": 0.0, "b": 0.0}, "two": {}}
    assert scaled_by_juror({}) == {}


def test_spread_and_the_last_prize_call_for_further_jurors() -> None:
    scaled = {
        "one": {"best": 2.0, "torn": -2.0, "line": 0.1, "below": -0.1, "last": -2.0},
        "two": {"best": 2.1, "torn": -0.9, "line": 0.0, "below": -0.2, "last": -2.1},
        "three": {"best": 1.9, "torn": -1.5, "line": 0.2, "below": 0.0, "last": -1.9},
    }
    assert spread_of(by_entry(scaled)["torn"]) == pytest.approx(1.1)
    assert further_jurors(scaled, num_prizes=2) == {"torn": 1, "line": 3, "below": 3}
    assert further_jurors(scaled, num_prizes=5) == {"torn": 1}, "where everybody wins there is no line"
    assert further_jurors({"one": {"a": 1.0, "b": 0.0}}, num_prizes=1) == {}


NOISE = 0.5  # of a juror's total, in standard deviations of the entries' quality


class Simulation:
    """200 entries of known quality, six jurors: each with a bias, a scale of their own, and noise by criterion."""

    def __init__(self, seed: int, num_entries: int = 200) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.quality = {f"e{number}": self.random.gauss(0, 1) for number in range(num_entries)}
        self.jurors = {f"j{number}": (self.random.gauss(0, 0.4), self.random.uniform(0.6, 1.0)) for number in range(6)}
        self.totals: dict[str, dict[str, float]] = {juror: {} for juror in self.jurors}

    def total(self, entry: str, juror: str) -> float:
        """The mean of three whole marks from 0 to 4; noise by criterion is √3 times that of their mean."""
        bias, scale = self.jurors[juror]
        felt = {name: self.quality[entry] + self.random.gauss(0, NOISE * 3**0.5) for name in THIRDS}
        marks = {name: min(4, max(0, round(2 + bias + scale * one))) for name, one in felt.items()}
        return weighted_total(marks, THIRDS)

    def take(self, pairs: list[tuple[str, str]]) -> None:
        for entry, juror in pairs:
            self.totals[juror][entry] = self.total(entry, juror)

    def recovered(self) -> float:
        """The share of the true top 20 that is among the published 20."""
        first = draw(self.quality, self.jurors, seed=self.seed)
        self.take(first)
        more = further_jurors(scaled_by_juror(self.totals), num_prizes=20)
        already: dict[str, list[str]] = {}
        for entry, juror in first:
            already.setdefault(entry, []).append(juror)
        wanted = {entry: 3 + num for entry, num in more.items()}
        self.take(draw(more, self.jurors, seed=self.seed, already=already, wanted=wanted))
        scores = by_entry(scaled_by_juror(self.totals))
        ranked = sorted(scores, key=lambda one: (-fmean(scores[one]), lot(self.seed, "tie", one)))
        best = sorted(self.quality, key=lambda one: -self.quality[one])
        return len({*ranked[:20]} & {*best[:20]}) / 20


def test_a_simulated_contest_finds_four_fifths_of_the_true_winners() -> None:
    """Over twenty contests, since one may be lucky. With three jurors an entry and no more it is 0.77."""
    found = [Simulation(seed).recovered() for seed in range(20)]
    assert fmean(found) >= 0.8
    assert min(found) >= 0.65


def test_alpha_is_what_was_planted() -> None:
    """Planted is how far two jurors of such a contest agree over very many entries, whole marks and ends included."""
    for seed in (1, 2, 3):
        contest = Simulation(seed)
        contest.take(draw(contest.quality, contest.jurors, seed=seed))
        found = agreement_of_jurors(scaled_by_juror(contest.totals))
        assert found is not None
        assert found.value == pytest.approx(planted_alpha(seed), abs=0.05)
        assert found.low < found.value < found.high
        assert found.n == 200


def planted_alpha(seed: int) -> float:
    """The mean correlation of two jurors' totals, which is alpha once their scales are taken out."""
    many = Simulation(seed, num_entries=200)
    jurors = many.jurors
    many.quality = {f"m{number}": many.random.gauss(0, 1) for number in range(3000)}
    given = {juror: [many.total(entry, juror) for entry in many.quality] for juror in jurors}
    names = list(given)
    return fmean(correlation(given[one], given[other]) for one in names for other in names if one < other)
