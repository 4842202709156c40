"""Which rows a withdrawal reaches: what one person made in a project, of some kinds, in some span of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from labeling.models import Dialogue, Project, Ranking, Thumb, User, Withdrawal

Kind = Withdrawal.Kind
KINDS = tuple(Kind.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Whose work, of which kinds, made from `since` to `until`, both inclusive; None is from the beginning, and now."""

    project: Project
    person: User | None = None
    outside_person: str = ""  # a name in imported rows, where `person` is None
    kinds: tuple[str, ...] = KINDS
    since: datetime | None = None
    until: datetime | None = None


def wanted_by(withdrawal: Withdrawal) -> Wanted:
    return Wanted(
        project=withdrawal.project,
        person=withdrawal.person,
        outside_person=withdrawal.outside_person,
        kinds=tuple(withdrawal.kinds),
        since=withdrawal.since,
        until=withdrawal.at,
    )


def rows_of(wanted: Wanted, kind: str) -> QuerySet[Any]:
    """The rows of one kind that still count, in the order in which batches take them."""
    if kind == Kind.RANKINGS:
        return _rankings(wanted)
    return _thumbs(wanted) if kind == Kind.THUMBS else _dialogues(wanted, kind)


def people_with_work(project: Project) -> QuerySet[User]:
    """Those whose work could be withdrawn, members or not any more."""
    ranked = Ranking.objects.filter(comparison__project=project).exclude(trainer=None).values("trainer")
    wrote = project.dialogues.exclude(author=None).values("author")
    gave = project.thumbs.exclude(created_by=None).values("created_by")
    return User.objects.filter(Q(id__in=ranked) | Q(id__in=wrote) | Q(id__in=gave)).order_by("username")


def is_known_outside(project: Project, name: str) -> bool:
    """Whether a ranking or a thumb came in under this name."""
    ranked = Ranking.objects.filter(comparison__project=project, outside_trainer=name)
    return ranked.exists() or project.thumbs.filter(outside_trainer=name).exists()


def kinds_in_words(kinds: Iterable[str]) -> str:
    return ", ".join(str(Kind(kind).label).lower() for kind in kinds) or str(_("nothing"))


def _rankings(wanted: Wanted) -> QuerySet[Ranking]:
    rows = Ranking.objects.filter(comparison__project=wanted.project, retracted_at=None)
    if wanted.person is not None:
        rows = rows.filter(trainer=wanted.person)
    else:
        rows = rows.filter(trainer=None, outside_trainer=wanted.outside_person)
    # A change is made when what it changes was made (labeling.rankings.mending.made_at).
    rows = rows.annotate(made_at=Coalesce("lease__closed_at", "ranked_at"))
    return _between(rows, wanted, "made_at").order_by("comparison_id", "id")


def _dialogues(wanted: Wanted, kind: str) -> QuerySet[Dialogue]:
    if wanted.person is None:
        return Dialogue.objects.none()  # imported dialogues have no author
    rows = Dialogue.objects.filter(project=wanted.project, author=wanted.person)
    rows = rows.filter(lease__isnull=kind != Kind.BETTER).exclude(state=Dialogue.State.WITHDRAWN)
    return _between(rows, wanted, "created_at").order_by("id")


def _thumbs(wanted: Wanted) -> QuerySet[Thumb]:
    """Of an account those that it handed in itself: what a program or an import brought in for others is not its."""
    if wanted.person is not None:
        own = Q(outside_trainer=wanted.person.pseudonym) | Q(outside_trainer="", created_by=wanted.person)
    else:
        own = Q(outside_trainer=wanted.outside_person)
    rows = Thumb.objects.that_count().filter(own, project=wanted.project)
    return _between(rows, wanted, "created_at").order_by("id")


def _between(rows: QuerySet[Any], wanted: Wanted, column: str) -> QuerySet[Any]:
    if wanted.since is not None:
        rows = rows.filter(**{f"{column}__gte": wanted.since})
    return rows if wanted.until is None else rows.filter(**{f"{column}__lte": wanted.until})
