"""Old beside new on the same probes: McNemar's exact test, the interval of the difference, when to claim a change.

Pure functions on plain values. Every pair must be independent of the others: where a question was asked several times,
its answers are first made one verdict (such as: all of them right).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labeling.statistics.intervals import Estimate, binomial_p, proportion, wilson_interval

LEVEL = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedCounts:
    """How many probes hold under both policies, the new one only, the old one only, and neither."""

    both: int
    new_only: int
    old_only: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.new_only + self.old_only + self.neither


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Both shares with Wilson intervals, new minus old with Newcombe's, and McNemar's p."""

    old: Estimate
    new: Estimate
    difference: Estimate
    p: float

    @property
    def is_claimed(self) -> bool:
        """Whether a page may call it a change: McNemar's p below 5 %, and an interval of 95 % that excludes 0.

        Either alone is not enough. They differ near the border, where the careful one of the two decides.
        """
        return self.p < LEVEL and not self.difference.low <= 0 <= self.difference.high


def count_pairs(pairs: Iterable[tuple[bool, bool]]) -> PairedCounts:
    """Count pairs of (old, new)."""
    counts = {(old, new): 0 for old in (False, True) for new in (False, True)}
    for pair in pairs:
        counts[pair] += 1
    return PairedCounts(
        both=counts[True, True],
        new_only=counts[False, True],
        old_only=counts[True, False],
        neither=counts[False, False],
    )


def mcnemar_p(counts: PairedCounts) -> float:
    """Exact two-sided p: the discordant pairs are tosses of a fair coin (McNemar 1947; Fagerland et al. 2013, exact).

    1 where no pair is discordant: two policies that agree everywhere show no change. It is careful: with few
    discordant pairs it errs less often than its level, and misses more.
    """
    return binomial_p(counts.new_only, counts.new_only + counts.old_only)


def paired_difference(counts: PairedCounts, *, confidence: float = 0.95) -> Estimate:
    """Share under the new policy minus share under the old one, with Newcombe's interval.

    Method 10 of Newcombe 1998 (Statistics in Medicine 17, 2635-2650): Wilson intervals (l, u) of both shares p, squared
    and added, less 2 phi times their product, where phi is the correlation of the pairs, its numerator
    moved towards 0 by n/2 where it is positive. It lies in [-1, 1] by itself. Raises ValueError without pairs.
    """
    if counts.n == 0:
        raise ValueError("a difference of nothing has no value; give at least one pair")
    with_new, with_old = counts.both + counts.new_only, counts.both + counts.old_only
    new, old = with_new / counts.n, with_old / counts.n
    new_low, new_high = wilson_interval(with_new, counts.n, confidence=confidence)
    old_low, old_high = wilson_interval(with_old, counts.n, confidence=confidence)
    phi = _correlation(counts)
    below = _joined(new - new_low, old_high - old, phi)
    above = _joined(new_high - new, old - old_low, phi)
    # Clipped for rounding alone, which has given a bound of 1.0000000000000002.
    low, high = max(-1.0, new - old - below), min(1.0, new - old + above)
    return Estimate(value=new - old, low=low, high=high, n=counts.n)


def change(pairs: Sequence[tuple[bool, bool]]) -> Change:
    """What became of a share, from pairs of (old, new). Raises ValueError without pairs."""
    counts = count_pairs(pairs)
    return Change(
        old=proportion(counts.both + counts.old_only, counts.n),
        new=proportion(counts.both + counts.new_only, counts.n),
        difference=paired_difference(counts),
        p=mcnemar_p(counts),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p of several claims on one page (Holm 1979), in the order given: max over j <= i of (m - j) p_j.

    With it the chance of any false claim among all of them stays below the level.
    """
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def _joined(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def _correlation(counts: PairedCounts) -> float:
    rows = (counts.both + counts.new_only) * (counts.old_only + counts.neither)
    columns = (counts.both + counts.old_only) * (counts.new_only + counts.neither)
    if rows * columns == 0:
        return 0.0
    product = counts.both * counts.neither - counts.new_only * counts.old_only
    if product > 0:
        return max(0.0, product - counts.n / 2) / math.sqrt(rows * columns)
    return product / math.sqrt(rows * columns)
