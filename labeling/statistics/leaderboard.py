"""A leaderboard: strengths from people's votes on pairs, with intervals over other prompts and other people.

The interval is that of the pigeonhole bootstrap (Owen 2007): prompts and trainers are drawn with replacement, apart
from each other, and a vote weighs the product of how often its prompt and its trainer were drawn. Votes of one prompt
are not independent, nor are those of one person; drawing single votes would make the intervals too narrow.
"""

import random
from collections import Counter, defaultdict
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
    places = [place for place, vote in enumerate(votes) if vote.first in often and vote.second in often]
    ranked = [votes[place] for place in places]
    names = often if _has_finite_strengths(ranked, often) else []
    point = fit_table(table_of(ranked, names, [1] * len(ranked))) if names else []
    strengths: dict[str, list[float]] = {name: [] for name in names}
    shares: dict[str, list[float]] = {name: [] for name in exposure}
    generator = random.Random(seed)
    for _ in range(rounds if votes else 0):
        weights = pigeonhole_weights(votes, generator)
        for name, share in _shares(votes, weights).items():
            shares[name].append(share)
        if names:
            table = table_of(ranked, names, [weights[place] for place in places])
            fitted = fit_table(table, start=point, ridge=_RIDGE, precision=_PRECISION)
            for name, strength in zip(names, fitted, strict=True):
                strengths[name].append(strength)
    found = [
        _standing(name, votes, shares[name], dict(zip(names, point, strict=True)).get(name), strengths.get(name, []))
        for name in sorted(exposure)
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
    return [prompts[vote.prompt] * trainers[vote.trainer] for vote in votes]


def _draw(labels: Sequence[Hashable], generator: random.Random) -> Counter[Hashable]:
    distinct = list(dict.fromkeys(labels))  # in the order of the votes, so that a seed gives the same draw again
    return Counter(generator.choices(distinct, k=len(distinct)))


def _shares(votes: Sequence[Vote], weights: Sequence[int]) -> dict[str, float]:
    """The share of its comparisons that each policy won, of those that came up."""
    won: defaultdict[str, float] = defaultdict(float)
    met: defaultdict[str, int] = defaultdict(int)
    for vote, weight in zip(votes, weights, strict=True):
        if weight:
            won[vote.first] += weight * vote.won
            won[vote.second] += weight * (1 - vote.won)
            met[vote.first] += weight
            met[vote.second] += weight
    return {name: won[name] / num for name, num in met.items()}


def _has_finite_strengths(votes: Sequence[Vote], names: Sequence[str]) -> bool:
    if len(names) < 2:
        return False
    wins: dict[tuple[str, str], float] = {}
    for vote in votes:
        wins[vote.first, vote.second] = wins.get((vote.first, vote.second), 0.0) + vote.won
        wins[vote.second, vote.first] = wins.get((vote.second, vote.first), 0.0) + 1 - vote.won
    try:
        require_connected(names, wins)
    except ValueError:
        return False
    return True


def _standing(
    name: str, votes: Sequence[Vote], shares: Sequence[float], point: float | None, strengths: Sequence[float]
) -> Standing:
    own = [vote for vote in votes if name in (vote.first, vote.second)]
    won = sum(vote.won if vote.first == name else 1 - vote.won for vote in own)
    return Standing(
        policy=name,
        num_votes=len(own),
        num_prompts=len({vote.prompt for vote in own}),
        num_trainers=len({vote.trainer for vote in own}),
        wins=_wider(proportion(won, len(own)), shares),
        strength=None if point is None else _interval(point, strengths, len(own)),
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
