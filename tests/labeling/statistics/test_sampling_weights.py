"""Shares of a whole from a sample drawn unevenly: numbers worked by hand, and a stream whose truth is planted."""

from random import Random
from statistics import fmean

import pytest

from labeling.statistics.intervals import wilson_interval
from labeling.statistics.sampling_weights import (
    Judged,
    average_precision,
    calibration,
    calibration_error,
    effective_size,
    inclusion,
    precision,
    precision_recall_curve,
    recall,
    weighted_share,
)


def judged(*rows: tuple[float, bool, float]) -> list[Judged]:
    return [Judged(probability=p, is_true=true, weight=weight) for p, true, weight in rows]


def test_a_share_counts_each_member_for_those_it_stands_for() -> None:
    found = weighted_share([True, False, True], [1.0, 2.0, 1.0])
    assert found is not None
    assert (found.value, found.n) == (0.5, 3)
    assert effective_size([1.0, 2.0, 1.0]) == pytest.approx(16 / 6)
    assert (found.low, found.high) == pytest.approx(wilson_interval(8 / 6, 16 / 6))
    assert weighted_share([], []) is None


def test_equal_weights_are_none_at_all() -> None:
    found = weighted_share([True] * 3 + [False] * 7, [2.5] * 10)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.3, *wilson_interval(3, 10)))


def test_the_chance_to_be_drawn_by_one_of_two_lots() -> None:
    assert inclusion(0.5, 0.5) == 0.75
    assert inclusion(0.1, 0.0) == pytest.approx(0.1)
    assert inclusion(1.0, 0.3) == 1.0
    with pytest.raises(ValueError, match="between 0 and 1"):
        inclusion(1.2)


ROWS = judged((0.9, True, 1.0), (0.8, False, 1.0), (0.8, True, 2.0), (0.2, True, 4.0), (0.1, False, 8.0))


def test_precision_and_recall_at_a_threshold() -> None:
    right, caught = precision(ROWS, 0.8), recall(ROWS, 0.8)
    assert right is not None
    assert caught is not None
    assert right.value == pytest.approx(3 / 4)
    assert caught.value == pytest.approx(3 / 7)
    assert precision(ROWS, 0.95) is None
    assert recall(judged((0.9, False, 1.0)), 0.5) is None


def test_the_curve_has_a_point_for_each_probability_and_its_area_is_the_average_precision() -> None:
    curve = precision_recall_curve(ROWS)
    assert [point.threshold for point in curve] == [0.9, 0.8, 0.2, 0.1]
    assert [point.precision for point in curve] == pytest.approx([1.0, 3 / 4, 7 / 8, 7 / 16])
    assert [point.recall for point in curve] == pytest.approx([1 / 7, 3 / 7, 1.0, 1.0])
    assert average_precision(curve) == pytest.approx(1 / 7 + 2 / 7 * 3 / 4 + 4 / 7 * 7 / 8)
    assert average_precision([]) is None
    assert precision_recall_curve(judged((0.5, False, 1.0))) == []


def test_calibration_holds_what_it_says_against_what_is_true() -> None:
    rows = judged((0.11, False, 1.0), (0.19, True, 3.0), (1.0, True, 1.0))
    low, high = calibration(rows)
    assert (low.said, low.true.value) == pytest.approx(((0.11 + 3 * 0.19) / 4, 0.75))
    assert (high.said, high.true.value) == (1.0, 1.0)
    assert calibration_error(rows) == pytest.approx((3 - (0.11 + 3 * 0.19)) / 5)
    assert calibration_error([]) is None


def test_on_a_stream_with_a_planted_truth_the_weighted_figures_are_unbiased() -> None:
    """Of 5,000 texts 60 are drawn from all and 60 of those near the threshold, again and again."""
    generator = Random(7)
    stream = [(generator.random() ** 4, generator.random()) for _ in range(5_000)]
    stream = [(p, drawn < 0.1 + 0.8 * p) for p, drawn in stream]
    near = {place for place, (p, _) in enumerate(stream) if abs(p - 0.5) <= 0.1}
    whole = judged(*((p, is_true, 1.0) for p, is_true in stream))
    weighted: dict[str, list[float]] = {"precision": [], "recall": []}
    plain: dict[str, list[float]] = {"precision": [], "recall": []}
    for _ in range(400):
        drawn = sorted({*generator.sample(range(5_000), 60), *generator.sample(sorted(near), 60)})
        chances = [inclusion(60 / 5_000, 60 / len(near) if one in near else 0.0) for one in drawn]
        rows = judged(*((*stream[one], 1 / chance) for one, chance in zip(drawn, chances, strict=True)))
        unweighted = judged(*((*stream[one], 1.0) for one in drawn))
        for found, several in ((weighted, rows), (plain, unweighted)):
            for name, figure in (("precision", precision), ("recall", recall)):
                estimate = figure(several, 0.5)
                assert estimate is not None
                found[name].append(estimate.value)
    for name, figure in (("precision", precision), ("recall", recall)):
        real = figure(whole, 0.5)
        assert real is not None
        assert fmean(weighted[name]) == pytest.approx(real.value, abs=0.02)
    assert fmean(plain["precision"]) < fmean(weighted["precision"]) - 0.05, "what is near counts too much"
