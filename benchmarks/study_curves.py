"""The figures of the study of trainings, prompt by prompt, so that seeds and prompts can both be drawn again.

Pure functions of numbers: a curve is one seed's training (or picking), point by point; a cluster is all that is known
of one prompt at every point.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean as mean
from typing import Any

import torch

from policy.best_of_n import best_of_n_mean, kl_of_best_of
from policy.objective import Ensemble, ensemble_scores

Facts = Mapping[str, Any]
VARIANCE_COEF = 0.1  # λ of the variance-penalised ensemble; Coste et al. 2023, for PPO


@dataclass(frozen=True)
class Prompt:
    """One prompt: at every point of a curve the gold score and the KL of its answers (means), and how far it went."""

    gold: tuple[float, ...]
    proxy: tuple[float, ...]
    kl: tuple[float, ...]


Curve = list[Prompt]


def curve_of_looks(facts: Facts) -> Curve:
    """A watched run; its KL is known as a mean over prompts only, which is then every prompt's."""
    looks = facts["looks"]
    kls = tuple(look["kl"] for look in looks)
    gold, proxy = (list(zip(*(look[name] for look in looks), strict=True)) for name in ("gold", "proxy"))
    return [Prompt(own_gold, own_proxy, kls) for own_gold, own_proxy in zip(gold, proxy, strict=True)]


def curve_of_picking(proxy: Sequence[Sequence[float]], gold: Sequence[Sequence[float]]) -> Curve:
    """Best of n for n = 1, 2, 4 … N by one proxy."""
    counts = [2**k for k in range(len(proxy[0]).bit_length())]
    kls = tuple(kl_of_best_of(n) for n in counts)

    def of(picking: Sequence[float], judged: Sequence[float]) -> tuple[float, ...]:
        first, second = torch.tensor(picking, dtype=torch.float64), torch.tensor(judged, dtype=torch.float64)
        return tuple(float(best_of_n_mean(first, second, n)) for n in counts)

    return [Prompt(of(picking, own), of(picking, picking), kls) for picking, own in zip(proxy, gold, strict=True)]


def join_proxies(proxies: Sequence[Sequence[Sequence[float]]], rule: Ensemble) -> list[list[float]]:
    """One score of several reward models' of the same samples, prompt by prompt."""
    scores = torch.tensor(proxies, dtype=torch.float64)
    members, prompts, samples = scores.shape
    joined = ensemble_scores(scores.reshape(members, prompts * samples).float(), rule, variance_coef=VARIANCE_COEF)
    return joined.reshape(prompts, samples).tolist()


def curve_of_answers(start: Facts, trained: Sequence[Facts]) -> Curve:
    """A method in growing amounts, from the start's own answers on."""
    points = [start, *trained]
    kls = [[[0.0]] * len(start["gold"]), *(point["kl"] for point in trained)]
    return [
        Prompt(
            gold=tuple(mean(point["gold"][place]) for point in points),
            proxy=(0.0,) * len(points),
            kl=tuple(mean(kl[place]) for kl in kls),
        )
        for place in range(len(start["gold"]))
    ]


def means(curve: Sequence[Prompt], name: str) -> list[float]:
    """A curve's means over prompts, point by point."""
    return [mean(column) for column in zip(*(getattr(prompt, name) for prompt in curve), strict=True)]


def gains(curve: Sequence[Prompt], name: str = "gold") -> list[float]:
    """The same, counted from the start."""
    values = means(curve, name)
    return [value - values[0] for value in values]


def distances(curve: Sequence[Prompt]) -> list[float]:
    """√KL, √nats, of every point."""
    return [sqrt(max(kl, 0.0)) for kl in means(curve, "kl")]


def gain_at_end(curve: Sequence[Prompt]) -> float | None:
    """The last point's gold, from the start."""
    return gains(curve)[-1]


def best_gain(curve: Sequence[Prompt]) -> float | None:
    """The highest gold of a curve, from the start. A maximum of noisy points is biased upwards."""
    return max(gains(curve))


def fall_from_best(curve: Sequence[Prompt]) -> float | None:
    """How far the last point's gold lies below the best; 0 where the last is the best."""
    own = gains(curve)
    return own[-1] - max(own)


def gain_at(
    curve: Sequence[Prompt], target: float, *, along: Callable[[Sequence[Prompt]], Sequence[float]]
) -> float | None:
    """Gold from the start where the curve first reaches `target` of `along`, linear between points; None if never."""
    at, own = along(curve), gains(curve)
    for place in range(1, len(at)):
        if at[place] >= target:
            before = at[place - 1]
            share = (target - before) / (at[place] - before) if at[place] > before else 1.0
            return own[place - 1] + min(max(share, 0.0), 1.0) * (own[place] - own[place - 1])
    return None
