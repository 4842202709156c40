"""Triage: the queue of cases, their texts revealed on demand, and the decision on each, with a reason.

Reports are read in the order of severity × reach × the weight of who reports (labeling.safety.cases keeps it). Whoever
reported a case does not decide on it, but for an admin, who may be alone. Knows no page.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Case, Project, Report, User, Withheld
from labeling.safety.cases import lock_cases, recount_those_of
from labeling.safety.reports import reporters_of

ORDER = ("-priority", "-id")
LONGEST_WHY = 2000  # characters
MOST_TEXTS = 10  # different texts of one case that are revealed at once
State = Case.State


class TriageError(ValueError):
    """A decision that is refused; the text is for the reviewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Revealed:
    """One text of a case: what was asked, what was answered, and what the filter kept back of the answer."""

    report: Report
    withheld: str


def queue(project: Project) -> QuerySet[Case]:
    """The open cases, the most urgent first."""
    return Case.objects.open().filter(project=project).order_by(*ORDER)


def decided(project: Project) -> QuerySet[Case]:
    return Case.objects.filter(project=project).exclude(state=State.OPEN)


def neighbours(case: Case) -> tuple[Case | None, Case | None]:
    """The open cases before and after this one in the queue, wherever it would stand."""
    rows = Case.objects.open().filter(project=case.project_id)
    same = Q(priority=case.priority)
    before = rows.filter(Q(priority__gt=case.priority) | same & Q(id__gt=case.id)).order_by("priority", "id").first()
    after = rows.filter(Q(priority__lt=case.priority) | same & Q(id__lt=case.id)).order_by(*ORDER).first()
    return before, after


def reveal(case: Case, *, by: User) -> list[Revealed]:
    """The different texts of the case, the first report of each; the audit says who read them, and what was withheld.

    Only triage and appeals open what the filter withheld.
    """
    with transaction.atomic():
        firsts = Report.objects.filter(case=case).order_by("text_sha256", "created_at", "id").distinct("text_sha256")
        reports = list(firsts.select_related("screening", "completion__policy")[:MOST_TEXTS])
        withheld = _withheld_of(reports)
        found = [Revealed(report=one, withheld=withheld.get(one.pk, "")) for one in reports]
        AuditEvent.note("reveal reported text", case, by=by, withheld=bool(withheld))
    return found


def decide(case: Case, *, agreed: bool, why: str, by: User, action: str = "") -> None:
    """Agree with the reports of a case, or not; `why` is read by its reporters. Raises TriageError."""
    if not why.strip():
        raise TriageError(_("Say why: who reported it reads it."))
    if agreed and action not in Case.Action.values:
        raise TriageError(_("Choose what is done about it."))
    with transaction.atomic():
        _lock(case)
        if case.state != State.OPEN:
            raise TriageError(_("This was decided meanwhile. Reload the page to read how."))
        if not by.is_admin and by.pk in reporters_of(case):
            raise TriageError(_("You reported this yourself; another reviewer decides on it."))
        case.state = State.AGREED if agreed else State.NOT_AGREED
        case.action, case.why = (action if agreed else ""), why.strip()[:LONGEST_WHY]
        case.decided_at, case.decided_by = timezone.now(), by
        _save(case, Report.State.HANDLED)
        AuditEvent.note("decide on reports", case, by=by, agreed=agreed, action=case.action, num=case.num_reports)


def reopen(case: Case, *, by: User) -> None:
    """Take a decision back: the case waits again. What was made of it stays. One that is open is unchanged."""
    with transaction.atomic():
        _lock(case)
        if case.state == State.OPEN:
            return
        case.state, case.action, case.why, case.decided_at, case.decided_by = State.OPEN, "", "", None, None
        _save(case, Report.State.OPEN)
        AuditEvent.note("reopen reports", case, by=by)


def decided_before(case: Case) -> Case | None:
    """The last decision on the same text, if it was reported before."""
    hashes = Report.objects.filter(case=case).values("text_sha256")
    decided = Case.objects.filter(project=case.project_id, reports__text_sha256__in=hashes).exclude(state=State.OPEN)
    return decided.exclude(id=case.id).select_related("decided_by").order_by("-decided_at").first()


def num_open(project: Project) -> int:
    return Case.objects.open().filter(project=project).count()


def _lock(case: Case) -> None:
    """Lock the cases of the project, and reload this one."""
    lock_cases(case.project_id)
    if not Case.objects.filter(pk=case.pk).exists():
        raise TriageError(_("This was joined with an earlier report of nearly the same text."))
    case.refresh_from_db()


def _save(case: Case, state: Report.State) -> None:
    case.save(update_fields=("state", "action", "why", "decided_at", "decided_by"))
    Report.objects.filter(case=case).update(state=state)
    recount_those_of(case.project, reporters_of(case))


def _withheld_of(reports: Iterable[Report]) -> dict[Any, str]:
    """What the filter withheld of the output of each report, by the report's id."""
    reports = list(reports)
    screenings = [one.screening_id for one in reports if one.screening_id]
    completions = [one.completion_id for one in reports if one.completion_id]
    rows = Withheld.objects.filter(Q(screening__in=screenings) | Q(screening__completion__in=completions))
    found = {}
    for row in rows.select_related("screening"):
        for one in reports:
            if row.screening_id == one.screening_id or (
                one.completion_id is not None and row.screening.completion_id == one.completion_id
            ):
                found[one.pk] = row.content
    return found
