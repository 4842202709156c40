"""Strengths of policies from paired comparisons, fitted to the table of wins instead of to single votes.

Bradley and Terry (1952) with a tie as half a win for each, or Davidson (1970) with ties as an outcome of their own,
both by Newton's method. Strengths are in logits; `paired_comparisons.elo` converts them. Knows no models and no rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from judging.linear_equations import Matrix, factorise, solve
from labeling.statistics.logistic_regression import sigmoid

Table = Sequence[Sequence[float]]  # [i][j]: how often i beat j
_MAX_STEPS = 100
_LONGEST_STEP = 3.0  # in logits: far from the maximum a full step of Newton's overshoots


@dataclass(frozen=True, kw_only=True, slots=True)
class TiedStrengths:
    """Strengths with mean 0, and the weight of ties: of two equals, tie_weight / (2 + tie_weight) comparisons are tied.

    P(i beats j) = p_i / D and P(tie) = tie_weight sqrt(p_i p_j) / D, with p = exp(strength) and
    D = p_i + p_j + tie_weight sqrt(p_i p_j) (Davidson 1970, equations 2.3 and 2.4).
    """

    strengths: dict[str, float]
    tie_weight: float


def bradley_terry(wins: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Maximum-likelihood strengths s with P(i beats j) = sigmoid(s_i - s_j), shifted to mean 0.

    `wins[i, j]` counts how often i beat j; a tie is half a win for each (Bradley & Terry 1952).
    Raises ValueError if the maximum is not finite: some policies never lost to the rest, or never met them.
    """
    names = sorted({name for pair in wins for name in pair})
    require_connected(names, wins)
    return dict(zip(names, fit_table(_table(names, wins)), strict=True))


def davidson(wins: Mapping[tuple[str, str], float], ties: Mapping[tuple[str, str], float]) -> TiedStrengths:
    """Maximum-likelihood strengths where ties are an outcome of their own; `ties` counts a pair in either order.

    Raises ValueError as `bradley_terry` does. Without any tie the weight is 0, and the strengths are those of
    Bradley and Terry.
    """
    if not any(ties.values()):
        return TiedStrengths(strengths=bradley_terry(wins), tie_weight=0.0)
    halves = dict(wins)
    for (first, second), num in ties.items():
        for pair in ((first, second), (second, first)):
            halves[pair] = halves.get(pair, 0.0) + num / 2
    names = sorted({name for pair in halves for name in pair})
    require_connected(names, halves)
    won, met = _table(names, halves), _table(names, ties)
    tied = [[met[i][j] + met[j][i] for j in range(len(names))] for i in range(len(names))]
    strengths, log_weight = _fit_davidson(won, tied)
    return TiedStrengths(strengths=dict(zip(names, strengths, strict=True)), tie_weight=math.exp(log_weight))


def fit_table(
    won: Table, *, start: Sequence[float] | None = None, ridge: float = 0.0, precision: float = 1e-10
) -> list[float]:
    """Strengths with mean 0 that maximise the likelihood of `won`, in its order, less ridge |s|^2 / 2.

    Without a ridge the maximum must be finite (`require_connected`); with one it always is. `start` is a guess, and
    `precision` the change of a strength, in logits, at which the fit has converged.
    """
    strengths = _centred(start or [0.0] * len(won))
    for _ in range(_MAX_STEPS):
        gradient, curvature = _bradley_terry_derivatives(won, strengths, ridge)
        change = _newton(gradient, curvature)
        strengths = _centred([value + step for value, step in zip(strengths, change, strict=True)])
        if max(map(abs, change), default=0.0) < precision:
            break
    return strengths


def require_connected(names: Sequence[str], wins: Mapping[tuple[str, str], float]) -> None:
    """Raise ValueError unless every name is reachable from the first along wins, and along losses (Ford 1957)."""
    for direction in (0, 1):
        neighbours: dict[str, list[str]] = {}
        for pair, count in wins.items():
            if count:
                neighbours.setdefault(pair[direction], []).append(pair[1 - direction])
        reached, frontier = {names[0]}, [names[0]]
        while frontier:
            new = set(neighbours.get(frontier.pop(), ())) - reached
            reached |= new
            frontier += new
        if missing := sorted(set(names) - reached):
            verb = "never beaten" if direction else "never been beaten by"
            raise ValueError(f"{missing[0]} has {verb} {names[0]}, directly or through others: no finite strength fits")


