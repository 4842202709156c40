"""Strengths of policies from paired comparisons: win rates, Bradley-Terry, Elo. Knows no models and no rows."""

import math
from collections.abc import Mapping, Sequence

from labeling.statistics.intervals import Estimate, bootstrap, proportion, ratio_of_sums
from labeling.statistics.logistic_regression import fit_logistic, sigmoid

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


def bradley_terry(wins: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Maximum-likelihood strengths s with P(i beats j) = sigmoid(s_i - s_j), shifted to mean 0.

    `wins[i, j]` counts how often i beat j; a tie is half a win for each (Bradley & Terry 1952).
    Raises ValueError if the maximum is not finite: some policies never lost to the rest, or never met them.
    """
    names = sorted({name for pair in wins for name in pair})
    _require_connected(names, wins)
    rows, outcomes, weights = [], [], []
    for i, first in enumerate(names):
        for j in range(i + 1, len(names)):
            won, lost = wins.get((first, names[j]), 0.0), wins.get((names[j], first), 0.0)
            if won + lost:
                rows.append([float(k == i) - float(k == j) for k in range(1, len(names))])
                outcomes.append(won / (won + lost))
                weights.append(won + lost)
    strengths = (0.0, *fit_logistic(rows, outcomes, weights=weights, ridge=0.0).coefficients)
    mean = math.fsum(strengths) / len(strengths)
    return {name: strength - mean for name, strength in zip(names, strengths, strict=True)}


def elo(strength: float) -> float:
    """Convert a strength, or a difference of two, to the Elo scale, on which 400 points are odds of ten to one."""
    return strength * ELO_PER_LOGIT


def win_probability(elo_difference: float) -> float:
    """Expected share of wins at an Elo difference of `elo_difference` (own minus opponent's)."""
    return sigmoid(elo_difference / ELO_PER_LOGIT)


def _require_connected(names: Sequence[str], wins: Mapping[tuple[str, str], float]) -> None:
    """Raise ValueError unless every name is reachable from the first along wins, and along losses (Ford 1957)."""
    for direction in (0, 1):
        reached, frontier = {names[0]}, [names[0]]
        while frontier:
            name = frontier.pop()
            for pair, count in wins.items():
                if count and pair[direction] == name and pair[1 - direction] not in reached:
                    reached.add(pair[1 - direction])
                    frontier.append(pair[1 - direction])
        if missing := sorted(set(names) - reached):
            verb = "never beaten" if direction else "never been beaten by"
            raise ValueError(f"{missing[0]} has {verb} {names[0]}, directly or through others: no finite strength fits")
