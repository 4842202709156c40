"""Reports: a person's word that an output is harmful, false, biased or refused wrongly, or that the filter erred.

One a person and output: a second one changes the first while nobody has decided on it. A report changes no ranking and
no model; what reviewers make of it is in labeling.safety.triage. Knows no page: chats, boards and the preview call it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import (
    AuditEvent,
    Case,
    Completion,
    Lease,
    Message,
    Project,
    Report,
    Screening,
    User,
    Webhook,
)
from labeling.safety.cases import join, lock_cases
from labeling.webhooks.deliveries import announce

Kind = Report.Kind
MOST_A_DAY = 20  # reports of one person in one project, within any 24 hours
LONGEST_NOTE = 2000  # characters
ABOUT_FILTER = (Kind.BLOCKED, Kind.LET_THROUGH)


class ReportError(ValueError):
    """A report that is refused; the text is for the person who made it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One's own report, and what became of it."""

    report: Report
    is_decided: bool
    is_agreed: bool
    action: str  # what is done about it, in words
    why: str
    made: tuple[str, ...]  # what was made of it, in words


def report(
    project: Project,
    *,
    by: User,
    kind: str,
    note: str = "",
    message: Message | None = None,
    completion: Completion | None = None,
    screening: Screening | None = None,
    num_shown: int | None = None,
    may_train: bool = True,
) -> tuple[Report, bool]:
    """The report of a message or a completion, and whether it is new. Raises ReportError with a sentence.

    The caller has seen to it that the person may read the output. `screening` is the one that it is about, found by
    itself where one acted; `num_shown` how often the output was shown, counted where it is not given. With
    `may_train=False`, nothing that a model learns from is made of it.
    """
    if kind not in Kind.values:
        raise ReportError(_("Choose what is wrong."))
    if (message is None) == (completion is None):
        raise ValueError("a report is about one message or one completion")
    with transaction.atomic():
        # Whoever reports twice at once waits here: the limit and the one report an output hold by this lock.
        User.objects.select_for_update(no_key=True).get(pk=by.pk)
        lock_cases(project.pk)
        found = own_report(by, message=message, completion=completion)
        is_new = found is None
        row = found or _new(project, by, message, completion)
        _require_may(row, project, by, is_new=is_new)
        row.kind, row.note, row.may_train = kind, note.strip()[:LONGEST_NOTE], may_train
        row.screening = screening or row.screening or _acted_on(message, completion)
        row.num_shown = max(row.num_shown, num_shown if num_shown is not None else _num_shown(completion))
        join(row)
        if is_new:
            announce(project, Webhook.Event.REPORT_OPENED, report=str(row.id), kind=kind)
        AuditEvent.note("report output" if is_new else "change report", row, by=by, kind=kind)
    return row, is_new


def own_report(by: User, *, message: Message | None = None, completion: Completion | None = None) -> Report | None:
    """This person's report of a message, or of a completion."""
    mine = Report.objects.filter(reporter=by).select_related("case")
    if message is not None:
        return mine.filter(message=message).first()
    return mine.filter(completion=completion, message=None).order_by("created_at").first()


def readable_reports(project: Project, *, by: User) -> QuerySet[Report]:
    """All reports of a project for those who triage them, their own for everybody else."""
    rows = Report.objects.filter(project=project).select_related("case", "reporter")
    return rows if by.can_review else rows.filter(reporter=by)


def outcomes_for(user: User, *, project: Project | None = None, most: int = 100) -> list[Outcome]:
    """A person's newest reports, each with what became of it."""
    mine = Report.objects.filter(reporter=user).select_related("case", "project", "message", "completion")
    if project is not None:
        mine = mine.filter(project=project)
    newest = mine.prefetch_related("case__follow_ups").order_by("-created_at", "-id")[:most]
    return [outcome_of(one) for one in newest]


def outcome_of(row: Report) -> Outcome:
    case = row.case
    is_decided = row.state == Report.State.HANDLED if case is None else case.state != Case.State.OPEN
    return Outcome(
        report=row,
        is_decided=is_decided,
        is_agreed=case is not None and case.state == Case.State.AGREED,
        action=str(case.get_action_display()) if case is not None and case.action else "",
        why=case.why if case is not None and is_decided else "",
        made=tuple(str(one.get_kind_display()) for one in case.follow_ups.all()) if case is not None else (),
    )


def forbid_training(user: User) -> int:
    """Have nothing made of a person's reports that a model learns from, from now on; returns of how many."""
    return Report.objects.filter(reporter=user, may_train=True).update(may_train=False)


def kinds(*, filter_acted: bool = False) -> list[tuple[str, Any]]:
    """The kinds to choose from, as (value, label); that the filter blocked wrongly only where it did something."""
    return [(one.value, _LABELS[one]()) for one in Kind if one != Kind.BLOCKED or filter_acted]


def reporters_of(case: Case) -> list[Any]:
    """Ids of the people who reported the case."""
    rows = Report.objects.filter(case=case).exclude(reporter=None)
    return list(rows.order_by().values_list("reporter", flat=True).distinct())


def _require_may(row: Report, project: Project, by: User, *, is_new: bool) -> None:
    if not is_new:
        if row.state != Report.State.OPEN:
            raise ReportError(_("Your report of this was decided on, and cannot be changed any more."))
        return
    since = timezone.now() - timedelta(days=1)
    if Report.objects.filter(reporter=by, project=project, created_at__gt=since).count() >= MOST_A_DAY:
        raise ReportError(_("You made %(n)d reports in a day. Please go on tomorrow.") % {"n": MOST_A_DAY})


def _new(project: Project, by: User, message: Message | None, completion: Completion | None) -> Report:
    content = message.content if message is not None else completion.content  # type: ignore[union-attr]
    return Report(
        project=project,
        reporter=by,
        message=message,
        completion=message.completion if message is not None else completion,
        content=content,
        messages=_asked(message, completion),
    )


def _asked(message: Message | None, completion: Completion | None) -> list[dict[str, Any]]:
    """The messages that the output answers, up to the last of a user; of what a person said, with that."""
    if message is not None:
        before = Message.objects.filter(dialogue=message.dialogue_id, position__lte=message.position)
        said = [one.plain for one in before.order_by("position") if one.pk != message.pk or one.role == "user"]
    else:
        assert completion is not None
        origin = completion.comparison or completion.run
        said = [{"role": one["role"], "content": one["content"]} for one in origin.messages] if origin else []
    while said and said[-1]["role"] != "user":
        said.pop()
    return said


def _acted_on(message: Message | None, completion: Completion | None) -> Screening | None:
    rows = Screening.objects.that_acted().order_by("-created_at")
    if message is not None:
        said = rows.filter(message=message).first()
        if said is not None or message.completion_id is None:
            return said
        return rows.filter(completion=message.completion_id).first()
    return rows.filter(completion=completion).first()


def _num_shown(completion: Completion | None) -> int:
    """A message of a chat was shown once; a completion to all who had its comparison on their board."""
    if completion is None or completion.comparison_id is None:
        return 1
    return max(1, Lease.objects.filter(comparison=completion.comparison_id).count())


_LABELS = {
    Kind.HARMFUL: lambda: _("Harmful or dangerous"),
    Kind.FALSE: lambda: _("False or misleading"),
    Kind.BIASED: lambda: _("Biased or degrading"),
    Kind.REFUSED: lambda: _("Refused wrongly"),
    Kind.OTHER: lambda: _("Something else"),
    Kind.BLOCKED: lambda: _("The filter blocked it wrongly"),
    Kind.LET_THROUGH: lambda: _("The filter should not have let it through"),
}
