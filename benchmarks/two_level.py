"""Intervals over runs of several seeds: a run is drawn, then the prompts within it. Pure functions of numbers.

Intervals over prompts alone say what another draw of prompts would have shown of *this* run; that another seed would
have trained another policy they do not know (Agarwal et al. 2021). So runs are drawn with replacement and, within
each, prompts (Davison and Hinkley 1997, §3.8); where all runs answered the same prompts, those are drawn once for all
runs (Owen 2007, the pigeonhole bootstrap), since an easy prompt is easy for every run.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any, TypeVar

from labeling.statistics.intervals import quantile

Cluster = TypeVar("Cluster")

ROUNDS = 1000
CONFIDENCE = 0.95
# Draws that may lack a value, such as a KL that a drawn set of prompts does not reach, before an interval is refused.
MOST_WITHOUT_VALUE = 0.1


@dataclass(frozen=True)
class SeedsEstimate:
    """The mean over runs of a figure, its 95 % interval, and every run's own figure.

    Without an interval `low` and `high` are None and `reason` says why. Of few runs a bootstrap is too narrow, by
    about √((k − 1)/k) in what differs between runs: a tenth with five, which is why `by_seed` is always shown.
    """

    value: float | None
    low: float | None
    high: float | None
    by_seed: list[float | None]
    reason: str = ""

    def text(self, *, digits: int = 3) -> str:
        """The figure as it stands in a table."""
        if self.value is None:
            return f"– ({self.reason})"
        if self.low is None or self.high is None:
            return f"{self.value:+.{digits}f} ({self.reason})"
        return f"{self.value:+.{digits}f} ({self.low:+.{digits}f} to {self.high:+.{digits}f})"

    def plain(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)


def estimate_over_seeds(
    runs: Sequence[Sequence[Cluster]],
    statistic: Callable[[Sequence[Cluster]], float | None],
    *,
    same_prompts: bool,
    seed: int = 0,
    rounds: int = ROUNDS,
) -> SeedsEstimate:
    """The mean over runs of `statistic` of a run's clusters (all that is known of one prompt), with its interval.

    `same_prompts`: cluster i is of the same prompt in every run. Raises ValueError where there is no run, where one
    has no cluster, or where runs of the same prompts differ in number.
    """
    if not runs or not all(runs):
        raise ValueError("no run, or a run without prompts: there is nothing to estimate")
    if same_prompts and len({len(run) for run in runs}) > 1:
        raise ValueError("runs of the same prompts must have one cluster a prompt each")
    by_seed = [statistic(run) for run in runs]
    if any(value is None for value in by_seed):
        return SeedsEstimate(None, None, None, by_seed, "not every seed has a value")
    value = mean(one for one in by_seed if one is not None)
    if len(runs) == 1:
        return SeedsEstimate(value, None, None, by_seed, "one seed: nothing is known of another")
    values = sorted(
        drawn
        for drawn in _draws(runs, statistic, same_prompts=same_prompts, seed=seed, rounds=rounds)
        if drawn is not None
    )
    if len(values) < (1 - MOST_WITHOUT_VALUE) * rounds:
        return SeedsEstimate(value, None, None, by_seed, f"{rounds - len(values)} of {rounds} draws have no value")
    tail = (1 - CONFIDENCE) / 2
    return SeedsEstimate(value, quantile(values, tail), quantile(values, 1 - tail), by_seed)


def _draws(
    runs: Sequence[Sequence[Cluster]],
    statistic: Callable[[Sequence[Cluster]], float | None],
    *,
    same_prompts: bool,
    seed: int,
    rounds: int,
) -> list[float | None]:
    """The mean over drawn runs, round by round; None where one of them has no value."""
    generator = random.Random(seed)
    draws: list[float | None] = []
    for _ in range(rounds):
        drawn_runs = generator.choices(runs, k=len(runs))
        places = generator.choices(range(len(runs[0])), k=len(runs[0]))
        found = [
            statistic([run[place] for place in places] if same_prompts else generator.choices(run, k=len(run)))
            for run in drawn_runs
        ]
        values = [one for one in found if one is not None]
        draws.append(mean(values) if len(values) == len(found) else None)
    return draws
