"""Old beside new on the same probes: known examples, an interval that holds, and no claim by one of the two alone."""

import random

import pytest

from labeling.statistics.paired_proportions import (
    PairedCounts,
    change,
    count_pairs,
    holm,
    mcnemar_p,
    paired_difference,
)


def counts(both: int, new_only: int, old_only: int, neither: int) -> PairedCounts:
    return PairedCounts(both=both, new_only=new_only, old_only=old_only, neither=neither)


def pairs(both: int, new_only: int, old_only: int, neither: int) -> list[tuple[bool, bool]]:
    return [(True, True)] * both + [(False, True)] * new_only + [(True, False)] * old_only + [(False, False)] * neither


def test_the_interval_by_hand() -> None:
    """The table of Altman et al. 2000, table 6.2: 19 of 41 and 14 of 41, Wilson (.32056, .61254) and (.21559, .49450).

    phi = (14 · 22 - 41/2) / √(19 · 22 · 14 · 27) = 287.5 / 397.4972 = .72328.
    """
    found = paired_difference(counts(14, 5, 0, 22))
    assert found.value == pytest.approx(5 / 41)
    below, above = 19 / 41 - 0.32056, 0.49450 - 14 / 41
    assert found.value - found.low == pytest.approx(
        (below**2 - 2 * 0.72328 * below * above + above**2) ** 0.5, abs=2e-5
    )
    below, above = 14 / 41 - 0.21559, 0.61254 - 19 / 41
    assert found.high - found.value == pytest.approx(
        (below**2 - 2 * 0.72328 * below * above + above**2) ** 0.5, abs=2e-5
    )
    assert (found.low, found.high, found.n) == pytest.approx((0.0115, 0.2265, 41), abs=5e-5)


def test_mcnemar_by_hand() -> None:
    """Of 8 discordant pairs 1 one way: 2 (1 + 8) / 2⁸."""
    assert mcnemar_p(counts(1, 1, 7, 12)) == pytest.approx(18 / 256)
    assert mcnemar_p(counts(30, 0, 6, 4)) == pytest.approx(2 / 64)
    assert mcnemar_p(counts(30, 0, 0, 4)) == 1.0


def test_pairs_are_counted_by_what_holds_under_which() -> None:
    assert count_pairs(pairs(4, 3, 2, 1)) == counts(4, 3, 2, 1)


def test_old_and_new_changed_round_mirror_the_difference() -> None:
    there, back = paired_difference(counts(20, 12, 2, 16)), paired_difference(counts(20, 2, 12, 16))
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


@pytest.mark.parametrize("table", [(9, 0, 0, 0), (0, 0, 0, 9), (0, 9, 0, 0), (0, 0, 9, 0), (5, 0, 0, 4)])
def test_the_interval_stays_within_bounds_and_holds_the_difference(table: tuple[int, int, int, int]) -> None:
    found = paired_difference(counts(*table))
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.05


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = random.Random(3)
    held = 0
    for _ in range(1000):
        table = [0, 0, 0, 0]
        for place in generator.choices(range(4), weights=(0.5, 0.2, 0.1, 0.2), k=60):
            table[place] += 1
        found = paired_difference(counts(*table))
        held += found.low <= 0.1 <= found.high
    assert 0.93 <= held / 1000 <= 0.985


def test_a_claim_needs_the_test_and_the_interval() -> None:
    clear = change(pairs(20, 12, 2, 16))
    assert clear.is_claimed
    assert (clear.old.value, clear.new.value) == pytest.approx((0.44, 0.64))
    near = change(pairs(1, 1, 7, 12))
    assert near.difference.high < 0  # the interval alone would say so
    assert near.p > 0.05
    assert not near.is_claimed
    assert not change(pairs(20, 3, 2, 16)).is_claimed


def test_without_pairs_there_is_no_difference() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        paired_difference(counts(0, 0, 0, 0))


def test_several_claims_are_held_to_the_level_together() -> None:
    """0.01 · 3, then 0.02 · 2, then the largest before it."""
    assert holm([0.02, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
