"""Records of an export that were retracted, withdrawn, no longer accepted or erased after it was requested.

An export never changes, so it keeps records that no longer count. The count marks the export and the models that were
trained on it. The ids of those that were erased stand beside it, and whoever reads it skips them (records.lines).
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet

from labeling.exports.files import directory_of
from labeling.exports.filters import CONSENSUS, read_filters
from labeling.exports.formats import RECORDS
from labeling.exports.lookup import Key, held_keys, num_held
from labeling.exports.selection import adjudication_matches, demonstration_matches, ranking_matches, thumb_matches, uses
from labeling.models import Adjudication, Comparison, Dialogue, Export, Project, Ranking, Thumb, WithdrawnRow
from records.lines import erased_ids
from records.names import ERASED_FILE

_NEVER = (Export.Kind.PROMPTS, Export.Kind.LABELS)  # kinds of which no record is taken back by its author
MOST_LOOKED_UP = 500  # retracted rows; beyond them the count is a lower bound


@dataclass(frozen=True, slots=True)
class Retractions:
    """Number of records of an export that no longer count; a lower bound where `is_whole` is False.

    The others of them than `num_withdrawn` were changed by their author: another version took their place.
    """

    export: Export
    num: int
    num_withdrawn: int = 0
    is_whole: bool = True

    @property
    def share(self) -> float:
        """The share of the export's records that was withdrawn."""
        return self.num_withdrawn / self.export.num_records if self.export.num_records else 0.0


def retractions_in(export: Export) -> Retractions:
    """Count the export's records that were retracted, withdrawn or no longer accepted after it was requested."""
    if export.finished_at is None or export.state != Export.State.DONE or export.kind in _NEVER:
        return Retractions(export, 0)
    rows = [*_candidates(export)[: MOST_LOOKED_UP + 1], *_adjudications(export)[: MOST_LOOKED_UP + 1]]
    looked_up = rows[:MOST_LOOKED_UP]
    replaced = [row for row in looked_up if getattr(row, "is_replaced", False)]
    withdrawn = [row for row in looked_up if not getattr(row, "is_replaced", False)]
    num_replaced, num_withdrawn = (_num_in(export, some) for some in (replaced, withdrawn))
    return Retractions(export, num_replaced + num_withdrawn, num_withdrawn, is_whole=len(rows) <= MOST_LOOKED_UP)


def with_retractions(exports: Iterable[Export]) -> list[Retractions]:
    """The exports among these that contain retracted records."""
    return [found for export in exports if (found := retractions_in(export)).num]


def withdrawn_in(exports: Iterable[Export]) -> dict[UUID, Retractions]:
    """Those of the exports, all of one project, that hold withdrawn records, by id. Quick where none was withdrawn."""
    exports = list(exports)
    is_anything = {kind: _is_anything_withdrawn(exports, kind) for kind in {export.kind for export in exports}}
    counted = ((export.id, retractions_in(export)) for export in exports if is_anything[export.kind])
    return {identifier: one for identifier, one in counted if one.num_withdrawn}


def marked(exports: Iterable[Export]) -> list[Export]:
    """The exports, all of one project, each with `withdrawn`: what it holds that was withdrawn since, or None."""
    exports = list(exports)
    found = withdrawn_in(exports)
    for export in exports:
        export.withdrawn = found.get(export.id)  # type: ignore[attr-defined]
    return exports


def _is_anything_withdrawn(exports: list[Export], kind: str) -> bool:
    projects = {export.project_id for export in exports}
    if kind == Export.Kind.RANKINGS:
        rows = Ranking.objects.filter(comparison__project__in=projects)
        adjudications = Adjudication.objects.filter(comparison__project__in=projects, withdrawn_at__isnull=False)
        gone = Q(retracted_at__isnull=False) | Q(comparison__state=Comparison.State.WITHDRAWN)
        return rows.filter(gone).exists() or adjudications.exists()
    if kind == Export.Kind.THUMBS:
        return Thumb.objects.filter(project__in=projects, retracted_at__isnull=False).exists()
    return Dialogue.objects.filter(project__in=projects, state=Dialogue.State.WITHDRAWN).exists()


def replaced_rankings() -> Q:
    """Rankings that are retracted because another version took their place, and not because they were withdrawn.

    Needs `by_admin`, which `with_is_by_admin` annotates.
    """
    return Q(retracted_at__isnull=False, lease=None, is_choice=False, by_admin=False)


