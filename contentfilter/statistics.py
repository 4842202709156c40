"""How well probabilities tell apart and how honest they are: average precision, calibration error, with intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
ROUNDS = 1000  # of the bootstrap


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval and the number of texts behind it; `value` is None where there is none."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def average_precision(probabilities: Numbers, labels: Numbers) -> float | None:
    """The area under the precision-recall curve: Σ (R_k − R_{k−1}) P_k over distinct thresholds, highest first.

    Texts of the same probability are taken together, as scikit-learn's average_precision_score does. None without a
    positive.
    """
    num_positive = labels.sum()
    if not num_positive:
        return None
    order = np.argsort(-probabilities, kind="stable")
    ordered, truths = probabilities[order], labels[order]
    last_of_ties = np.append(ordered[1:] != ordered[:-1], True)
    caught = np.cumsum(truths)[last_of_ties]
    taken = np.arange(1, len(truths) + 1)[last_of_ties]
    gained = np.diff(caught, prepend=0.0) / num_positive
    return float((gained * caught / taken).sum())


def calibration_error(probabilities: Numbers, labels: Numbers, *, bins: int = 10) -> float | None:
    """Expected calibration error (Naeini et al. 2015): |mean probability − share of positives| of bins of equal width,
    weighted by how many texts are in each. None without texts."""
    if not len(labels):
        return None
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    counts = np.bincount(places, minlength=bins)
    gaps = np.abs(np.bincount(places, probabilities, minlength=bins) - np.bincount(places, labels, minlength=bins))
    return float(gaps.sum() / counts.sum())


def resampled(num: int, statistic: Callable[[NDArray[np.int64]], float | None], *, seed: int) -> Estimate:
    """A percentile bootstrap over texts: `statistic` of the indices that were drawn. Draws without a value are left
    out; where every draw gives the same, there is no interval to be had from drawing, and the ends are None."""
    value = statistic(np.arange(num))
    if value is None:
        return Estimate(None, None, None, num)
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = [statistic(generator.integers(0, num, num)) for _ in range(ROUNDS)]
    values = [one for one in drawn if one is not None]
    if min(values) == max(values):
        return Estimate(value, None, None, num)
    low, high = np.quantile(values, (0.025, 0.975))
    return Estimate(value, float(low), float(high), num)


def share(successes: int, n: int) -> Estimate:
    """A share with its Wilson interval (Wilson 1927)."""
    if n == 0:
        return Estimate(None, None, None, 0)
    z, rate = 1.959964, successes / n
    centre, scale = rate + z * z / (2 * n), 1 + z * z / n
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Estimate(rate, max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale), n)


def best_f1(probabilities: Sequence[float], labels: Sequence[float]) -> float:
    """The threshold at which F1 is highest; 1.0 without a positive."""
    ordered = sorted(zip(probabilities, labels, strict=True), key=lambda pair: -pair[0])
    total, caught, best, threshold = sum(labels), 0.0, 0.0, 1.0
    for taken, (probability, label) in enumerate(ordered, 1):
        caught += label
        f1 = 2 * caught / (taken + total) if total else 0.0
        if f1 > best:
            best, threshold = f1, probability
    return threshold
