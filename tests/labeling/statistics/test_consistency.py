"""Flips and variance of answers to one question, and intervals that count questions, not answers."""

import random

import pytest

from labeling.statistics.consistency import flip_rate, lost_by_rephrasing, mixed_share, variance_within


def test_the_flip_rate_by_hand() -> None:
    """Of five answers three right and two wrong: 6 of 10 pairs differ. In the other group 4 of 10."""
    found = flip_rate([["right", "right", "right", "wrong", "wrong"], ["right"] * 4 + ["declines"]])
    assert found is not None
    assert found.value == pytest.approx((0.6 + 0.4) / 2)
    assert found.n == 2


def test_the_flip_rate_is_that_of_all_pairs() -> None:
    generator = random.Random(2)
    group = [generator.choice("abc") for _ in range(7)]
    differing = sum(group[i] != group[j] for i in range(7) for j in range(i))
    found = flip_rate([group])
    assert found is not None
    assert found.value == pytest.approx(differing / 21)


def test_it_does_not_depend_on_how_often_a_question_is_asked() -> None:
    """Two answers are right or wrong by a fair coin: half of all pairs differ, of two answers as of ten."""
    generator = random.Random(5)
    rates = [flip_rate([generator.choices("ab", k=m) for _ in range(2000)], rounds=1) for m in (2, 10)]
    assert rates[0] is not None
    assert rates[1] is not None
    assert rates[0].value == pytest.approx(0.5, abs=0.03)
    assert rates[1].value == pytest.approx(0.5, abs=0.03)


def test_a_mixed_question_has_more_than_one_label() -> None:
    found = mixed_share([["a", "a"], ["a", "b"], ["b", "b"], ["a", "b"]])
    assert found is not None
    assert (found.value, found.n) == (0.5, 4)


def test_the_variance_of_right_and_wrong_is_half_the_flip_rate() -> None:
    groups = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [0] * 5]
    variance = variance_within(groups)
    flips = flip_rate([[str(value) for value in group] for group in groups])
    assert variance is not None
    assert flips is not None
    assert variance.value == pytest.approx((0.3 + 0.2 + 0) / 3)
    assert variance.value == pytest.approx(flips.value / 2)


def test_what_is_lost_by_rephrasing_by_hand() -> None:
    """One question always right, one in three of five, one never: 1/3 minus (1 + 0.6 + 0) / 3."""
    found = lost_by_rephrasing([[True] * 5, [True] * 3 + [False] * 2, [False] * 5])
    assert found is not None
    assert found.value == pytest.approx(1 / 3 - 1.6 / 3)
    assert found.low <= found.value <= found.high


def test_single_answers_say_nothing_of_flips() -> None:
    assert flip_rate([["a"], ["b"]]) is None
    assert mixed_share([]) is None
    assert variance_within([[1.0]]) is None
    assert lost_by_rephrasing([[True]]) is None
    found = flip_rate([["a"], ["a", "b"]])
    assert found is not None
    assert found.n == 1


def test_answers_of_one_question_do_not_count_as_evidence_many_times_over() -> None:
    """Twenty questions, asked two or twenty times: with all answers of a question alike the interval is as wide."""
    few = variance_within([[float(i % 2), float(i % 2 or i % 4 == 0)] for i in range(20)])
    many = variance_within([[float(i % 2), float(i % 2 or i % 4 == 0)] * 10 for i in range(20)])
    assert few is not None
    assert many is not None
    assert few.n == many.n == 20
    assert (many.high - many.low) / many.value == pytest.approx((few.high - few.low) / few.value)