def with_is_by_admin(rankings: QuerySet[Ranking]) -> QuerySet[Ranking]:
    """Annotated with `by_admin`: whether a withdrawal for a person took it out. An imported one shows it nowhere."""
    return rankings.annotate(by_admin=Exists(WithdrawnRow.objects.filter(row_id=OuterRef("id"), put_back_at=None)))


def _num_in(export: Export, rows: list[Any]) -> int:
    return num_held(export, rows) if export.format == RECORDS else len(rows)


def _adjudications(export: Export) -> QuerySet[Any]:
    """Adjudications, as `_candidates` has rankings."""
    rows: QuerySet[Adjudication] = Adjudication.objects.filter(
        comparison__project=export.project_id, comparison__use=Comparison.Use.WORK
    )
    if export.kind != Export.Kind.RANKINGS:
        return rows.none()
    gone = Q(withdrawn_at__gte=export.created_at) | Q(comparison__state=Comparison.State.WITHDRAWN)
    filters = read_filters(export.kind, export.filters)
    rows = adjudication_matches(rows.filter(gone, decided_at__lte=export.finished_at), filters)
    return (rows.none() if filters.disagreements == CONSENSUS else rows).order_by("-decided_at", "id")


def _candidates(export: Export) -> QuerySet[Any]:
    """Rows that match the export's filters, existed when it was built and no longer count.

    Exports in other formats have no ids to look up: for them these rows are taken as the answer.
    """
    filters = read_filters(export.kind, export.filters)
    if export.kind == Export.Kind.RANKINGS:
        rows = Ranking.objects.filter(comparison__project=export.project_id, comparison__use__in=uses(filters))
        gone = Q(retracted_at__gte=export.created_at) | Q(comparison__state=Comparison.State.WITHDRAWN)
        rows = ranking_matches(rows.filter(gone, ranked_at__lte=export.finished_at), filters)
        # Withdrawn ones first: where there are too many to look up, they are what matters.
        rows = with_is_by_admin(rows).annotate(is_replaced=ExpressionWrapper(replaced_rankings(), BooleanField()))
        return rows.order_by("is_replaced", "-ranked_at", "id")
    if export.kind == Export.Kind.THUMBS:
        thumbs = Thumb.objects.filter(project=export.project_id, retracted_at__gte=export.created_at)
        return thumb_matches(thumbs.filter(created_at__lte=export.finished_at), filters).order_by("-created_at", "id")
    wanted = filters.states or (Dialogue.State.ACCEPTED,)
    unaccepted = Q(unaccepted_at__gte=export.created_at) & ~Q(state__in=wanted)
    gone = Q(state=Dialogue.State.WITHDRAWN) | unaccepted
    if export.format == RECORDS:  # ids are looked up, and the date of what was accepted and returned is another by now
        filters = replace(filters, since=None, until=None)
    dialogues = Dialogue.objects.filter(gone, project=export.project_id, created_at__lte=export.finished_at)
    return demonstration_matches(dialogues, filters).order_by("-created_at", "id")


def mark_erased(project: Project, keys_by_kind: Mapping[str, Iterable[Key]]) -> int:
    """Put the ids beside every export of the project that holds such a record; returns how many records were marked."""
    num = 0
    done = project.exports.filter(state=Export.State.DONE, kind__in=list(keys_by_kind))
    for identifier in done.values_list("id", flat=True):
        with transaction.atomic():
            # Locked, so that of two erasures at the same time neither writes a list without the other's ids.
            export = Export.objects.select_for_update().get(id=identifier)
            held = held_keys(export, [tuple(key) for key in keys_by_kind[export.kind]])
            num += _add(directory_of(export), {key[-1] for key in held})
    return num


def num_erased(export: Export) -> int:
    """How many of the export's records were erased since it was made."""
    return len(erased_ids(Path(settings.PARLEY_STORE) / export.store_path)) if export.store_path else 0


def _add(directory: Path, ids: set[str]) -> int:
    """Add ids to the file, whole or not at all: a reader sees the list before or after."""
    before = erased_ids(directory)
    new = ids - before
    if new:
        written = directory.with_name(f"tmp-{directory.name}-{os.getpid()}-{ERASED_FILE}")
        written.write_text("".join(f"{json.dumps({'id': one})}\n" for one in sorted(before | new)), encoding="utf-8")
        written.replace(directory / ERASED_FILE)
    return len(new)
