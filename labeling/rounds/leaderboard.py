"""The leaderboard: every policy that people compared, over rounds and projects, from all their rankings.

Work and evaluations of policies both count; practice, gold, simulated trainers, and completions that a person wrote
do not. A ranking of K completions gives the pairs of different policies in it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from labeling.models import Comparison, Completion, Project, Ranking
from labeling.statistics.agreement import ordered_pairs, tied_pairs
from labeling.statistics.bradley_terry import TiedStrengths, davidson
from labeling.statistics.leaderboard import Standing, Vote, standings
from labeling.statistics.style_control import Style, StyledStrengths, StyledVote, control_style, style_of

MOST_RANKINGS = 2_000  # the newest: with the draws of the intervals, about a second of a page
MOST_STYLED = 2_000  # pairs whose style is measured, for the same reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaderboard:
    """The standings, and beside them the strengths with ties as an outcome and at equal style; None without a fit."""

    standings: list[Standing]
    tied: TiedStrengths | None
    styled: StyledStrengths | None
    num_rankings: int
    num_votes: int
    is_cut: bool  # whether older rankings were left out


def leaderboard_of(projects: Iterable[Project]) -> Leaderboard:
    """The leaderboard of what was ranked in these projects."""
    newest = list(_rankings(projects)[: MOST_RANKINGS + 1])
    rankings = newest[:MOST_RANKINGS]
    answers = _answers([ranking.comparison_id for ranking in rankings])
    pairs = [pair for ranking in rankings for pair in _pairs(ranking, answers.get(ranking.comparison_id, {}))]
    votes = [vote for vote, _, _ in pairs]
    return Leaderboard(
        standings=standings(votes),
        tied=_with_ties(votes),
        styled=_at_equal_style(pairs[:MOST_STYLED]),
        num_rankings=len({ranking.id for ranking in rankings if answers.get(ranking.comparison_id)}),
        num_votes=len(votes),
        is_cut=len(newest) > MOST_RANKINGS,
    )


def _rankings(projects: Iterable[Project]) -> QuerySet[Ranking]:
    rows = Ranking.objects.filter(
        comparison__project__in=projects,
        comparison__use__in=Comparison.WITH_PLACES,
        retracted_at=None,
        abstained=None,
        trainer__is_simulated=False,
    )
    return rows.select_related("comparison").order_by("-ranked_at", "-id")


def _answers(comparisons: Sequence[UUID]) -> dict[UUID, dict[str, Completion]]:
    """The completions of policies, by comparison and id."""
    found: dict[UUID, dict[str, Completion]] = {}
    rows = Completion.objects.filter(comparison__in=comparisons, author=None).exclude(policy=None)
    for completion in rows.select_related("policy"):
        found.setdefault(completion.comparison_id, {})[str(completion.id)] = completion  # type: ignore[arg-type]
    return found


def _pairs(ranking: Ranking, answers: dict[str, Completion]) -> Iterator[tuple[Vote, Completion, Completion]]:
    """Every two completions of two policies, with what the ranking says of them."""
    ties = [] if ranking.is_choice else tied_pairs(ranking.tiers)
    for found, won in ((ordered_pairs(ranking.tiers), 1.0), (ties, 0.5)):
        for one, other in found:
            first, second = answers.get(one), answers.get(other)
            if first is not None and second is not None and first.policy_id != second.policy_id:
                yield _vote(ranking, first, second, won), first, second


def _vote(ranking: Ranking, first: Completion, second: Completion, won: float) -> Vote:
    return Vote(
        first=str(first.policy),
        second=str(second.policy),
        won=won,
        prompt=ranking.comparison.prompt_sha256,
        trainer=ranking.trainer_id,
    )


def _with_ties(votes: Sequence[Vote]) -> TiedStrengths | None:
    wins: dict[tuple[str, str], float] = {}
    ties: dict[tuple[str, str], float] = {}
    for vote in votes:
        pair = (vote.first, vote.second)
        table = ties if vote.won == 0.5 else wins
        table[pair] = table.get(pair, 0.0) + 1
    try:
        return davidson(wins, ties) if votes else None
    except ValueError:
        return None


def _at_equal_style(pairs: Sequence[tuple[Vote, Completion, Completion]]) -> StyledStrengths | None:
    styles: dict[UUID, Style] = {}
    for _, first, second in pairs:
        for completion in (first, second):
            if completion.id not in styles:
                styles[completion.id] = style_of(completion.content)
    votes = [
        StyledVote(
            first=vote.first,
            second=vote.second,
            won=vote.won,
            first_style=styles[first.id],
            second_style=styles[second.id],
        )
        for vote, first, second in pairs
    ]
    return control_style(votes) if votes else None
