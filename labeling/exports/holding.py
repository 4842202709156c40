"""What a withdrawal touches: the exports that hold a row, and the models that were trained on them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from labeling.exports.filters import read_filters
from labeling.exports.formats import RECORDS
from labeling.exports.lineage import Registry
from labeling.exports.lookup import KINDS, holds, num_held
from labeling.exports.retractions import MOST_LOOKED_UP
from labeling.exports.selection import demonstration_matches, ranking_matches, thumb_matches
from labeling.models import Comparison, Dialogue, Export, Project, Ranking

MOST_LOOKED_AT = 100  # exports, the newest


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    exports: list[Export]
    num_models: int


def holding_of(row: Ranking | Dialogue) -> Holding:
    """The finished exports that hold this row.

    Those in other formats than records are told by their filters, and so are all for a gold item, which is in none:
    its trainer must not learn from this that it is one.
    """
    if isinstance(row, Ranking) and row.comparison.use == Comparison.Use.EVALUATION:
        return Holding(exports=[], num_models=0)  # it decides on policies, and is exported nowhere
    project = row.comparison.project_id if isinstance(row, Ranking) else row.project_id
    made_at = row.ranked_at if isinstance(row, Ranking) else row.created_at
    done = Export.objects.filter(project=project, kind=KINDS[type(row)], state=Export.State.DONE)
    newest = done.filter(finished_at__gte=made_at).order_by("-created_at")[:MOST_LOOKED_AT]
    found = [export for export in newest if _holds(export, row)]
    return Holding(exports=found, num_models=len(Registry().models_after(*found)) if found else 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """How many of some rows an export holds; a lower bound where `is_whole` is False."""

    export: Export
    num: int
    is_whole: bool

    @property
    def share(self) -> float:
        return self.num / self.export.num_records if self.export.num_records else 0.0


def held_of(project: Project, rows: QuerySet[Any]) -> list[Held]:
    """The newest finished exports of the project that hold some of these rows, which are all of one kind."""
    kind = KINDS[rows.model]
    done = Export.objects.filter(project=project, kind=kind, state=Export.State.DONE).order_by("-created_at")
    found = []
    for export in done[:MOST_LOOKED_AT]:
        matching = list(_matching(export, rows)[: MOST_LOOKED_UP + 1])
        looked_up = matching[:MOST_LOOKED_UP]
        num = num_held(export, looked_up) if export.format == RECORDS else len(looked_up)
        if num:
            found.append(Held(export=export, num=num, is_whole=len(matching) <= MOST_LOOKED_UP))
    return found


def _matching(export: Export, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those of the rows that the export can hold, by its filters and by when it was built."""
    filters = read_filters(export.kind, export.filters)
    if export.kind == Export.Kind.RANKINGS:
        work = rows.filter(comparison__use=Comparison.Use.WORK, ranked_at__lte=export.finished_at)
        return ranking_matches(work, filters)
    made = rows.filter(created_at__lte=export.finished_at)
    if export.kind == Export.Kind.THUMBS:
        return thumb_matches(made, filters)
    return demonstration_matches(made.filter(state__in=filters.states or (Dialogue.State.ACCEPTED,)), filters)


def _holds(export: Export, row: Ranking | Dialogue) -> bool:
    filters = read_filters(export.kind, export.filters)
    if isinstance(row, Ranking):
        matches: QuerySet[Any] = ranking_matches(Ranking.objects.filter(id=row.id), filters)
        is_told_by_filters = row.comparison.use == Comparison.Use.GOLD
    else:
        states = filters.states or (Dialogue.State.ACCEPTED,)
        matches = demonstration_matches(Dialogue.objects.filter(id=row.id, state__in=states), filters)
        is_told_by_filters = False
    if export.format == RECORDS and not is_told_by_filters:
        return holds(export, row)
    return matches.exists()
