"""Length bias: how much length alone explains rankings, scores of a reward model, and win rates.

Lengths are in characters or in tokens, as the caller chooses; the page must name the unit beside the figure.
A win rate should be shown raw and length-controlled, with the mean lengths.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from labeling.statistics.intervals import Estimate, proportion
from labeling.statistics.logistic_regression import fit_logistic, sigmoid

CLEARLY = 30  # characters: AlpacaEval's bound, at which people prefer the longer in 0.64 of pairs


def preference_for_longer(pairs: Iterable[tuple[int, int]], *, min_difference: int = CLEARLY) -> Estimate | None:
    """P(prefer longer) over pairs (chosen length, rejected length) that differ by more than `min_difference`.

    None if no pair differs by that much.
    """
    differences = [chosen - rejected for chosen, rejected in pairs if abs(chosen - rejected) > min_difference]
    return proportion(sum(d > 0 for d in differences), len(differences)) if differences else None


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Pearson correlation, such as of length with score; None if there are no values or one side is constant."""
    if not first:
        return None
    mean_first, mean_second = fmean(first), fmean(second)
    covariance = math.fsum((a - mean_first) * (b - mean_second) for a, b in zip(first, second, strict=True))
    spread = math.sqrt(
        math.fsum((a - mean_first) ** 2 for a in first) * math.fsum((b - mean_second) ** 2 for b in second)
    )
    return covariance / spread if spread else None


@dataclass(frozen=True, kw_only=True, slots=True)
class LengthControl:
    """logit P(model beats baseline) = advantage + length_weight * tanh(difference / scale).

    The minimal form of AlpacaEval's length-controlled win rate; difference = baseline's length - model's length.
    """

    advantage: float
    length_weight: float
    scale: float

    def win_probability(self, difference: float) -> float:
        """P(model beats baseline) for a pair whose lengths differ by `difference` (baseline minus model)."""
        return sigmoid(self.advantage + self.length_weight * math.tanh(difference / self.scale))

    @property
    def win_rate(self) -> float:
        """The win rate at equal lengths."""
        return sigmoid(self.advantage)


def control_length(outcomes: Sequence[float], differences: Sequence[float], *, ridge: float = 0.1) -> LengthControl:
    """Fit `LengthControl` to outcomes (1: the model won, 0.5: tie, 0: it lost) and lengths of baseline minus model.

    `scale` is the standard deviation of the differences. Swapping model and baseline gives 1 minus the win rate.
    The ridge is a weak prior on both weights: it keeps them finite where the model won or lost every pair.
    Raises ValueError if there are no outcomes.
    """
    scale = pstdev(differences) or 1.0 if differences else 1.0
    rows = [(1.0, math.tanh(difference / scale)) for difference in differences]
    advantage, length_weight = fit_logistic(rows, outcomes, ridge=ridge).coefficients
    return LengthControl(advantage=advantage, length_weight=length_weight, scale=scale)
