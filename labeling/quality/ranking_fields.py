"""The newest rankings of a project, as far as a selection takes them in, with the fields that the statistics read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch

from labeling.models import Comparison, Completion, Project, Ranking, User
from labeling.quality.policy_comparison import Source, source_of
from labeling.quality.selection import EVERYTHING, Selection

NEWEST = 5000  # rankings that are read, so that the page stays fast


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingFields:
    """The fields of a ranking that the statistics read."""

    id: str
    comparison_id: str
    trainer: User | None
    kind: str
    tiers: list[list[str]]
    unacceptable_from: int | None
    shown_order: list[str]
    ranked_at: datetime
    guideline_version: int | None
    seconds: float | None
    abstained: bool
    is_choice: bool
    lengths: dict[str, int]
    sources: dict[str, Source]
    ratings: dict[str, int]  # overall, 1 to 7, by completion


def newest_rankings(project: Project, selection: Selection = EVERYTHING) -> list[RankingFields]:
    """The newest first, at most `NEWEST`; by whomever, and of comparisons that are work."""
    rankings = (
        selection.of(
            Ranking.objects.filter(comparison__project=project, comparison__use=Comparison.Use.WORK, retracted_at=None)
        )
        .select_related("trainer", "guideline_version")
        .prefetch_related(
            Prefetch("comparison__completions", queryset=Completion.objects.select_related("policy")), "ratings"
        )
        .order_by("-ranked_at")[:NEWEST]
    )
    return [_fields(ranking) for ranking in rankings]


def by_people(rankings: Iterable[RankingFields]) -> list[RankingFields]:
    return [ranking for ranking in rankings if ranking.kind == "person"]


def _fields(ranking: Ranking) -> RankingFields:
    completions = ranking.comparison.completions.all()
    return RankingFields(
        id=str(ranking.id),
        comparison_id=str(ranking.comparison_id),
        trainer=ranking.trainer,
        kind=_kind(ranking.trainer),
        tiers=ranking.tiers,
        unacceptable_from=ranking.unacceptable_from,
        shown_order=ranking.shown_order,
        ranked_at=ranking.ranked_at,
        guideline_version=ranking.guideline_version.version if ranking.guideline_version else None,
        seconds=ranking.seconds,
        abstained=ranking.abstained is not None,
        is_choice=ranking.is_choice,
        lengths={str(one.id): len(one.content) for one in completions},
        sources={str(one.id): source for one in completions if (source := source_of(one))},
        ratings={str(one.completion_id): one.overall for one in ranking.ratings.all() if one.overall is not None},
    )


def _kind(trainer: User | None) -> str:
    if trainer is None:
        return "imported"
    return "simulated" if trainer.is_simulated else "person"
