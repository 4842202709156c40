"""Shares of a whole, from a sample whose members were drawn with known and unequal probabilities.

Pure functions on plain values. A member that was drawn with probability π stands for 1/π members of the whole.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labeling.statistics.intervals import Estimate, wilson_interval

BINS = 10  # of calibration


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A text that people judged in one category: what the filter gave it, the truth, and for how many it stands."""

    probability: float
    is_true: bool
    weight: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Operating:
    """A point of a curve: what precision and recall are when the filter acts from `threshold` on."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Texts of similar probability: the weighted mean of what the filter said, and the share that is true."""

    said: float
    true: Estimate


def inclusion(*shares: float) -> float:
    """The probability of being drawn by at least one of independent lots: 1 − Π (1 − π).

    Raises ValueError unless each share is in 0 … 1.
    """
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"shares must lie between 0 and 1, not {shares}")
    return 1 - math.prod(1 - share for share in shares)


def weighted_share(hits: Iterable[bool], weights: Iterable[float]) -> Estimate | None:
    """Hájek's estimate Σ w y / Σ w of a share (Hájek 1971; Särndal, Swensson and Wretman 1992, eq. 5.7.4).

    The interval is Wilson's at the effective sample size (Σ w)² / Σ w² (Kish 1965; Korn and Graubard 1998). None where
    there is nothing.
    """
    rows = list(zip(hits, weights, strict=True))
    total = math.fsum(weight for _, weight in rows)
    if total <= 0:
        return None
    share = math.fsum(weight for hit, weight in rows if hit) / total
    effective = effective_size([weight for _, weight in rows])
    low, high = wilson_interval(min(share, 1.0) * effective, effective)
    return Estimate(value=share, low=low, high=high, n=len(rows))


def effective_size(weights: Sequence[float]) -> float:
    """How many equally weighted members would say as much: (Σ w)² / Σ w² (Kish 1965, section 8.2)."""
    squares = math.fsum(weight * weight for weight in weights)
    return math.fsum(weights) ** 2 / squares if squares else 0.0


def precision(rows: Sequence[Judged], threshold: float) -> Estimate | None:
    """Of what the filter acts on from the threshold on, the share that is true."""
    acted = [row for row in rows if row.probability >= threshold]
    return weighted_share((row.is_true for row in acted), (row.weight for row in acted))


def recall(rows: Sequence[Judged], threshold: float) -> Estimate | None:
    """Of what is true, the share that the filter acts on from the threshold on."""
    true = [row for row in rows if row.is_true]
    return weighted_share((row.probability >= threshold for row in true), (row.weight for row in true))


def precision_recall_curve(rows: Sequence[Judged]) -> list[Operating]:
    """A point for each probability that occurs, the highest first. Empty where nothing is true."""
    total_true = math.fsum(row.weight for row in rows if row.is_true)
    if not total_true:
        return []
    curve: list[Operating] = []
    acted = caught = 0.0
    ordered = sorted(rows, key=lambda row: -row.probability)
    for place, row in enumerate(ordered):
        acted += row.weight
        caught += row.weight if row.is_true else 0.0
        if place + 1 == len(ordered) or ordered[place + 1].probability != row.probability:
            point = Operating(threshold=row.probability, precision=caught / acted, recall=caught / total_true)
            curve.append(point)
    return curve


def average_precision(curve: Sequence[Operating]) -> float | None:
    """Σ (recall_k − recall_(k−1)) precision_k, without interpolation (Davis and Goadrich 2006 on why not)."""
    if not curve:
        return None
    before = [0.0, *(point.recall for point in curve)]
    return math.fsum((point.recall - earlier) * point.precision for point, earlier in zip(curve, before, strict=False))


def calibration(rows: Sequence[Judged], *, num_bins: int = BINS) -> list[Bin]:
    """The texts in bins of equal width by their probability; bins without a text are left out."""
    binned: dict[int, list[Judged]] = {}
    for row in rows:
        binned.setdefault(min(int(row.probability * num_bins), num_bins - 1), []).append(row)
    found = []
    for _, members in sorted(binned.items()):
        true = weighted_share((row.is_true for row in members), (row.weight for row in members))
        weight = math.fsum(row.weight for row in members)
        if true is not None:
            said = math.fsum(row.weight * row.probability for row in members) / weight
            found.append(Bin(said=said, true=true))
    return found


def calibration_error(rows: Sequence[Judged], *, num_bins: int = BINS) -> float | None:
    """Expected calibration error: Σ (weight of a bin / all) |said − true| (Guo et al. 2017, eq. 5)."""
    total = math.fsum(row.weight for row in rows)
    if not total:
        return None
    gaps: dict[int, float] = {}
    for row in rows:
        place = min(int(row.probability * num_bins), num_bins - 1)
        gaps[place] = gaps.get(place, 0.0) + row.weight * (row.probability - row.is_true)
    return math.fsum(abs(gap) for gap in gaps.values()) / total
