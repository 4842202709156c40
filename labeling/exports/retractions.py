"""What was taken back after it had been exported: rankings retracted, comparisons and dialogues withdrawn.

An export never changes, so it keeps what its people no longer stand by. This marks it, and the models made of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from labeling.exports.filters import read_filters
from labeling.exports.formats import RECORDS
from labeling.exports.lookup import holds
from labeling.exports.selection import demonstration_matches, ranking_matches
from labeling.models import Comparison, Dialogue, Export, Ranking

MOST_LOOKED_UP = 500  # rows taken back; beyond them the number is a lower bound


@dataclass(frozen=True, slots=True)
class TakenBack:
    """How many records of an export nobody stands by any more; at least so many where not all were looked up."""

    export: Export
    num: int
    is_whole: bool = True


def taken_back(export: Export) -> TakenBack:
    """Its records that were retracted or withdrawn after it was asked for."""
    if export.finished_at is None or export.state != Export.State.DONE or export.kind == Export.Kind.PROMPTS:
        return TakenBack(export, 0)
    rows = list(_candidates(export)[: MOST_LOOKED_UP + 1])
    looked_up = rows[:MOST_LOOKED_UP]
    num = sum(holds(export, row) for row in looked_up) if export.format == RECORDS else len(looked_up)
    return TakenBack(export, num, is_whole=len(rows) <= MOST_LOOKED_UP)


def affected(exports: Iterable[Export]) -> list[TakenBack]:
    """The exports among these that hold something taken back."""
    return [found for export in exports if (found := taken_back(export)).num]


def _candidates(export: Export) -> QuerySet[Any]:
    """Rows that fit its filters, were there when it was built, and count no longer; other formats have no ids to
    look up, so that for them these are the answer."""
    filters = read_filters(export.kind, export.filters)
    if export.kind == Export.Kind.RANKINGS:
        rows = Ranking.objects.filter(comparison__project=export.project_id, comparison__use=Comparison.Use.WORK)
        gone = Q(retracted_at__gte=export.created_at) | Q(comparison__state=Comparison.State.WITHDRAWN)
        rows = ranking_matches(rows.filter(gone, ranked_at__lte=export.finished_at), filters)
        return rows.order_by("-ranked_at", "id")
    said = Dialogue.objects.filter(project=export.project_id, state=Dialogue.State.WITHDRAWN)
    return demonstration_matches(said.filter(created_at__lte=export.finished_at), filters).order_by("-created_at", "id")
