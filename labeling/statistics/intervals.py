"""Uncertainty of a figure: Wilson intervals, exact binomial tests and cluster bootstraps.

Pure Python, so that a web server needs no numerical library. Knows nothing of rankings.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

Cluster = TypeVar("Cluster")


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure with its confidence interval and the number of observations `n` that it is computed from."""

    value: float
    low: float
    high: float
    n: int


def wilson_interval(successes: float, n: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927). Successes may be fractional, since a tie counts half; so may n,
    where it is an effective size.

    With n = 0 nothing is known, and the interval is (0, 1). Raises ValueError if successes are not in 0 … n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie between 0 and {n}, not {successes}")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # With 0 or n successes one bound equals the share exactly; min and max keep rounding from crossing it.
    return min(share, (centre - half) / scale), max(share, (centre + half) / scale)


def proportion(successes: float, n: int, *, confidence: float = 0.95) -> Estimate:
    """A share with its Wilson interval. Raises ValueError if n is 0."""
    if n == 0:
        raise ValueError("a share of nothing has no value; n must be at least 1")
    low, high = wilson_interval(successes, n, confidence=confidence)
    return Estimate(value=successes / n, low=low, high=high, n=n)


def binomial_p(successes: int, n: int) -> float:
    """Exact two-sided p-value of `successes` in n fair coin tosses: twice the smaller tail, at most 1.

    Raises ValueError if successes are not in 0 … n.
    """
    tail = min(successes, n - successes)
    if tail < 0:
        raise ValueError(f"successes must lie between 0 and {n}, not {successes}")
    log_half = n * math.log(0.5)
    terms = (math.exp(_log_choose(n, k) + log_half) for k in range(tail + 1))
    return min(1.0, 2 * math.fsum(terms))


def bootstrap(
    clusters: Sequence[Cluster],
    statistic: Callable[[Sequence[Cluster]], float | None],
    *,
    rounds: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Percentile bootstrap that draws whole clusters (all pairs of one prompt) with replacement.

    The pairs of one ranking are not independent; resampling pairs instead of prompts would make the interval
    too narrow. Draws for which `statistic` is None are left out. Raises ValueError if there are no clusters or
    if the statistic of the data itself is None.
    """
    value = statistic(clusters) if clusters else None
    if value is None:
        raise ValueError("nothing to resample: the statistic has no value on the data itself")
    generator = random.Random(seed)
    draws = [statistic(generator.choices(clusters, k=len(clusters))) for _ in range(rounds)]
    values = sorted(draw for draw in draws if draw is not None) or [value]
    tail = (1 - confidence) / 2
    return Estimate(value=value, low=quantile(values, tail), high=quantile(values, 1 - tail), n=len(clusters))


def ratio_of_sums(clusters: Sequence[tuple[float, float]]) -> float | None:
    """Statistic for `bootstrap` on clusters of (successes, trials); None if there are no trials."""
    trials = math.fsum(cluster[1] for cluster in clusters)
    return math.fsum(cluster[0] for cluster in clusters) / trials if trials else None


def quantile(ordered: Sequence[float], share: float) -> float:
    """The `share` quantile (0 to 1) of values in ascending order, interpolated linearly."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
