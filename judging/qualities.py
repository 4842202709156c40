"""Qualities of completions that people ranked, as far as they are known: a Gaussian around the mode of each block.

A block is what is known together: a prompt's completions, which several comparisons may share. Qualities of different
blocks are independent.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import mul

from judging.linear_equations import Matrix, factorise, solve
from judging.tied_orders import MOST_TOGETHER, Sets, Stages, sets_of, slopes, stages_of
from judging.weak_orders import WeakOrder

_MOST_COMPLETIONS = 100  # of a block: its equations take the cube; a prompt with more is taken comparison by comparison
_STEPS = 2  # of Newton's method each time that the abilities have moved: it goes on from where it stood
_LONGEST_STEP = 3.0  # in logits: far from the mode a full step overshoots

Scales = Mapping[str, tuple[float, float]]
"""Each trainer's ability and leniency."""


@dataclass(frozen=True, slots=True)
class Order:
    """One trainer's order of a group's completions."""

    trainer: str
    stages: Stages


@dataclass(frozen=True, slots=True)
class Group:
    """Completions that people ordered against one another: their places in the block, and everybody's order."""

    places: tuple[int, ...]
    sets: Sets
    orders: tuple[Order, ...]


class Block:
    """The orders of some completions, and where their qualities stand."""

    def __init__(self, prompt: str, orders: Sequence[WeakOrder], most_tied: int) -> None:
        self.prompt = prompt
        self.names = sorted({name for order in orders for name in order.places})
        self.size = len(self.names)
        self.means = [0.0] * self.size
        self._inverse: Matrix = []
        self._scores: defaultdict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
        self.groups = _groups(orders, {name: place for place, name in enumerate(self.names)}, most_tied)

    def settle(self, scales: Scales, spread: float) -> None:
        """Go to the mode of the qualities under each trainer's ability and leniency, and set the covariances there."""
        for _ in range(_STEPS):
            gradient, information = self._derivatives(scales, spread)
            factor = factorise(information)
            change = solve(factor, gradient)
            longest = max(map(abs, change))
            step = min(1.0, _LONGEST_STEP / longest) if longest else 1.0
            self.means = [mean + step * one for mean, one in zip(self.means, change, strict=True)]
            if longest < 0.01:  # next to a deviation of a tenth and more that qualities always have
                break
        units = ([float(place == own) for place in range(self.size)] for own in range(self.size))
        self._inverse = [solve(factor, unit) for unit in units]

    def rescale(self, factor: float) -> None:
        """Multiply all qualities; the covariances wait for `settle`."""
        self.means = [factor * mean for mean in self.means]

    def difference(self, first: int, second: int) -> tuple[float, float]:
        """Mean and variance of the quality in the first place less the one in the second."""
        return self.means[first] - self.means[second], self._covariance(first, second, first, second)

    def nodes(self, group: Group) -> Iterator[tuple[float, list[float]]]:
        """Weights, and qualities of the group's completions less the last one's, that stand for the posterior.

        For one difference Gauss and Hermite's three nodes, exact to degree 5; for n = 2 differences the five, for more
        the 2n points of degree 3 along the columns of the covariance's root (Julier & Uhlmann 1997; Arasaratnam &
        Haykin 2009).
        """
        *others, last = group.places
        num = len(others)
        centre = [self.means[place] - self.means[last] for place in others]
        rows = [
            [self._covariance(one, last, other, last) for other in others[: at + 1]] for at, one in enumerate(others)
        ]
        root = factorise(rows)
        extra = max(0, 3 - num)
        reach, weight = math.sqrt(num + extra), 0.5 / (num + extra)
        if extra:
            yield extra / (num + extra), [*centre, 0.0]
        for column in range(num):
            for sign in (reach, -reach):
                along = [sign * root[row][column] if row >= column else 0.0 for row in range(num)]
                yield weight, [*(mean + step for mean, step in zip(centre, along, strict=True)), 0.0]

    def missing(self) -> Iterator[tuple[str, float, float, float]]:
        """What is not known of each trainer's ability and leniency because qualities are not: the variances, and the
        covariance between, of their scores over the qualities, to first order.
        """
        for trainer, (of_scale, of_leniency) in self._scores.items():
            through = [math.fsum(map(mul, row, of_scale)) for row in self._inverse]
            through_leniency = [math.fsum(map(mul, row, of_leniency)) for row in self._inverse]
            yield (
                trainer,
                math.fsum(map(mul, of_scale, through)),
                math.fsum(map(mul, of_leniency, through)),
                math.fsum(map(mul, of_leniency, through_leniency)),
            )

    def squares(self) -> Iterator[float]:
        """The expected square of each quality."""
        for place, mean in enumerate(self.means):
            yield mean * mean + self._inverse[place][place]

    def _covariance(self, first: int, second: int, third: int, fourth: int) -> float:
        """Of first less second with third less fourth."""
        one, other = self._inverse[first], self._inverse[second]
        return one[third] - one[fourth] - other[third] + other[fourth]

    def _derivatives(self, scales: Scales, spread: float) -> tuple[list[float], Matrix]:
        """The gradient of the log posterior, and the lower triangle of its information."""
        prior = 1 / spread**2
        gradient = [-prior * mean for mean in self.means]
        information = [[0.0] * place + [prior] for place in range(self.size)]
        self._scores = defaultdict(lambda: ([0.0] * self.size, [0.0] * self.size))
        for group in self.groups:
            qualities = [self.means[place] for place in group.places]
            for order in group.orders:
                scale, leniency = scales[order.trainer]
                found = slopes(order.stages, group.sets, qualities, scale, leniency)
                for into, added in zip(self._scores[order.trainer], (found.of_scale, found.of_leniency), strict=True):
                    for place, value in zip(group.places, added, strict=True):
                        into[place] += value
                for at, place in enumerate(group.places):
                    gradient[place] += scale * found.gradient[at]
                    row, known = information[place], found.information[at]
                    for before in range(at + 1):
                        row[group.places[before]] += scale * scale * known[before]
        return gradient, information


