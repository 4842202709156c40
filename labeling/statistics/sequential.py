"""A group-sequential test of two policies: people's verdicts are looked at as they come, and the looks are paid for.

Lan and DeMets (1983): a spending function says how much of the allowed error is used up when a share of the planned
verdicts is in; the bound at each look follows by numerical integration (Armitage, McPherson and Rowe 1969; Jennison
and Turnbull 2000, ch. 19). The bound against the candidate is the mirror image. Each is computed as though the other
did not stop the test, so that it errs on the safe side.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Verdict = Literal["better", "worse", "open", "too close"]

_NODES = 201  # of the integration over the score, odd for Simpson's rule: bounds change by less than 0.001 beyond it
_REACH = 8.0  # standard deviations that the integration reaches below 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """When to look, and how often the test may promote a policy that is no better.

    `error`: the chance that a candidate of equal quality is called better at any look; 4 % keeps what a thousand
    simulated tests count below 5 %. `first` and `every`: the numbers of verdicts at which the looks come; `most`: the
    last.
    """

    error: float = 0.04
    first: int = 40
    every: int = 20
    most: int = 400

    def __post_init__(self) -> None:
        if not 0 < self.error < 0.5:
            raise ValueError(f"the error must lie between 0 and 0.5, not {self.error}")
        if not 0 < self.first <= self.most or self.every < 1:
            raise ValueError("the first look must come after at least one verdict and not after the last of them")

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of verdicts at which the test looks."""
        return (*range(self.first, self.most, self.every), self.most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one look found: the score's z, and the bound that it had to pass."""

    num_verdicts: int
    z: float
    bound: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The verdict, the looks up to the one that decided, and where the next comes; None after the last."""

    verdict: Verdict
    looks: tuple[Look, ...]
    next_look: int | None


def run_test(verdicts: Sequence[tuple[Hashable, float]], design: Design) -> Result:
    """Go through people's verdicts in the order in which they came: (prompt, share that the candidate won).

    The first look whose z passes its bound decides; what came later changes nothing. Raises ValueError if a share
    does not lie in 0 … 1.
    """
    looks: list[Look] = []
    for num, bound in zip(design.looks, bounds(design), strict=True):
        if num > len(verdicts):
            return Result(verdict="open", looks=tuple(looks), next_look=num)
        z = score(verdicts[:num])
        looks.append(Look(num_verdicts=num, z=z, bound=bound))
        if abs(z) >= bound:
            return Result(verdict="better" if z > 0 else "worse", looks=tuple(looks), next_look=None)
    return Result(verdict="too close", looks=tuple(looks), next_look=None)


def score(verdicts: Sequence[tuple[Hashable, float]]) -> float:
    """z of the hypothesis that both policies win equally often; a tie is half a win.

    The sum of (share won - 1/2) over the root of the summed squares of each prompt's sum: verdicts on one prompt may
    depend on each other, those on different prompts do not. 0 where all are ties.
    """
    sums: dict[Hashable, float] = {}
    for prompt, won in verdicts:
        if not 0 <= won <= 1:
            raise ValueError(f"a share won must lie between 0 and 1, not {won}")
        sums[prompt] = sums.get(prompt, 0.0) + won - 0.5
    spread = math.sqrt(math.fsum(value * value for value in sums.values()))
    return math.fsum(sums.values()) / spread if spread else 0.0


def spent(share: float, error: float) -> float:
    """The error used up when this share of the verdicts is in: Pocock's form of spending (Lan & DeMets 1983, eq. 6).

    It stops early for a clear winner, at the price of more verdicts where policies are close.
    """
    return error * math.log(1 + (math.e - 1) * min(1.0, share))


@lru_cache(maxsize=64)
def bounds(design: Design) -> tuple[float, ...]:
    """The z that each look must reach, so that an equal policy is called better with chance `error` over all looks."""
    found: list[float] = []
    nodes: list[float] = []
    weights: list[float] = []  # Simpson's, times the density of the score at the node, of tests that have not stopped
    before, used = 0.0, 0.0
    for num in design.looks:
        share = num / design.most
        step = math.sqrt(share - before)
        allowed = spent(share, design.error) - used
        bound = _bound(nodes, weights, step, allowed)
        nodes, weights = _advance(nodes, weights, step, low=-_REACH * math.sqrt(share), high=bound)
        found.append(bound / math.sqrt(share))
        before, used = share, used + allowed
    return tuple(found)


def _bound(nodes: Sequence[float], weights: Sequence[float], step: float, allowed: float) -> float:
    """The score that is passed with chance `allowed` after one more step, by bisection."""
    low, high = -10.0, 10.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if _chance_beyond(nodes, weights, step, middle) > allowed:
            low = middle
        else:
            high = middle
    return high


def _chance_beyond(nodes: Sequence[float], weights: Sequence[float], step: float, bound: float) -> float:
    if not nodes:
        return _upper_tail(bound / step)
    return math.fsum(weight * _upper_tail((bound - node) / step) for node, weight in zip(nodes, weights, strict=True))


def _advance(
    nodes: Sequence[float], weights: Sequence[float], step: float, *, low: float, high: float
) -> tuple[list[float], list[float]]:
    """Nodes and weights after one more step, for the tests that did not stop: scores between `low` and `high`."""
    width = (high - low) / (_NODES - 1)
    new_nodes = [low + width * index for index in range(_NODES)]
    new_weights = []
    for index, place in enumerate(new_nodes):
        if nodes:
            density = math.fsum(
                weight * _density((place - node) / step) for node, weight in zip(nodes, weights, strict=True)
            )
        else:
            density = _density(place / step)
        simpson = 1 if index in (0, _NODES - 1) else 4 if index % 2 else 2
        new_weights.append(simpson * width / 3 * density / step)
    return new_nodes, new_weights


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _upper_tail(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2
