"""Logistic regression by Newton's method in plain Python, for figures with few coefficients.

Fits the strengths of policies and the weight of length in a preference; knows neither.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from judging.linear_equations import Matrix, factorise, inverse_diagonal, solve


@dataclass(frozen=True, kw_only=True, slots=True)
class LogisticFit:
    """The coefficients and their standard errors, both in the order of the covariates."""

    coefficients: tuple[float, ...]
    standard_errors: tuple[float, ...]


def fit_logistic(
    rows: Sequence[Sequence[float]],
    outcomes: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    ridge: float = 1e-9,
    max_steps: int = 100,
) -> LogisticFit:
    """Maximise sum of w [y log p + (1 - y) log(1 - p)] - ridge |c|^2 / 2 with p = sigmoid(row . c).

    Outcomes lie in [0, 1]; a tie is 0.5. No intercept is added: give a covariate of ones for it. The small ridge
    keeps the coefficients finite if the data are separable; a larger one shrinks them towards 0.
    Raises ValueError if there are no rows, or if a covariate is a linear combination of the others.
    """
    if not rows:
        raise ValueError("no observations to fit")
    weights = weights or [1.0] * len(rows)
    coefficients = [0.0] * len(rows[0])
    for _ in range(max_steps):
        gradient, curvature = _derivatives(rows, outcomes, weights, coefficients, ridge)
        change = solve(factorise(curvature), gradient)
        largest = max(map(abs, change))
        damping = min(1.0, 5.0 / largest) if largest else 1.0  # far from the optimum a full Newton step overshoots
        coefficients = [value + damping * step for value, step in zip(coefficients, change, strict=True)]
        if largest < 1e-10:
            break
    _, curvature = _derivatives(rows, outcomes, weights, coefficients, ridge)
    errors = tuple(map(math.sqrt, inverse_diagonal(factorise(curvature))))
    return LogisticFit(coefficients=tuple(coefficients), standard_errors=errors)


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), without overflow for large |x|."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _derivatives(
    rows: Sequence[Sequence[float]],
    outcomes: Sequence[float],
    weights: Sequence[float],
    coefficients: Sequence[float],
    ridge: float,
) -> tuple[list[float], Matrix]:
    """The gradient of the objective and the negative of its Hessian."""
    size = len(coefficients)
    gradient = [-ridge * value for value in coefficients]
    curvature = [[ridge if i == j else 0.0 for j in range(size)] for i in range(size)]
    for row, outcome, weight in zip(rows, outcomes, weights, strict=True):
        present = [(place, x) for place, x in enumerate(row) if x]  # rows of paired comparisons are mostly zeros
        p = sigmoid(math.fsum(x * coefficients[place] for place, x in present))
        surplus, information = weight * (outcome - p), weight * p * (1 - p)
        for i, x in present:
            gradient[i] += surplus * x
            for j, y in present:
                curvature[i][j] += information * x * y
    return gradient, curvature
