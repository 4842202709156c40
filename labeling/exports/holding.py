"""What a withdrawal touches: the exports that hold a row, and the models that were trained on them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from labeling.exports.filters import read_filters
from labeling.exports.formats import RECORDS
from labeling.exports.lineage import Registry
from labeling.exports.lookup import KINDS, holds
from labeling.exports.selection import demonstration_matches, ranking_matches
from labeling.models import Comparison, Dialogue, Export, Ranking

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