def _bradley_terry_derivatives(won: Table, strengths: Sequence[float], ridge: float) -> tuple[list[float], Matrix]:
    """The gradient and the negative of the Hessian's lower triangle."""
    size = len(won)
    gradient = [-ridge * value for value in strengths]
    curvature = [[0.0] * index + [ridge] for index in range(size)]
    for i in range(size):
        row = curvature[i]
        for j in range(i):
            met = won[i][j] + won[j][i]
            if met:
                p = sigmoid(strengths[i] - strengths[j])
                surplus, information = won[i][j] - met * p, met * p * (1 - p)
                gradient[i] += surplus
                gradient[j] -= surplus
                row[i] += information
                curvature[j][j] += information
                row[j] = -information
    return gradient, curvature


def _newton(gradient: Sequence[float], curvature: Matrix) -> list[float]:
    """Newton's step with the last strength held, since only differences matter; shortened where it is long."""
    change = [*solve(factorise(curvature[:-1]), gradient[:-1]), 0.0]
    longest = max(map(abs, change))
    return [step * _LONGEST_STEP / longest for step in change] if longest > _LONGEST_STEP else change


def _fit_davidson(won: Table, tied: Table) -> tuple[list[float], float]:
    """The strengths, and the logarithm of the weight of ties. `won` holds half a win for each side of a tie."""
    size = len(won)
    values = [0.0] * (size - 1) + [0.0]  # the strengths but the last, which is held at 0; the logarithm of the weight
    for _ in range(_MAX_STEPS):
        gradient, curvature = _davidson_derivatives(won, tied, [*values[:-1], 0.0], values[-1])
        change = solve(factorise(curvature), gradient)
        longest = max(map(abs, change))
        scale = min(1.0, _LONGEST_STEP / longest) if longest else 1.0
        values = [value + scale * step for value, step in zip(values, change, strict=True)]
        if longest < 1e-10:
            break
    return _centred([*values[:-1], 0.0]), values[-1]


def _davidson_derivatives(
    won: Table, tied: Table, strengths: Sequence[float], log_weight: float
) -> tuple[list[float], Matrix]:
    """Gradient and negative Hessian in the strengths but the last, then in the logarithm of the weight of ties.

    A comparison is a draw of three outcomes with x = 1, 1/2, 0 wins of i and t = 0, 1, 0 ties: an exponential family,
    so that the gradient is what was observed less what is expected, and the information the covariance of (x, t).
    """
    size = len(won)
    gradient = [0.0] * (size + 1)  # with the last strength, dropped at the end; the weight comes last
    curvature = [[0.0] * (size + 1) for _ in range(size + 1)]
    for i in range(size):
        for j in range(i):
            met = won[i][j] + won[j][i]
            if not met:
                continue
            half = math.exp(-abs(strengths[i] - strengths[j]) / 2)  # of the weaker against the stronger, as a root
            total = 1 + half * half + math.exp(log_weight) * half
            tie = math.exp(log_weight) * half / total
            win = (1.0 if strengths[i] >= strengths[j] else half * half) / total
            expected = win + tie / 2
            surplus = won[i][j] - met * expected
            spread = met * (win + tie / 4 - expected**2)
            with_tie = met * (tie / 2 - expected * tie)
            gradient[i] += surplus
            gradient[j] -= surplus
            gradient[size] += tied[i][j] - met * tie
            curvature[i][i] += spread
            curvature[j][j] += spread
            curvature[i][j] -= spread
            curvature[size][i] += with_tie
            curvature[size][j] -= with_tie
            curvature[size][size] += met * tie * (1 - tie)
    kept = [index for index in range(size + 1) if index != size - 1]
    return [gradient[index] for index in kept], [[curvature[a][b] for b in kept] for a in kept]


def _table(names: Sequence[str], counts: Mapping[tuple[str, str], float]) -> list[list[float]]:
    return [[counts.get((first, second), 0.0) for second in names] for first in names]


def _centred(strengths: Sequence[float]) -> list[float]:
    mean = math.fsum(strengths) / len(strengths) if strengths else 0.0
    return [value - mean for value in strengths]
