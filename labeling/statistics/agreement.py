"""Agreement between trainers on pairs of completions, and the position bias of rankings.

A ranking is given as tiers, best first; the ids within a tier are tied. Pure functions on plain values, with
the formulas of Stiennon et al. 2020 (appendix C.2).
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from labeling.statistics.intervals import Estimate, binomial_p, proportion

Tiers = Sequence[Sequence[str]]
TiePolicy = Literal["exclude", "half"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PairCounts:
    """Counts of the pairs that occur in both of two rankings.

    `alike` and `opposite` are the concordant and the discordant pairs; a `tied_by_…` pair is tied by the first
    ranking only, by the second only, or by both.
    """

    alike: int = 0
    opposite: int = 0
    tied_by_first: int = 0
    tied_by_second: int = 0
    tied_by_both: int = 0

    def __add__(self, other: "PairCounts") -> "PairCounts":
        return PairCounts(
            alike=self.alike + other.alike,
            opposite=self.opposite + other.opposite,
            tied_by_first=self.tied_by_first + other.tied_by_first,
            tied_by_second=self.tied_by_second + other.tied_by_second,
            tied_by_both=self.tied_by_both + other.tied_by_both,
        )

    @property
    def same(self) -> int:
        """Pairs that both rankings order alike or both tie."""
        return self.alike + self.tied_by_both

    def trials(self, ties: TiePolicy = "exclude") -> int:
        """The number of pairs that count: "exclude" leaves out pairs tied by either ranking, "half" counts all."""
        ordered = self.alike + self.opposite
        return ordered if ties == "exclude" else ordered + self.tied_by_first + self.tied_by_second + self.tied_by_both

    def agreed(self, ties: TiePolicy = "exclude") -> float:
        """The pairs in agreement. Under "half", a pair tied by both counts as 1 and a pair tied by one as 1/2."""
        if ties == "exclude":
            return self.alike
        return self.alike + self.tied_by_both + (self.tied_by_first + self.tied_by_second) / 2

    def rate(self, ties: TiePolicy = "exclude") -> Estimate | None:
        """Pairwise agreement with its Wilson interval; None if no pair counts. Papers report it with ties excluded."""
        trials = self.trials(ties)
        return proportion(self.agreed(ties), trials) if trials else None

    @property
    def distance(self) -> float | None:
        """How far the two rankings differ, 0 to 1; None without a pair.

        K^(p) with p = 1/2 of Fagin et al. 2006 ("Comparing partial rankings", section 3.1), over all pairs: a pair in
        opposite orders counts 1, one that only one of them ties 1/2. It is 1 - rate("half").
        """
        trials = self.trials("half")
        return 1 - self.agreed("half") / trials if trials else None

    def chance(self, ties: TiePolicy = "exclude") -> float:
        """The expected rate of two trainers who rank at random and tie as often as these two did."""
        total = self.trials("half")
        if ties == "exclude" or total == 0:
            return 0.5
        first = (self.tied_by_first + self.tied_by_both) / total
        second = (self.tied_by_second + self.tied_by_both) / total
        return first * second + (1 - first * second) / 2

    def kappa(self, ties: TiePolicy = "exclude") -> float | None:
        """(rate - chance) / (1 - chance): 0 is chance, 1 full agreement (Cohen 1960). None if it is undefined."""
        rate, chance = self.rate(ties), self.chance(ties)
        return None if rate is None or chance == 1 else (rate.value - chance) / (1 - chance)


def compare_rankings(first: Tiers, second: Tiers) -> PairCounts:
    """Count the pairs of completions that occur in both rankings. Ids that only one of them has are ignored."""
    places, others = places_of(first), places_of(second)
    counts: Counter[str] = Counter()
    for a, b in combinations(sorted(places.keys() & others.keys()), 2):
        counts[_relation(_sign(places[a] - places[b]), _sign(others[a] - others[b]))] += 1
    return PairCounts(**counts)


def ordered_pairs(tiers: Tiers) -> Iterator[tuple[str, str]]:
    """Yield (better, worse) for every two ids in different tiers."""
    for upper, lower in combinations(tiers, 2):
        for better in upper:
            for worse in lower:
                yield better, worse


def tied_pairs(tiers: Tiers) -> Iterator[tuple[str, str]]:
    """Yield every two ids of the same tier."""
    for tier in tiers:
        yield from combinations(tier, 2)


def places_of(tiers: Tiers) -> dict[str, int]:
    """The index of each id's tier; 0 is best. Tiers may be empty."""
    return {identifier: index for index, tier in enumerate(tiers) for identifier in tier}


def shown_earlier_wins(tiers: Tiers, shown_order: Sequence[str]) -> tuple[int, int]:
    """(pairs in which the completion shown earlier is the better one, all ordered pairs) of one ranking."""
    shown = {identifier: index for index, identifier in enumerate(shown_order)}
    outcomes = [shown[better] < shown[worse] for better, worse in ordered_pairs(tiers)]
    return sum(outcomes), len(outcomes)


@dataclass(frozen=True, kw_only=True, slots=True)
class PositionBias:
    """The share of pairs won by the completion shown earlier, with a test of the null hypothesis of no bias."""

    share: Estimate
    z: float
    p: float


def position_bias(earlier_won: int, n: int) -> PositionBias:
    """Test P(the completion shown earlier wins) = 1/2: normal z and exact two-sided binomial p.

    Raises ValueError if n is 0.
    """
    share = proportion(earlier_won, n)
    return PositionBias(share=share, z=(earlier_won - n / 2) / math.sqrt(n / 4), p=binomial_p(earlier_won, n))


def _relation(left: int, right: int) -> str:
    if left == 0 or right == 0:
        return "tied_by_both" if left == right else "tied_by_first" if left == 0 else "tied_by_second"
    return "alike" if left == right else "opposite"


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
