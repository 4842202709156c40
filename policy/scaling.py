"""How a gold score grows and falls with the distance d = √KL(π ‖ π₀) from the start: the forms of Gao et al. 2022.

Scores are counted from what they were at the start. Pure functions; distances in √nats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Literal

import torch

Method = Literal["best_of_n", "ppo"]

# Near the start the form of RL has infinite slope, so points there are not fitted (Gao et al. 2022, footnote 1).
_NEAREST = 0.1

# Share of the furthest distance up to which a form is fitted; what lies beyond judges it.
FITTED_TO = 0.7


@dataclass(frozen=True)
class Fit:
    """α and β of a form, and how far points lie from it: those that were fitted, and those that were held out."""

    method: Method
    alpha: float
    beta: float
    fitted_error: float | None
    held_out_error: float | None
    num_fitted: int
    num_held_out: int

    def gain(self, distance: float) -> float:
        """R(d) of the form."""
        return gain_of(self.method, self.alpha, self.beta, distance)

    @property
    def peak(self) -> float | None:
        """The distance at which the form is highest; None where it never turns."""
        if self.beta <= 0:
            return None
        return self.alpha / (2 * self.beta) if self.method == "best_of_n" else exp(self.alpha / self.beta - 1)


def gain_of(method: Method, alpha: float, beta: float, distance: float) -> float:
    """Best of n: d(α − βd). PPO: d(α − β log d) (Gao et al. 2022, §3.1)."""
    if distance == 0:
        return 0.0
    return distance * (alpha - beta * (distance if method == "best_of_n" else log(distance)))


def fit_gains(
    method: Method, distances: Sequence[float], gains: Sequence[float], *, fitted_to: float = FITTED_TO
) -> Fit | None:
    """Least squares over the points up to `fitted_to` of the furthest; those beyond are held out to judge the form.

    None where fewer than two points can be fitted.
    """
    limit = fitted_to * max(distances, default=0.0)
    points = [(d, gain) for d, gain in zip(distances, gains, strict=True) if d > _NEAREST]
    fitted = [point for point in points if point[0] <= limit]
    held_out = [point for point in points if point[0] > limit]
    if len(fitted) < 2:
        return None
    slopes = [d if method == "best_of_n" else log(d) for d, _ in fitted]
    design = torch.tensor([[d, -d * slope] for (d, _), slope in zip(fitted, slopes, strict=True)], dtype=torch.float64)
    wanted = torch.tensor([gain for _, gain in fitted], dtype=torch.float64)
    alpha, beta = torch.linalg.lstsq(design, wanted[:, None], driver="gelsd").solution.flatten().tolist()
    near, far = (
        _root_mean_square([gain - gain_of(method, alpha, beta, d) for d, gain in some]) for some in (fitted, held_out)
    )
    return Fit(method, alpha, beta, near, far, len(fitted), len(held_out))


@dataclass(frozen=True)
class SeedFit:
    """A form fitted to all seeds but one, and how far that one's points lie from it and from no form at all."""

    held_out: int
    fit: Fit
    error: float
    constant_error: float


def fit_other_seeds(
    method: Method, distances: Sequence[Sequence[float]], gains: Sequence[Sequence[float]]
) -> list[SeedFit]:
    """For every seed: the form of all the others' points, and its error on the points of this one, which it never saw.

    `constant_error` is that of the mean gain of the others' points: a form that is no better than it says nothing.
    Points nearer than the form is meant for count nowhere. Empty with fewer than two seeds.
    """
    if len(distances) < 2:
        return []
    curves = [
        [(d, gain) for d, gain in zip(*curve, strict=True) if d > _NEAREST]
        for curve in zip(distances, gains, strict=True)
    ]
    found = []
    for place, own in enumerate(curves):
        others = [point for other, curve in enumerate(curves) if other != place for point in curve]
        fit = fit_gains(method, [d for d, _ in others], [gain for _, gain in others], fitted_to=1.0)
        if fit is not None and own:
            error = _root_mean_square([gain - fit.gain(d) for d, gain in own])
            mean_gain = sum(gain for _, gain in others) / len(others)
            constant = _root_mean_square([gain - mean_gain for _, gain in own])
            assert error is not None
            assert constant is not None
            found.append(SeedFit(place, fit, error, constant))
    return found


def _root_mean_square(errors: Sequence[float]) -> float | None:
    return sqrt(sum(error**2 for error in errors) / len(errors)) if errors else None
