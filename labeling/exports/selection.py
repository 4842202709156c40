"""Which rows an export contains, by its kind and filters, in the order in which they are written."""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling.exports.filters import ADJUDICATED, CONSENSUS, Filters
from labeling.exports.visitors import only_consented
from labeling.models import Adjudication, Comparison, Dialogue, Message, Project, Prompt, Ranking, Thumb, User


def ranking_rows(project: Project, filters: Filters) -> QuerySet[Ranking]:
    """Rankings that count, ordered so that those of one comparison stand together.

    Where the adjudicated order is wanted, comparisons of which `adjudication_rows` has one are left out.
    """
    rows = Ranking.objects.filter(comparison__project=project, retracted_at=None, comparison__use__in=uses(filters))
    rows = rows.exclude(comparison__state=Comparison.State.WITHDRAWN)
    if filters.states:
        rows = rows.filter(comparison__state__in=filters.states)
    if filters.disagreements == ADJUDICATED:
        settled = adjudication_rows(project, filters).filter(comparison=OuterRef("comparison"))
        rows = rows.exclude(Exists(settled))
    return only_consented(ranking_matches(rows, filters)).order_by("comparison_id", "id")


def uses(filters: Filters) -> tuple[str, ...]:
    """The uses of comparisons whose rankings are exported: work, and visitors' choices only where they are named."""
    asks_visitors = "visitor" in filters.trainer_kinds
    return (Comparison.Use.WORK, Comparison.Use.PREVIEW) if asks_visitors else (Comparison.Use.WORK,)


def ranking_matches(rows: QuerySet[Ranking], filters: Filters) -> QuerySet[Ranking]:
    """Rankings that match the filters, retracted and withdrawn ones included."""
    return _orders_that_match(rows, filters, person="trainer", at="ranked_at")


def adjudication_rows(project: Project, filters: Filters) -> QuerySet[Adjudication]:
    """Adjudications that count and match the filters, in the order of rankings; none where only agreement is wanted."""
    rows = Adjudication.objects.of(project).in_force()
    if filters.disagreements == CONSENSUS:
        rows = rows.none()
    if filters.states:
        rows = rows.filter(comparison__state__in=filters.states)
    return adjudication_matches(rows, filters).order_by("comparison_id", "id")


def adjudication_matches(rows: QuerySet[Adjudication], filters: Filters) -> QuerySet[Adjudication]:
    """Adjudications that match the filters, withdrawn ones included; their reviewer counts as the trainer."""
    return _orders_that_match(rows, filters, person="reviewer", at="decided_at")


def _orders_that_match(rows: QuerySet[Any], filters: Filters, *, person: str, at: str) -> QuerySet[Any]:
    """`person` names the column of who gave the order, and "outside_" and it that of whom a file named; `at` when."""
    rows = _of_comparisons(rows, filters)
    if filters.trainers:
        of_here = Q(**{f"{person}__pseudonym__in": filters.trainers})
        rows = rows.filter(of_here | Q(**{f"outside_{person}__in": filters.trainers}))
    if filters.trainer_kinds:
        rows = rows.filter(_trainer_kinds(filters.trainer_kinds, person))
    return dated_between(rows, filters, at)


def demonstration_rows(project: Project, filters: Filters) -> QuerySet[Dialogue]:
    """Dialogues with a person's answers. A chat is not among them: its answers are the policy's."""
    rows = project.dialogues.filter(state__in=filters.states or (Dialogue.State.ACCEPTED,))
    return only_consented(demonstration_matches(rows, filters)).order_by("id")


def demonstration_matches(rows: QuerySet[Dialogue], filters: Filters) -> QuerySet[Dialogue]:
    """Dialogues that match the filters, whatever their state."""
    rows = rows.exclude(kind__in=(Dialogue.Kind.CHAT, Dialogue.Kind.VISITOR))
    rows = rows.filter(Exists(Message.objects.filter(dialogue=OuterRef("id"), role=Message.Role.ASSISTANT)))
    if filters.guideline_versions:
        rows = rows.filter(guideline_version__version__in=filters.guideline_versions)
    if filters.topics:
        rows = rows.filter(topic__in=filters.topics)
    if filters.trainers:
        rows = rows.filter(author__pseudonym__in=filters.trainers)
    if filters.trainer_kinds:
        rows = rows.filter(_trainer_kinds(filters.trainer_kinds, "author"))
    rows = rows.annotate(counts_from=Coalesce("reviewed_at", "submitted_at", "created_at"))
    return dated_between(rows, filters, "counts_from")


