"""A leaderboard: strengths from people's votes on pairs, with intervals over other prompts and other people.

The interval is that of the pigeonhole bootstrap (Owen 2007): prompts and trainers are drawn with replacement, apart
from each other, and a vote weighs the product of how often its prompt and its trainer were drawn. Votes of one prompt
are not independent, nor are those of one person; drawing single votes would make the intervals too narrow.
"""

import random
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from labeling.statistics.bradley_terry import fit_table, require_connected
from labeling.statistics.intervals import Estimate, proportion, quantile

FEWEST_VOTES = 20  # of a policy; with fewer its place is too few to say
ROUNDS = 200
# Of a draw only: it keeps the strengths finite where the policies that were drawn never lost to each other, and moves
# the others by less than their last printed digit.
_RIDGE = 1e-3
_PRECISION = 1e-4  # in logits, of a draw: 0.02 Elo


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """One person's verdict on two answers to one prompt: the share that `first` won, 1, 0.5 (a tie) or 0."""

    first: str
    second: str
    won: float
    prompt: Hashable
    trainer: Hashable


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One policy: its votes, the prompts and people behind them, and its strength in logits around the mean of all.

    `strength` is None with fewer than FEWEST_VOTES, and where the policies never lost to, or never met, the rest.
    `n` of the estimates counts votes.
    """

    policy: str
    num_votes: int
    num_prompts: int
    num_trainers: int
    wins: Estimate
    strength: Estimate | None


def standings(votes: Sequence[Vote], *, rounds: int = ROUNDS, seed: int = 0) -> list[Standing]:
    """The policies that votes speak of, best first; those without a strength last, by their share of wins.

    Strengths are fitted to the votes among policies with at least FEWEST_VOTES, so that one that was seen twice takes
    no others' strengths away. Both figures' intervals come from the same draws.
    """
    exposure = Counter(name for vote in votes for name in (vote.first, vote.second))
    often = sorted(name for name, num in exposure.items() if num >= FEWEST_VOTES)
    # Those that a strength is fitted to come first, so that their table is the corner of the table of all.
    order = [*often, *sorted(set(exposure) - set(often))]
    everything = table_of(votes, order, [1] * len(votes))
    size = len(often) if _has_finite_strengths(everything, often) else 0
    point = fit_table(_corner(everything, size)) if size else []
    strengths: list[list[float]] = [[] for _ in range(size)]
    shares: list[list[float]] = [[] for _ in order]
    generator = random.Random(seed)
    for _ in range(rounds if votes else 0):
        table = table_of(votes, order, pigeonhole_weights(votes, generator))
        for place, (won, lost) in enumerate(zip(map(sum, table), map(sum, zip(*table, strict=True)), strict=True)):
            if won + lost:
                shares[place].append(won / (won + lost))
        if size:
            fitted = fit_table(_corner(table, size), start=point, ridge=_RIDGE, precision=_PRECISION)
            for drawn, strength in zip(strengths, fitted, strict=True):
                drawn.append(strength)
    found = [
        _standing(name, votes, shares[place], point[place] if place < size else None, strengths[place : place + 1])
        for place, name in enumerate(order)
    ]
    return sorted(found, key=lambda one: (one.strength is None, -(one.strength or one.wins).value, one.policy))


def table_of(votes: Sequence[Vote], names: Sequence[str], weights: Sequence[int]) -> list[list[float]]:
    """How often each policy beat each other one, in the order of `names`, with a vote counting as its weight."""
    places = {name: index for index, name in enumerate(names)}
    table = [[0.0] * len(names) for _ in names]
    for vote, weight in zip(votes, weights, strict=True):
        if weight:
            first, second = places[vote.first], places[vote.second]
            table[first][second] += weight * vote.won
            table[second][first] += weight * (1 - vote.won)
    return table


def pigeonhole_weights(votes: Sequence[Vote], generator: random.Random) -> list[int]:
    """A weight for each vote: how often its prompt was drawn, times how often its trainer was (Owen 2007)."""
    prompts = _draw([vote.prompt for vote in votes], generator)
    trainers = _draw([vote.trainer for vote in votes], generator)
    return [prompts.get(vote.prompt, 0) * trainers.get(vote.trainer, 0) for vote in votes]


def _draw(labels: Sequence[Hashable], generator: random.Random) -> dict[Hashable, int]:
    distinct = list(dict.fromkeys(labels))  # in the order of the votes, so that a seed gives the same draw again
    return dict(Counter(generator.choices(distinct, k=len(distinct))))


def _corner(table: Sequence[Sequence[float]], size: int) -> list[Sequence[float]]:
    return [row[:size] for row in table[:size]]


def _has_finite_strengths(table: Sequence[Sequence[float]], names: Sequence[str]) -> bool:
    """Whether the policies that come first in the table all lost to, and met, each other, if only through others."""
    if len(names) < 2:
        return False
    wins = {(one, other): table[i][j] for i, one in enumerate(names) for j, other in enumerate(names) if i != j}
    try:
        require_connected(names, wins)
    except ValueError:
        return False
    return True


def _standing(
    name: str, votes: Sequence[Vote], shares: Sequence[float], point: float | None, strengths: Sequence[Sequence[float]]
) -> Standing:
    own = [vote for vote in votes if name in (vote.first, vote.second)]
    won = sum(vote.won if vote.first == name else 1 - vote.won for vote in own)
    return Standing(
        policy=name,
        num_votes=len(own),
        num_prompts=len({vote.prompt for vote in own}),
        num_trainers=len({vote.trainer for vote in own}),
        wins=_wider(proportion(won, len(own)), shares),
        strength=None if point is None else _interval(point, strengths[0], len(own)),
    )


def _wider(wilson: Estimate, draws: Sequence[float]) -> Estimate:
    """The estimate with the wider of both intervals: a bootstrap of votes that all agree has no width at all."""
    drawn = _interval(wilson.value, draws, wilson.n)
    return replace(wilson, low=min(wilson.low, drawn.low), high=max(wilson.high, drawn.high))


def _interval(value: float, draws: Sequence[float], n: int) -> Estimate:
    ordered = sorted(draws) or [value]
    return Estimate(
        value=value, low=min(value, quantile(ordered, 0.025)), high=max(value, quantile(ordered, 0.975)), n=n
    )
