"""Whether what a filter sees or does has changed: counts of a week against those before, and histograms.

Pure functions on plain values.
"""

import math
from collections.abc import Sequence

MOVED = 0.2  # a stability index from which a histogram counts as another (Siddiqi 2006)
_EMPTY = 0.5  # what an empty bin counts, or its logarithm would have no value


def poisson_interval(mean: float, *, confidence: float = 0.99) -> tuple[int, int]:
    """The counts between which a Poisson variable of this mean lies with at least `confidence`, ends included.

    The smallest k with P(X ≤ k) ≥ α/2, and the smallest with P(X ≤ k) ≥ 1 − α/2. Raises ValueError for a negative mean.
    """
    if mean < 0 or not math.isfinite(mean):
        raise ValueError(f"a mean must be a number from 0 on, not {mean}")
    tail = (1 - confidence) / 2
    low, k, below = None, 0, 0.0
    while True:
        below += math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) if mean else 1.0
        if low is None and below >= tail:
            low = k
        if below >= 1 - tail or k > mean + 40 * math.sqrt(mean + 1):
            return low or 0, k
        k += 1


def stands_out(count: int, trials: int, *, before: Sequence[tuple[int, int]], confidence: float = 0.99) -> bool | None:
    """Whether a week's count of verdicts lies outside the Poisson interval that the weeks before expect of it.

    `before` are (count, trials) of earlier weeks. None where they, or this week, have no trial.
    """
    expected_of = sum(num for _, num in before)
    if not trials or not expected_of:
        return None
    low, high = poisson_interval(trials * sum(num for num, _ in before) / expected_of, confidence=confidence)
    return not low <= count <= high


def stability_index(before: Sequence[int], now: Sequence[int]) -> float | None:
    """Population stability index Σ (q − p) ln (q / p) over the bins of two histograms (Siddiqi 2006, chapter 8).

    It is the sum of both Kullback-Leibler divergences (Jeffreys 1946). A bin that is empty in one of them counts a
    half, and one that is empty in both nothing. Where nothing changed it is (bins − 1) (1 / n + 1 / m) on average
    (Yurdakul and Naranjo 2020), so small histograms must not be asked. None where a histogram is empty. Raises
    ValueError where they have different bins.
    """
    if len(before) != len(now):
        raise ValueError(f"histograms must have the same bins, not {len(before)} and {len(now)}")
    if not sum(before) or not sum(now):
        return None
    used = [(old, new) for old, new in zip(before, now, strict=True) if old or new]
    old, new = (_shares(histogram) for histogram in zip(*used, strict=True))
    return math.fsum((q - p) * math.log(q / p) for p, q in zip(old, new, strict=True))


def _shares(histogram: Sequence[int]) -> list[float]:
    counts = [float(num) or _EMPTY for num in histogram]
    return [num / math.fsum(counts) for num in counts]