def blocks_of(orders: Sequence[WeakOrder]) -> list[Block]:
    """A block a prompt; of a prompt with very many completions, one a comparison."""
    most_tied = max([2, *map(_most_tied, orders)])
    by_prompt: defaultdict[str, list[WeakOrder]] = defaultdict(list)
    for order in orders:
        by_prompt[order.prompt].append(order)
    blocks = []
    for prompt, of_prompt in sorted(by_prompt.items()):
        if len({name for order in of_prompt for name in order.places}) <= _MOST_COMPLETIONS:
            blocks.append(Block(prompt, of_prompt, most_tied))
        else:
            blocks += [Block(prompt, several, most_tied) for several in _by_comparison(of_prompt)]
    return blocks


def _groups(orders: Sequence[WeakOrder], places: Mapping[str, int], most_tied: int) -> list[Group]:
    """The completions of each comparison, in parts of at most MOST_TOGETHER, with their orders."""
    groups = []
    for several in _by_comparison(orders):
        names = sorted(several[0].places, key=places.__getitem__)
        num_parts = -(-len(names) // MOST_TOGETHER)
        for part in range(num_parts):
            chosen = names[part::num_parts]
            most = min(most_tied, len(chosen))
            found = tuple(
                Order(order.trainer, stages_of({at: order.places[name] for at, name in enumerate(chosen)}, most))
                for order in several
            )
            groups.append(Group(tuple(places[name] for name in chosen), sets_of(len(chosen), most), found))
    return groups


def _by_comparison(orders: Iterable[WeakOrder]) -> list[list[WeakOrder]]:
    found: defaultdict[str, list[WeakOrder]] = defaultdict(list)
    for order in orders:
        found[order.comparison].append(order)
    return [several for _, several in sorted(found.items())]


def _most_tied(order: WeakOrder) -> int:
    tiers = list(order.places.values())
    return max(map(tiers.count, set(tiers)))
