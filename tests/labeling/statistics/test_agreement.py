"""Agreement figures against worked examples, and their behaviour at the edges."""

import random

import pytest
from scipy import stats

from labeling.statistics.agreement import (
    PairCounts,
    compare_rankings,
    ordered_pairs,
    position_bias,
    shown_earlier_wins,
    tied_pairs,
)


def test_a_ranking_with_one_tie_makes_five_ordered_pairs_and_one_tied() -> None:
    tiers = [["A"], ["B", "C"], ["D"]]
    assert list(ordered_pairs(tiers)) == [("A", "B"), ("A", "C"), ("A", "D"), ("B", "D"), ("C", "D")]
    assert list(tied_pairs(tiers)) == [("B", "C")]


def test_empty_tiers_change_nothing() -> None:
    tiers = [["A"], [], ["B", "C"], [], ["D"]]
    assert len(list(ordered_pairs(tiers))) == 5
    assert compare_rankings(tiers, [["A"], ["B", "C"], ["D"]]) == PairCounts(alike=5, tied_by_both=1)


@pytest.mark.parametrize(("k", "pairs"), [(4, 6), (5, 10), (6, 15), (7, 21), (8, 28), (9, 36)])
def test_k_completions_without_ties_make_all_pairs(k: int, pairs: int) -> None:
    assert len(list(ordered_pairs([[str(i)] for i in range(k)]))) == pairs


def test_pairs_are_counted_by_how_the_two_rankings_relate() -> None:
    first = [["a"], ["b"], ["c", "d"]]
    second = [["b"], ["a", "c"], ["d"]]
    # ab opposite, ac tied by the second, ad alike, bc alike, bd alike, cd tied by the first
    assert compare_rankings(first, second) == PairCounts(alike=3, opposite=1, tied_by_first=1, tied_by_second=1)


def test_the_distance_of_the_worked_example_is_a_third() -> None:
    """Opposite on ab counts 1, a tie of one of them on ac and cd 1/2 each: 2 of 6 pairs."""
    first, second = [["a"], ["b"], ["c", "d"]], [["b"], ["a", "c"], ["d"]]
    counts = compare_rankings(first, second)
    assert counts.distance == pytest.approx(1 / 3)
    assert compare_rankings(second, first).distance == counts.distance
    rate = counts.rate("half")
    assert rate is not None
    assert counts.distance == pytest.approx(1 - rate.value)


def test_the_distance_is_nought_for_the_same_order_and_one_for_the_reverse() -> None:
    order = [["a"], ["b"], ["c"]]
    assert compare_rankings(order, order).distance == 0
    assert compare_rankings(order, order[::-1]).distance == 1
    assert compare_rankings(order, [["a", "b", "c"]]).distance == 0.5
    assert compare_rankings(order, [["x"], ["y"]]).distance is None


def test_only_completions_that_both_ranked_count() -> None:
    assert compare_rankings([["a"], ["b"], ["x"]], [["a"], ["b"], ["y"]]) == PairCounts(alike=1)


def test_the_rate_depends_on_the_tie_policy() -> None:
    counts = PairCounts(alike=6, opposite=2, tied_by_first=1, tied_by_second=1, tied_by_both=2)
    excluded, half = counts.rate("exclude"), counts.rate("half")
    assert excluded is not None
    assert half is not None
    assert (excluded.value, excluded.n) == (0.75, 8)
    assert (half.value, half.n) == (0.75, 12)
    assert PairCounts(tied_by_both=3).rate("exclude") is None


def test_chance_with_ties_is_what_random_trainers_reach() -> None:
    generator = random.Random(3)
    counts = PairCounts()
    for _ in range(20_000):
        left, right = ([["a", "b"]] if generator.random() < 0.4 else [["a"], ["b"]] for _ in range(2))
        if generator.random() < 0.5:
            right = right[::-1]
        counts += compare_rankings(left, right)
    rate = counts.rate("half")
    assert rate is not None
    assert rate.value == pytest.approx(counts.chance("half"), abs=0.01)
    assert counts.chance("half") == pytest.approx(0.16 + 0.84 / 2, abs=0.01)
    assert counts.chance("exclude") == 0.5


@pytest.mark.parametrize(
    ("counts", "chance"),
    [
        # One of them ties half of the pairs, the other none: they never tie together.
        (PairCounts(alike=2, opposite=2, tied_by_first=4), 1 / 2),
        (PairCounts(alike=2, opposite=2, tied_by_second=4), 1 / 2),
        # They tie 2 and 1 of 4 pairs: both tie 1/8, and half of the others are alike.
        (PairCounts(alike=1, opposite=1, tied_by_first=1, tied_by_both=1), 1 / 8 + 7 / 16),
        (PairCounts(alike=1, opposite=1, tied_by_second=1, tied_by_both=1), 1 / 8 + 7 / 16),
    ],
)
def test_chance_where_one_ties_more_than_the_other(counts: PairCounts, chance: float) -> None:
    assert counts.chance("half") == pytest.approx(chance)


def test_pairs_that_both_tie_are_the_same() -> None:
    assert PairCounts(alike=3, opposite=1, tied_by_first=1, tied_by_second=1, tied_by_both=2).same == 5


def test_an_agreement_of_72_6_percent_is_a_kappa_of_0_452() -> None:
    assert PairCounts(alike=726, opposite=274).kappa() == pytest.approx(0.452)
    assert PairCounts().kappa() is None


def test_counts_add_up_over_comparisons() -> None:
    assert PairCounts(alike=1, opposite=2, tied_by_first=3) + PairCounts(
        alike=1, tied_by_second=4, tied_by_both=5
    ) == PairCounts(alike=2, opposite=2, tied_by_first=3, tied_by_second=4, tied_by_both=5)


def test_position_bias_of_560_in_1000() -> None:
    bias = position_bias(560, 1000)
    assert bias.z == pytest.approx(3.795, abs=5e-4)
    assert bias.p == pytest.approx(1.65e-4, rel=2e-3)
    assert bias.p == pytest.approx(stats.binomtest(560, 1000).pvalue)
    assert bias.share.low > 0.5
    with pytest.raises(ValueError, match="at least 1"):
        position_bias(0, 0)


def test_wins_of_the_one_shown_earlier_are_counted_over_ordered_pairs() -> None:
    assert shown_earlier_wins([["a"], ["b", "c"]], ["b", "a", "c"]) == (1, 2)
    assert shown_earlier_wins([["a"], ["b", "c"]], ["a", "b", "c"]) == (2, 2)
    assert shown_earlier_wins([["a"], ["b", "c"]], ["c", "b", "a"]) == (0, 2)
    assert shown_earlier_wins([["a", "b"]], ["b", "a"]) == (0, 0)
