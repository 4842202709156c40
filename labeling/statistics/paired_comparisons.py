"""Win rates of policies, and the Elo scale. Strengths are fitted in `bradley_terry`. Knows no models and no rows."""

import math
from collections.abc import Mapping, Sequence

from labeling.statistics.intervals import Estimate, bootstrap, proportion, ratio_of_sums
from labeling.statistics.logistic_regression import sigmoid

ELO_PER_LOGIT = 400 / math.log(10)


def win_rate(*, wins: int, ties: int, losses: int) -> Estimate:
    """Share of comparisons won, a tie counting half, with its Wilson interval.

    Assumes one comparison per prompt. Several of one prompt are not independent: use `win_rate_by_prompt`.
    """
    return proportion(wins + ties / 2, wins + ties + losses)


def win_rate_by_prompt(
    outcomes: Mapping[str, Sequence[float]], *, rounds: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Estimate:
    """Share won over all comparisons, with a bootstrap interval over prompts. Outcomes are 1, 0.5 (tie) or 0.

    The estimate's `n` counts prompts. Raises ValueError if there are no outcomes.
    """
    clusters = [(math.fsum(won), float(len(won))) for _, won in sorted(outcomes.items())]
    return bootstrap(clusters, ratio_of_sums, rounds=rounds, seed=seed, confidence=confidence)


def elo(strength: float) -> float:
    """Convert a strength, or a difference of two, to the Elo scale, on which 400 points are odds of ten to one."""
    return strength * ELO_PER_LOGIT


def win_probability(elo_difference: float) -> float:
    """Expected share of wins at an Elo difference of `elo_difference` (own minus opponent's)."""
    return sigmoid(elo_difference / ELO_PER_LOGIT)
