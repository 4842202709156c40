"""Labelled texts of an export: which of the drawn texts leave, and their records."""

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from labeling.exports.filters import Filters
from labeling.exports.selection import dated_between
from labeling.exports.splits import split_under_filters
from labeling.models import DrawnText, Project, User
from labeling.models.content_hash import text_sha256
from records import LabelledText, Message, RecordError


def label_rows(project: Project, filters: Filters) -> QuerySet[DrawnText]:
    """Settled texts that no appeal alone brought in, whose authors let them be learnt from.

    What is withheld stays so unless the export asks for it.
    """
    rows = that_may_be_learnt_from(DrawnText.objects.filter(project=project).to_train_on())
    if not filters.includes_withheld:
        rows = rows.filter(screening__withheld=None)
    return dated_between(rows, filters, "created_at").order_by("id")


def that_may_be_learnt_from(rows: QuerySet[DrawnText]) -> QuerySet[DrawnText]:
    """Without visitors' texts: none of them said that they may be learnt from. The one place that decides it."""
    visitor = User.Role.VISITOR
    of_message = Q(screening__message__dialogue__author__role=visitor)
    of_run = Q(screening__run__requested_by__role=visitor) | Q(screening__run__dialogue__author__role=visitor)
    of_completion = Q(screening__completion__run__requested_by__role=visitor)
    return rows.exclude(of_message).exclude(of_run).exclude(of_completion)


def labels_left_out(project: Project) -> dict[str, int]:
    """Number of drawn texts that are not exported, by reason."""
    drawn = DrawnText.objects.filter(project=project)
    learnable = drawn.to_train_on()
    counts = {
        "not settled": drawn.unsettled().count(),
        "of appeals alone": drawn.filter(came_by=DrawnText.CameBy.APPEAL).count(),
        "of visitors": learnable.count() - that_may_be_learnt_from(learnable).count(),
    }
    return {name: num for name, num in counts.items() if num}


def read_labels(ids: Sequence[str], filters: Filters) -> list[LabelledText]:
    """Without texts that were changed since they were drawn: another text was judged."""
    about = ("message", "completion", "run", "withheld")
    rows = DrawnText.objects.filter(id__in=ids).select_related("screening", *(f"screening__{name}" for name in about))
    found = {str(row.id): row for row in rows.prefetch_related("labels__guideline_version")}
    records = (_record(found[one], filters) for one in ids if one in found)
    return [record for record in records if record is not None]


def _record(row: DrawnText, filters: Filters) -> LabelledText | None:
    text = row.screening.whole_text
    labels = row.consensus()
    if text_sha256(text) != row.text_sha256 or not labels:
        return None
    versions = [label.guideline_version.version for label in row.labels.all() if label.guideline_version]
    try:
        return LabelledText(
            id=str(row.id),
            text=text,
            labels={name: int(answer) for name, answer in labels.items()},
            side=row.screening.side,  # type: ignore[arg-type]
            came_by=row.came_by,
            inclusion=row.inclusion,
            num_labels=row.num_labels,
            guideline_version=max(versions, default=None),
            split=split_under_filters((Message(role="user", content=text),), filters),
        )
    except ValueError as error:
        raise RecordError(f"labelled text {row.id}: {error}") from error
