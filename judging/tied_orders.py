"""The probability of a weak order (Firth, Kosmidis & Turner 2019, the Davidson-Luce model, arXiv 1909.07123).

An order is told from its best tier on. Of the completions that are left, the set S is the next tier in proportion to
exp(a · mean of the qualities in S + λ (∣S∣ − 1)): a is the trainer's scale, λ their leniency with ties, one step for
each completion that joins a tie. Without ties this is Plackett and Luce's model; of two completions it is Davidson's.
The proportions are an exponential family, so that the gradient is what was seen less what is expected, and the
information the covariance of what is summed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

# Completions that are looked at together: of K there are 2^K − 1 sets. A longer order is taken in parts, whose orders
# are independent without ties (the exponential race behind Plackett and Luce's model).
MOST_TOGETHER = 6


@dataclass(frozen=True, slots=True)
class Sets:
    """The sets of K completions that may be a tier: their members, and how many more than one they are."""

    members: tuple[tuple[int, ...], ...]
    joined: tuple[int, ...]

    def means(self, qualities: Sequence[float]) -> list[float]:
        """The mean quality of each set."""
        return [sum(qualities[place] for place in members) / len(members) for members in self.members]


Stages = tuple[tuple[tuple[int, ...], int], ...]
"""For each tier but a last one of one completion: the sets that could have come next, and the one that came."""


@lru_cache(maxsize=64)
def sets_of(num: int, most_tied: int) -> Sets:
    """All sets of `num` completions of at most `most_tied`."""
    masks = _masks(num, most_tied)
    members = tuple(tuple(place for place in range(num) if mask >> place & 1) for mask in masks)
    return Sets(members, tuple(len(one) - 1 for one in members))


def stages_of(places: Mapping[int, int], most_tied: int) -> Stages:
    """The stages of an order; `places[i]` is the tier of completion i, for all of 0 … K − 1."""
    masks = _masks(len(places), most_tied)
    left = (1 << len(places)) - 1
    stages = []
    for tier in sorted(set(places.values())):
        came = sum(1 << place for place, own in places.items() if own == tier)
        if left & (left - 1):  # at least two are left
            stages.append((_within(len(places), most_tied, left), masks.index(came)))
        left &= ~came
    return tuple(stages)


@dataclass(slots=True)
class Information:
    """Gradient of the log probability in scale and leniency, and the information, its expected negative Hessian."""

    scale: float = 0.0
    leniency: float = 0.0
    scale_scale: float = 0.0
    scale_leniency: float = 0.0
    leniency_leniency: float = 0.0

    def add(
        self,
        weight: float,
        stages: Stages,
        means: Sequence[float],
        joined: Sequence[int],
        scale: float,
        leniency: float,
    ) -> None:
        """Add `weight` times those of one order, at these mean qualities of its sets."""
        masses = [math.exp(scale * mean + leniency * more) for mean, more in zip(means, joined, strict=True)]
        for sets, came in stages:
            total = of_mean = of_mean_square = of_joined = of_joined_square = of_both = 0.0
            for one in sets:
                mass, mean, more = masses[one], means[one], joined[one]
                total += mass
                of_mean += mass * mean
                of_mean_square += mass * mean * mean
                if more:
                    of_joined += mass * more
                    of_joined_square += mass * more * more
                    of_both += mass * mean * more
            expected, expected_joined = of_mean / total, of_joined / total
            self.scale += weight * (means[came] - expected)
            self.leniency += weight * (joined[came] - expected_joined)
            self.scale_scale += weight * (of_mean_square / total - expected**2)
            self.scale_leniency += weight * (of_both / total - expected * expected_joined)
            self.leniency_leniency += weight * (of_joined_square / total - expected_joined**2)


@dataclass(frozen=True, slots=True)
class Slopes:
    """Derivatives of one order's log probability, by its completions.

    `gradient` in a · quality; `information[i][j]`, j ≤ i, its negative second derivatives; `of_scale` and
    `of_leniency` the mixed ones with scale and leniency, where those hold qualities fixed.
    """

    gradient: list[float]
    information: list[list[float]]
    of_scale: list[float]
    of_leniency: list[float]


def slopes(stages: Stages, sets: Sets, qualities: Sequence[float], scale: float, leniency: float) -> Slopes:
    """See `Slopes`."""
    size = len(qualities)
    means = sets.means(qualities)
    masses = [math.exp(scale * mean + leniency * more) for mean, more in zip(means, sets.joined, strict=True)]
    gradient, of_scale, of_leniency = [0.0] * size, [0.0] * size, [0.0] * size
    information = [[0.0] * (place + 1) for place in range(size)]
    for possible, came in stages:
        total = sum(masses[one] for one in possible)
        expected, with_mean, with_joined = [0.0] * size, [0.0] * size, [0.0] * size
        mean = more = 0.0
        for one in possible:
            members = sets.members[one]
            chance = masses[one] / total
            mean += chance * means[one]
            more += chance * sets.joined[one]
            share = chance / len(members)
            for place in members:
                expected[place] += share
                with_mean[place] += share * means[one]
                with_joined[place] += share * sets.joined[one]
                row = information[place]
                for other in members:
                    if other > place:
                        break
                    row[other] += share / len(members)
        chosen = sets.members[came]
        for place in range(size):
            seen = (place in chosen) / len(chosen) - expected[place]
            gradient[place] += seen
            of_scale[place] += seen - scale * (with_mean[place] - mean * expected[place])
            of_leniency[place] -= scale * (with_joined[place] - more * expected[place])
            row = information[place]
            for other in range(place + 1):
                row[other] -= expected[place] * expected[other]
    return Slopes(gradient, information, of_scale, of_leniency)


@lru_cache(maxsize=64)
def _masks(num: int, most_tied: int) -> tuple[int, ...]:
    return tuple(mask for mask in range(1, 1 << num) if mask.bit_count() <= most_tied)


@lru_cache(maxsize=4096)
def _within(num: int, most_tied: int, left: int) -> tuple[int, ...]:
    """The places, among all sets, of those that hold nothing but what is left."""
    return tuple(place for place, mask in enumerate(_masks(num, most_tied)) if not mask & ~left)