def prompt_rows(project: Project, filters: Filters) -> QuerySet[Prompt]:
    """Prompts of the pool that match the filters, without the retired ones."""
    rows = Prompt.objects.in_use().filter(project=project)
    if filters.topics:
        rows = rows.filter(topic__in=filters.topics)
    return only_consented(dated_between(rows, filters, "created_at")).order_by("id")


def thumb_rows(project: Project, filters: Filters) -> QuerySet[Thumb]:
    """Thumbs that count and match the filters."""
    rows = thumb_matches(Thumb.objects.to_learn_from().filter(project=project), filters)
    return only_consented(rows).order_by("id")


def thumb_matches(rows: QuerySet[Thumb], filters: Filters) -> QuerySet[Thumb]:
    """Thumbs that match the filters, retracted ones included; those of visitors only where they are asked for."""
    if filters.trainer_kinds:
        rows = rows.filter(trainer_kind__in=filters.trainer_kinds)
    else:
        rows = rows.exclude(trainer_kind="visitor")
    if filters.topics:
        rows = rows.filter(topic__in=filters.topics)
    if filters.trainers:
        rows = rows.filter(outside_trainer__in=filters.trainers)
    return dated_between(rows, filters, "given_at")


def rankings_left_out(project: Project) -> dict[str, int]:
    """Number of rankings that are never exported, by reason."""
    rows = Ranking.objects.filter(comparison__project=project)
    return _positive(
        retracted=rows.exclude(retracted_at=None).count(),
        withdrawn=rows.filter(retracted_at=None, comparison__state=Comparison.State.WITHDRAWN).count(),
        withdrawn_adjudications=Adjudication.objects.of(project)
        .filter(state=Adjudication.State.WITHDRAWN, decided_at__isnull=False)
        .count(),
        gold=rows.filter(retracted_at=None, comparison__use=Comparison.Use.GOLD).count(),
    )


def demonstrations_left_out(project: Project) -> dict[str, int]:
    rows = project.dialogues
    return _positive(
        withdrawn=rows.filter(state=Dialogue.State.WITHDRAWN).count(),
        chats=rows.filter(state=Dialogue.State.ACCEPTED, kind=Dialogue.Kind.CHAT).count(),
    )


def prompts_left_out(project: Project) -> dict[str, int]:
    return _positive(retired=project.prompts.filter(retired_at__isnull=False).count())


def thumbs_left_out(project: Project) -> dict[str, int]:
    return _positive(retracted=project.thumbs.exclude(retracted_at=None).count())


def _of_comparisons(rows: QuerySet[Any], filters: Filters) -> QuerySet[Any]:
    """Rankings or adjudications by what their comparisons are, and the guidelines that they were made under."""
    if filters.rounds:
        rows = rows.filter(comparison__round__number__in=filters.rounds)
    if filters.guideline_versions:
        rows = rows.filter(guideline_version__version__in=filters.guideline_versions)
    if filters.topics:
        rows = rows.filter(comparison__topic__in=filters.topics)
    return rows


def _positive(**counts: int) -> dict[str, int]:
    return {name: num for name, num in counts.items() if num}


def _trainer_kinds(kinds: Iterable[str], trainer: str) -> Q:
    conditions = {
        "imported": Q(**{f"{trainer}": None}),
        "simulated": Q(**{f"{trainer}__is_simulated": True}),
        "person": Q(**{f"{trainer}__is_simulated": False}) & ~Q(**{f"{trainer}__role": User.Role.VISITOR}),
        "visitor": Q(**{f"{trainer}__role": User.Role.VISITOR}),
    }
    return Q.create([conditions[kind] for kind in kinds], connector=Q.OR)


def dated_between(rows: QuerySet[Any], filters: Filters, column: str) -> QuerySet[Any]:
    if filters.since:
        rows = rows.filter(**{f"{column}__gte": _moment(filters.since, time.min)})
    if filters.until:
        rows = rows.filter(**{f"{column}__lte": _moment(filters.until, time.max)})
    return rows


def _moment(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, timezone.get_default_timezone())
