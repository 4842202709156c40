"""Does a policy answer alike what is asked alike? Flips and variance within groups of answers to one question.

Pure functions on plain values. A group holds the labels of all answers to one question, in other words or with other
seeds; answers to one question are not independent, so intervals come from resampling whole groups.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean

from labeling.statistics.intervals import Estimate, bootstrap, proportion

Group = Sequence[str]


def flip_rate(groups: Iterable[Group], *, rounds: int = 1000, seed: int = 0) -> Estimate | None:
    """The chance that two answers to one question get different labels, a mean over questions.

    In a group of m answers, of which m_k have label k: 1 - sum of m_k (m_k - 1) / (m (m - 1)), Simpson's unbiased
    estimate of 1 - sum of p_k² (Simpson 1949). Groups of fewer than two answers are left out; None if none is left.
    `n` counts questions.
    """
    return _mean_over_groups([_share_of_differing_pairs(group) for group in _several(groups)], rounds, seed)


def mixed_share(groups: Iterable[Group]) -> Estimate | None:
    """The share of questions whose answers do not all get the same label, with its Wilson interval.

    Grows with the number of answers a question has: compare only runs with equally many.
    """
    kept = _several(groups)
    return proportion(sum(len(set(group)) > 1 for group in kept), len(kept)) if kept else None


def variance_within(groups: Iterable[Sequence[float]], *, rounds: int = 1000, seed: int = 0) -> Estimate | None:
    """The mean over questions of the sample variance of their answers' values, such as 1 for right and 0 for wrong.

    With 0 and 1 it is half the flip rate of the two labels, and at most m / (4 (m - 1)).
    """
    kept = [group for group in groups if len(group) > 1]
    return _mean_over_groups([_variance(group) for group in kept], rounds, seed)


def lost_by_rephrasing(groups: Iterable[Sequence[bool]], *, rounds: int = 1000, seed: int = 0) -> Estimate | None:
    """The share of questions that are right in every phrasing, minus the mean share of right answers; at most 0.

    0: what the policy knows, it knows however it is asked. `n` counts questions.
    """
    kept = [group for group in groups if len(group) > 1]
    return _mean_over_groups([float(all(group)) - fmean(group) for group in kept], rounds, seed)


def _several(groups: Iterable[Group]) -> list[Group]:
    return [group for group in groups if len(group) > 1]


def _share_of_differing_pairs(group: Group) -> float:
    alike = sum(times * (times - 1) for times in Counter(group).values())
    return 1 - alike / (len(group) * (len(group) - 1))


def _variance(group: Sequence[float]) -> float:
    mean = fmean(group)
    return math.fsum((value - mean) ** 2 for value in group) / (len(group) - 1)


def _mean_over_groups(values: Sequence[float], rounds: int, seed: int) -> Estimate | None:
    return bootstrap(values, fmean, rounds=rounds, seed=seed) if values else None
