"""Strengths against worked examples, their own equations, and evalica's fits; what the data cannot say is refused."""

import math
import random

import evalica
import pytest

from labeling.statistics.bradley_terry import bradley_terry, davidson, fit_table
from labeling.statistics.paired_comparisons import elo


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


def test_the_strengths_are_those_that_evalica_finds() -> None:
    votes = _votes(num_policies=12, num_votes=900, seed=3)
    wins: dict[tuple[str, str], float] = {}
    for first, second, won in votes:
        wins[first, second] = wins.get((first, second), 0.0) + won
        wins[second, first] = wins.get((second, first), 0.0) + 1 - won
    outcome = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    theirs = evalica.bradley_terry(
        [first for first, _, _ in votes],
        [second for _, second, _ in votes],
        [outcome[won] for _, _, won in votes],
        tolerance=1e-12,
        limit=10_000,
    ).scores
    ours = bradley_terry(wins)
    logs = {name: math.log(score) for name, score in theirs.items()}
    mean = sum(logs.values()) / len(logs)
    assert ours == pytest.approx({name: value - mean for name, value in logs.items()}, abs=1e-6)


def test_ties_of_their_own_outcome_are_expected_as_often_as_they_came() -> None:
    """The equations of the maximum of Davidson's likelihood: wins plus half the ties of each, and the ties of all."""
    wins = {("a", "b"): 9, ("b", "a"): 4, ("b", "c"): 12, ("c", "b"): 15, ("c", "a"): 3, ("a", "c"): 8}
    ties = {("a", "b"): 5, ("c", "b"): 2, ("a", "c"): 4}
    found = davidson(wins, ties)
    scores = dict.fromkeys("abc", 0.0)
    expected_ties = 0.0
    for first, second in (("a", "b"), ("b", "c"), ("a", "c")):
        num_tied = ties.get((first, second), 0) + ties.get((second, first), 0)
        num = wins[first, second] + wins[second, first] + num_tied
        p, q = math.exp(found.strengths[first]), math.exp(found.strengths[second])
        tied = found.tie_weight * math.sqrt(p * q)
        scores[first] += num * (p + tied / 2) / (p + q + tied) - wins[first, second] - num_tied / 2
        scores[second] += num * (q + tied / 2) / (p + q + tied) - wins[second, first] - num_tied / 2
        expected_ties += num * tied / (p + q + tied)
    assert scores == pytest.approx({"a": 0, "b": 0, "c": 0}, abs=1e-7)
    assert expected_ties == pytest.approx(11)
    assert math.fsum(found.strengths.values()) == pytest.approx(0, abs=1e-12)


def test_two_equals_are_tied_as_their_weight_says() -> None:
    found = davidson({("a", "b"): 10, ("b", "a"): 10}, {("a", "b"): 10})
    assert found.strengths == pytest.approx({"a": 0, "b": 0})
    assert found.tie_weight / (2 + found.tie_weight) == pytest.approx(1 / 3)


def test_without_a_tie_both_models_are_one() -> None:
    wins = {("a", "b"): 7.0, ("b", "a"): 3.0}
    assert davidson(wins, {}).strengths == bradley_terry(wins)
    assert davidson(wins, {("a", "b"): 0}).tie_weight == 0


def test_a_ridge_keeps_a_policy_that_never_lost_finite_and_first() -> None:
    strengths = fit_table([[0, 5, 3], [0, 0, 2], [0, 1, 0]], ridge=1e-3)
    assert strengths[0] == max(strengths)
    assert all(math.isfinite(value) for value in (strengths[0], strengths[1], strengths[2]))


def _votes(*, num_policies: int, num_votes: int, seed: int) -> list[tuple[str, str, float]]:
    generator = random.Random(seed)
    names = [f"policy {index:02d}" for index in range(num_policies)]
    strengths = {name: generator.gauss(0, 1) for name in names}
    votes = []
    for _ in range(num_votes):
        first, second = generator.sample(names, 2)
        p = 1 / (1 + math.exp(strengths[second] - strengths[first]))
        votes.append((first, second, 0.5 if generator.random() < 0.2 else float(generator.random() < p)))
    return votes
