"""Policies compared by people's rankings: win rates and Elo of the sources of completions within comparisons.

A source is a policy at a temperature, or a person. Only pairs of two different sources count, and each completion
counts for the source that wrote it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from labeling.models import Completion
from labeling.statistics.agreement import ordered_pairs, tied_pairs
from labeling.statistics.bradley_terry import bradley_terry
from labeling.statistics.intervals import Estimate
from labeling.statistics.paired_comparisons import elo, win_rate_by_prompt

ROUNDS = 200  # of the bootstrap; more would make the page take seconds


class Source(NamedTuple):
    """Who wrote a completion: a policy's name and temperature, as far as known. An empty name is a person."""

    policy: str
    temperature: float | None


class RankingLike(Protocol):
    """The fields of a ranking that are read here."""

    @property
    def comparison_id(self) -> str: ...
    @property
    def tiers(self) -> list[list[str]]: ...
    @property
    def is_choice(self) -> bool: ...
    @property
    def sources(self) -> Mapping[str, Source]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFigures:
    """Pairs against other sources: their number, the share won (ties count half), and a strength in Elo around 0."""

    source: Source
    num_pairs: int
    wins: Estimate
    elo: float | None  # None where some source never lost to, or never met, the rest


def source_of(completion: Completion) -> Source | None:
    """The source of a completion; None where it is unknown."""
    if completion.author_id is not None:
        return Source("", None)
    name = completion.policy.name if completion.policy else completion.outside_policy
    sampling: dict[str, Any] = completion.sampling or {}
    return Source(name, sampling.get("temperature")) if name else None


def source_figures(rankings: Iterable[RankingLike]) -> list[SourceFigures]:
    """The figures, best source first; empty where no pair has two sources. Intervals: bootstrap over comparisons."""
    outcomes: defaultdict[Source, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    wins: defaultdict[tuple[Source, Source], float] = defaultdict(float)
    for ranking in rankings:
        for better, worse, won in _pair_outcomes(ranking):
            outcomes[better][ranking.comparison_id].append(won)
            outcomes[worse][ranking.comparison_id].append(1 - won)
            wins[better, worse] += won
            wins[worse, better] += 1 - won
    strengths = _strengths(wins)
    figures = [
        SourceFigures(
            source=source,
            num_pairs=sum(map(len, per_comparison.values())),
            wins=win_rate_by_prompt(per_comparison, rounds=ROUNDS),
            elo=strengths.get(source),
        )
        for source, per_comparison in outcomes.items()
    ]
    return sorted(figures, key=lambda one: (-one.wins.value, one.source.policy, one.source.temperature or 0.0))


def _pair_outcomes(ranking: RankingLike) -> Iterable[tuple[Source, Source, float]]:
    """(first, second, share that the first won) of every two completions of two sources: 1, or 0.5 for a tie."""
    sources = ranking.sources
    ties: Sequence[tuple[str, str]] = [] if ranking.is_choice else list(tied_pairs(ranking.tiers))
    for pairs, won in ((ordered_pairs(ranking.tiers), 1.0), (ties, 0.5)):
        for one, other in pairs:
            if one in sources and other in sources and sources[one] != sources[other]:
                yield sources[one], sources[other], won


def _strengths(wins: Mapping[tuple[Source, Source], float]) -> dict[Source, float]:
    if not wins:
        return {}
    names = {str(tuple(source)): source for pair in wins for source in pair}
    try:
        found = bradley_terry({(str(tuple(one)), str(tuple(other))): num for (one, other), num in wins.items()})
    except ValueError:
        return {}
    return {names[name]: elo(strength) for name, strength in found.items()}
