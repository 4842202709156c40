"""Has a rate changed at some moment? A test on successes and trials in the order of time, without a guess at when.

Pure functions on plain values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 30  # clusters; with fewer, the limit law below is not to be trusted
_FEWEST_ON_A_SIDE = 5  # clusters before and after a change, so that both rates mean something
_MOST_TERMS = 100  # of the series, which converges after a few


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangePoint:
    """The likeliest moment of a change: clusters from `index` on are after it. `p` is that of no change at all."""

    index: int
    before: float
    after: float
    p: float


def change_point(clusters: Sequence[tuple[float, float]]) -> ChangePoint | None:
    """Test (successes, trials), oldest first, for one change of the rate; None below 30 clusters or without spread.

    The CUSUM of residuals (Ploberger and Krämer 1992): with r_i = s_i - rate · n_i, whose sum is 0, and
    sigma² = Σ r_i² / m, the largest |r_1 + … + r_k| / (sigma √m) has, without a change, the law of the supremum of a
    Brownian bridge: p = 2 Σ_j (-1)^(j+1) exp(-2 j² x²). It is one test over all moments: p needs no correction for
    having looked at each. It assumes that clusters are independent.
    """
    known = [cluster for cluster in clusters if cluster[1]]
    if len(known) < FEWEST:
        return None
    overall = _rate(known)
    residuals = [successes - overall * trials for successes, trials in known]
    spread = math.sqrt(math.fsum(residual**2 for residual in residuals))
    if spread == 0:
        return None
    furthest, index, reached = 0.0, _FEWEST_ON_A_SIDE, 0.0
    for place, residual in enumerate(residuals, 1):
        reached += residual
        if abs(reached) > furthest and _FEWEST_ON_A_SIDE <= place <= len(known) - _FEWEST_ON_A_SIDE:
            furthest, index = abs(reached), place
    p = brownian_bridge_tail(furthest / spread)
    return ChangePoint(index=index, before=_rate(known[:index]), after=_rate(known[index:]), p=p)


def brownian_bridge_tail(x: float) -> float:
    """P(sup |B°(t)| > x) of a Brownian bridge (Kolmogorov 1933): 0.05 at x = 1.3581."""
    if x < 0.3:  # the series alternates without end there, and the probability is 1 to five digits
        return 1.0
    terms = ((-1) ** (j + 1) * math.exp(-2 * j * j * x * x) for j in range(1, _MOST_TERMS + 1))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def _rate(clusters: Sequence[tuple[float, float]]) -> float:
    return math.fsum(successes for successes, _ in clusters) / math.fsum(trials for _, trials in clusters)
