"""Krippendorff's alpha: agreement beyond chance for any number of trainers, with missing values, and its interval.

A unit holds the values that different trainers gave to one thing: the ratings of one completion, the relations (-1, 0
or 1) of one pair. Pure functions on plain values (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, permutations
from statistics import NormalDist
from typing import Literal

from labeling.statistics.agreement import Tiers, places_of
from labeling.statistics.intervals import Estimate

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Unit = Sequence[float | None]
Coincidences = Mapping[tuple[float, float], float]

FEWEST_CLUSTERS = 5  # with fewer, leaving one out says nothing of the spread
_MOST_GROUPS = 500  # that are left out one at a time, so that a page does not take seconds


def krippendorff_alpha(units: Iterable[Unit], *, level: Level) -> float | None:
    """1 - D_o / D_e. None is a missing value, and units with fewer than two values are ignored.

    `level` is nominal for flags, ordinal for ratings. Returns None if all values are equal, since D_e is 0 then.
    """
    return _alpha(_coincidences(units), level)


def alpha_with_interval(clusters: Sequence[Sequence[Unit]], *, level: Level) -> Estimate | None:
    """Alpha over all units, with a 95 % interval by the jackknife over clusters: the units of one comparison.

    The units of one comparison are dependent, so a comparison is left out as a whole, with variance
    (g - 1) / g · Σ (alpha_(i) - mean)² (Efron and Tibshirani 1993, eq. 11.5); more than 500 are left out in groups.
    `n` counts the clusters in which some unit has two values. None below five of them, or where alpha has no value.
    """
    counted = [found for units in clusters if (found := _coincidences(units))]
    total = _summed(counted)
    value = _alpha(total, level)
    if value is None or len(counted) < FEWEST_CLUSTERS:
        return None
    num_groups = min(len(counted), _MOST_GROUPS)
    groups = [_summed(counted[start::num_groups]) for start in range(num_groups)]
    without = [_alpha({pair: total[pair] - left_out.get(pair, 0.0) for pair in total}, level) for left_out in groups]
    known = [one for one in without if one is not None]
    mean = math.fsum(known) / len(known)
    variance = (len(known) - 1) / len(known) * math.fsum((one - mean) ** 2 for one in known)
    half = NormalDist().inv_cdf(0.975) * math.sqrt(variance)
    return Estimate(value=value, low=max(-1.0, value - half), high=min(1.0, value + half), n=len(counted))


def pair_units(rankings: Sequence[Tiers]) -> Iterator[list[float | None]]:
    """The units of one comparison's rankings: per pair, whether each ranking has the first above (1), level or below.

    Which of two completions comes first is arbitrary, so each pair is given both ways round: then "above" and "below"
    are equally frequent, as they must be by chance. For level "interval": opposite orders are four times as far apart
    as an order and a tie.
    """
    places = [places_of(tiers) for tiers in rankings]
    known = sorted(set().union(*places))
    for one, other in combinations(known, 2):
        signs = [_sign(found[other] - found[one]) if one in found and other in found else None for found in places]
        yield list(signs)
        yield [None if sign is None else -sign for sign in signs]


def _sign(value: int) -> float:
    return float((value > 0) - (value < 0))


def _alpha(coincidences: Coincidences, level: Level) -> float | None:
    totals: defaultdict[float, float] = defaultdict(float)
    for (value, _), weight in coincidences.items():
        totals[value] += weight
    distance = _distances(totals, level)
    observed = math.fsum(weight * distance[pair] for pair, weight in coincidences.items())
    expected = math.fsum(totals[a] * totals[b] * distance[a, b] for a, b in permutations(totals, 2))
    return 1 - (math.fsum(totals.values()) - 1) * observed / expected if expected > 0 else None


def _coincidences(units: Iterable[Unit]) -> dict[tuple[float, float], float]:
    """The coincidence matrix o_ck: ordered pairs of values within a unit of m_u values, weighted by 1 / (m_u - 1)."""
    weights: defaultdict[tuple[float, float], float] = defaultdict(float)
    for unit in units:
        values = [value for value in unit if value is not None]
        for pair in permutations(values, 2):
            weights[pair] += 1 / (len(values) - 1)
    return weights


def _summed(several: Iterable[Coincidences]) -> dict[tuple[float, float], float]:
    total: defaultdict[tuple[float, float], float] = defaultdict(float)
    for one in several:
        for pair, weight in one.items():
            total[pair] += weight
    return total


def _distances(totals: Mapping[float, float], level: Level) -> dict[tuple[float, float], float]:
    """The squared difference function of Krippendorff 2011 at `level`, for every two values that occur."""
    values = sorted(totals)
    distances = {}
    for a in values:
        for b in values:
            low, high = min(a, b), max(a, b)
            if level == "nominal":
                distance = float(a != b)
            elif level == "interval":
                distance = (a - b) ** 2
            elif level == "ratio":
                distance = ((a - b) / (a + b)) ** 2 if a != b else 0.0
            else:
                between = math.fsum(totals[value] for value in values if low <= value <= high)
                distance = (between - (totals[a] + totals[b]) / 2) ** 2
            distances[a, b] = distance
    return distances
