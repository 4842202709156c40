"""Counts of a detector that errs, corrected by how it errs on what people labelled.

Pure functions on plain values. A detector's errors differ from policy to policy (a list of phrases knows one model's
refusals and not another's), so they must be measured on the policy whose counts are corrected.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from labeling.statistics.intervals import Estimate, wilson_interval
from labeling.statistics.sampling_weights import effective_size


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorErrors:
    """Sensitivity and specificity, each with the number of labelled answers that it comes from.

    Where labels are weighted, that is their effective number.
    """

    sensitivity: float
    num_positive: float
    specificity: float
    num_negative: float

    @property
    def sensitivity_interval(self) -> tuple[float, float]:
        return wilson_interval(self.sensitivity * self.num_positive, self.num_positive)

    @property
    def specificity_interval(self) -> tuple[float, float]:
        return wilson_interval(self.specificity * self.num_negative, self.num_negative)

    @property
    def youden(self) -> float:
        """Sensitivity + specificity - 1 (Youden 1950): 0 for a detector that only guesses."""
        return self.sensitivity + self.specificity - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrectedShare:
    """A share corrected for the detector's errors, and what the detector alone would have said.

    `is_clipped`: the value or a bound lay outside of [0, 1] and was moved to its border; pages say so.
    """

    estimate: Estimate
    detected: float
    is_clipped: bool


def detector_errors(
    labelled: Iterable[tuple[bool, bool]], weights: Sequence[float] | None = None
) -> DetectorErrors | None:
    """How a detector errs, from pairs (detected, true), each standing for its weight: 1 / its chance to be drawn.

    None where no answer is true or none is false: one of the two kinds of error is then unknown.
    """
    rows = list(labelled)
    weighted = list(zip(rows, weights or [1.0] * len(rows), strict=True))
    positive = [(detected, weight) for (detected, true), weight in weighted if true]
    negative = [(not detected, weight) for (detected, true), weight in weighted if not true]
    if not positive or not negative:
        return None
    sensitivity, num_positive = _share(positive)
    specificity, num_negative = _share(negative)
    return DetectorErrors(
        sensitivity=sensitivity, num_positive=num_positive, specificity=specificity, num_negative=num_negative
    )


def corrected_share(
    detected: int, n: int, errors: DetectorErrors, *, confidence: float = 0.95
) -> CorrectedShare | None:
    """The share that is true among n answers of which `detected` were detected.

    (q + Sp - 1) / (Se + Sp - 1) with q = detected / n (Rogan and Gladen 1978, American Journal of Epidemiology 107,
    71-76). The interval is Lang and Reiczigel's (2014, Preventive Veterinary Medicine 113, 13-22, eq. 4, 6, 7, 16, 17),
    which counts the uncertainty of Se and Sp as well as that of q; with few labels it is wide, and that is the truth.
    None where the detector is no better than a guess (Se + Sp <= 1): then its counts say nothing.
    Raises ValueError unless 0 <= detected <= n and n > 0.
    """
    if not 0 <= detected <= n or n == 0:
        raise ValueError(f"detected must lie between 0 and n, and n be at least 1, not {detected} of {n}")
    if errors.youden <= 0:
        return None
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = detected / n
    value = (share + errors.specificity - 1) / errors.youden
    # Everything below is shrunk: one answer more of each kind in Se and Sp, z²/2 in q (Agresti and Coull 1998).
    num_positive, num_negative, num = errors.num_positive + 2, errors.num_negative + 2, n + z * z
    sensitivity = (errors.num_positive * errors.sensitivity + 1) / num_positive
    specificity = (errors.num_negative * errors.specificity + 1) / num_negative
    share = (detected + z * z / 2) / num
    youden = sensitivity + specificity - 1
    if youden <= 0:
        return None
    centre = (share + specificity - 1) / youden
    of_sensitivity = sensitivity * (1 - sensitivity) / num_positive
    of_specificity = specificity * (1 - specificity) / num_negative
    shift = 2 * z * z * (centre * of_sensitivity - (1 - centre) * of_specificity)
    variance = share * (1 - share) / num + centre**2 * of_sensitivity + (1 - centre) ** 2 * of_specificity
    half = z * math.sqrt(variance) / youden
    bounds = (value, centre + shift - half, centre + shift + half)
    clipped = [min(1.0, max(0.0, bound)) for bound in bounds]
    # The centre is shrunk and the value is not: at the border the value may lie beyond a bound, which then gives way.
    low, high = min(clipped[0], clipped[1]), max(clipped[0], clipped[2])
    return CorrectedShare(
        estimate=Estimate(value=clipped[0], low=low, high=high, n=n),
        detected=detected / n,
        is_clipped=any(before != after for before, after in zip(bounds, clipped, strict=True)),
    )


def _share(rows: Sequence[tuple[bool, float]]) -> tuple[float, float]:
    weights = [weight for _, weight in rows]
    right = math.fsum(weight for hit, weight in rows if hit)
    return right / math.fsum(weights), effective_size(weights)
