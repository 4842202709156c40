"""Records of an export that were retracted or withdrawn after it was requested.

An export never changes, so it keeps records that no longer count. The count marks the export and the models that were
trained on it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from labeling.exports.filters import read_filters
from labeling.exports.formats import RECORDS
from labeling.exports.lookup import holds
from labeling.exports.selection import demonstration_matches, ranking_matches, thumb_matches
from labeling.models import Comparison, Dialogue, Export, Ranking, Thumb

MOST_LOOKED_UP = 500  # retracted rows; beyond them the count is a lower bound


@dataclass(frozen=True, slots=True)
class Retractions:
    """Number of records of an export that no longer count; a lower bound where `is_whole` is False."""

    export: Export
    num: int
    is_whole: bool = True


def retractions_in(export: Export) -> Retractions:
    """Count the export's records that were retracted or withdrawn after it was requested."""
    if export.finished_at is None or export.state != Export.State.DONE or export.kind == Export.Kind.PROMPTS:
        return Retractions(export, 0)
    rows = list(_candidates(export)[: MOST_LOOKED_UP + 1])
    looked_up = rows[:MOST_LOOKED_UP]
    num = sum(holds(export, row) for row in looked_up) if export.format == RECORDS else len(looked_up)
    return Retractions(export, num, is_whole=len(rows) <= MOST_LOOKED_UP)


def with_retractions(exports: Iterable[Export]) -> list[Retractions]:
    """The exports among these that contain retracted records."""
    return [found for export in exports if (found := retractions_in(export)).num]


def _candidates(export: Export) -> QuerySet[Any]:
    """Rows that match the export's filters, existed when it was built and no longer count.

    Exports in other formats have no ids to look up: for them these rows are taken as the answer.
    """
    filters = read_filters(export.kind, export.filters)
    if export.kind == Export.Kind.RANKINGS:
        rows = Ranking.objects.filter(comparison__project=export.project_id, comparison__use=Comparison.Use.WORK)
        gone = Q(retracted_at__gte=export.created_at) | Q(comparison__state=Comparison.State.WITHDRAWN)
        rows = ranking_matches(rows.filter(gone, ranked_at__lte=export.finished_at), filters)
        return rows.order_by("-ranked_at", "id")
    if export.kind == Export.Kind.THUMBS:
        thumbs = Thumb.objects.filter(project=export.project_id, retracted_at__gte=export.created_at)
        return thumb_matches(thumbs.filter(created_at__lte=export.finished_at), filters).order_by("-created_at", "id")
    withdrawn = Dialogue.objects.filter(project=export.project_id, state=Dialogue.State.WITHDRAWN)
    return demonstration_matches(withdrawn.filter(created_at__lte=export.finished_at), filters).order_by(
        "-created_at", "id"
    )
