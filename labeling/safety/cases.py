"""Cases: reports of one text, or of nearly the same one, joined; with the figures by which the queue is ordered.

A report joins the open case of the same text at once, by its hash. A case of a text that means nearly the same joins an
earlier one when its vector arrives, as labeling.prompts.near_duplicates has it. A decided case is joined by none: what
is reported again afterwards is looked at again. Knows no page.
"""

import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Max, Q
from pgvector import HalfVector

from labeling.models import Case, CaseVector, FollowUp, Project, Report, User
from labeling.prompts.near_duplicates import MIN_SIMILARITY, nearest_to, request_vectors
from labeling.statistics import triage
from records import EmbedResult

Kind = Report.Kind
SEVERITY = {
    Kind.HARMFUL: 4.0,
    Kind.LET_THROUGH: 4.0,
    Kind.BIASED: 3.0,
    Kind.FALSE: 2.0,
    Kind.REFUSED: 2.0,
    Kind.BLOCKED: 2.0,
    Kind.OTHER: 1.0,
}

_FIGURES = ("kinds", "num_reports", "num_reporters", "num_shown", "last_reported_at", "weight", "priority")


def text_of_report(report: Report) -> str:
    """The text by which reports are alike: what was answered; where nothing was, or it was refused, what was asked.

    Refusals resemble each other whatever was refused.
    """
    if report.messages and (report.kind == Kind.REFUSED or not report.content.strip()):
        return str(report.messages[-1]["content"])
    return report.content


def text_sha256(text: str) -> str:
    """The same for texts that look the same: zero-width characters, widths, case and spaces make no other text."""
    seen = "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")
    return sha256(" ".join(seen.casefold().split()).encode()).hexdigest()


def join(report: Report) -> None:
    """Put a new or changed report into the open case of its text, or into a new one. In the caller's transaction."""
    lock_cases(report.project_id)
    before = report.case
    report.text_sha256 = text_sha256(text_of_report(report))
    same = Report.objects.filter(project=report.project_id, text_sha256=report.text_sha256, state=Report.State.OPEN)
    others = same.exclude(id=report.id).filter(case__state=Case.State.OPEN).select_related("case")
    known = others.order_by("created_at").first()
    report.case = known.case if known is not None else Case.objects.create(project_id=report.project_id)
    report.save()
    recount([case for case in (before, report.case) if case is not None])


def recount(cases: Iterable[Case]) -> None:
    """Count the reports of these cases again, and place them in the queue; one without any is deleted."""
    for case in {one.pk: one for one in cases}.values():
        rows = Report.objects.filter(case=case)
        kinds = dict(rows.order_by().values_list("kind").annotate(num=Count("id")))
        if not kinds:
            Case.objects.filter(id=case.id).delete()
            continue
        # The many whose account is gone count as one.
        people = list(rows.order_by().values_list("reporter", flat=True).distinct())
        facts = rows.aggregate(shown=Max("num_shown"), last=Max("created_at"))
        case.kinds, case.num_reports, case.num_reporters = kinds, sum(kinds.values()), len(people)
        case.num_shown, case.last_reported_at = facts["shown"], facts["last"]
        weights = weights_of(case.project_id, [one for one in people if one is not None])
        case.weight = (sum(weights.values()) + len(people) - len(weights)) / len(people)
        reach = triage.reach(num_reporters=case.num_reporters, num_shown=case.num_shown)
        severities = [SEVERITY[Kind(kind)] for kind in kinds]
        case.priority = triage.priority(severities, reach=reach, weight=case.weight)
        case.save(update_fields=_FIGURES)


def recount_those_of(project: Project, reporters: Iterable[User | Any]) -> None:
    """Place the open cases of these people again, since the weight of their word has changed."""
    recount(Case.objects.open().filter(project=project, reports__reporter__in=list(reporters)).distinct())


def weights_of(project_id: Any, people: list[Any]) -> dict[Any, float]:
    """The weight of each person's word, by the cases of the project that they reported and that were decided.

    By cases, not reports: to report one text a hundred times is to be right once.
    """
    decided = Report.objects.filter(project=project_id, reporter__in=people).exclude(case=None)
    decided = decided.exclude(case__state=Case.State.OPEN)
    rows = decided.order_by().values("reporter").annotate(
        num=Count("case", distinct=True), agreed=Count("case", filter=Q(case__state=Case.State.AGREED), distinct=True)
    )  # fmt: skip
    found = {row["reporter"]: (row["agreed"], row["num"]) for row in rows}
    counts = {one: found.get(one, (0, 0)) for one in people}
    return {one: triage.reporter_weight(num_agreed=agreed, num_decided=num) for one, (agreed, num) in counts.items()}


def ask_for_vectors(project: Project) -> int:
    """Request vectors for open cases that have none; returns for how many."""
    return request_vectors(Case.objects.open().filter(project=project, has_vector=False), text_of)


def text_of(case: Case) -> str:
    """What the case is about: the text of its first report."""
    report = Report.objects.filter(case=case).order_by("created_at", "id").first()
    return text_of_report(report) if report is not None else ""


def record_vectors(result: EmbedResult) -> int:
    """Store the vectors of cases, and join each with the nearest open one; returns how many were new.

    Ids of other rows are passed over: prompts are embedded by the same task.
    """
    if result.error is not None:
        return 0
    vectors = dict(zip(result.ids, result.vectors, strict=True))
    with transaction.atomic():
        projects = Case.objects.filter(id__in=result.ids).order_by().values_list("project", flat=True).distinct()
        for project_id in sorted(projects, key=str):
            lock_cases(project_id)
        waiting = Case.objects.open().filter(id__in=result.ids, has_vector=False).order_by("created_at", "id")
        cases = list(waiting.select_related("project"))
        for case in cases:
            _store_vector(case, vectors[str(case.id)])
    for project in {case.project_id: case.project for case in cases}.values():
        ask_for_vectors(project)
    return len(cases)


def forget_vector(case: Case) -> None:
    """Have the case embedded anew: the text that its vector was made of is gone."""
    CaseVector.objects.filter(case=case).delete()
    Case.objects.filter(id=case.id).update(has_vector=False, vector_asked_at=None)


def lock_cases(project_id: Any) -> None:
    """Lock the cases of a project until the end of the transaction, so that two reports of one text make one case.

    It is an advisory lock, since the case that both would make is no row yet.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: cases of {project_id}"])


def _store_vector(case: Case, vector: tuple[float, ...]) -> None:
    value = HalfVector(list(vector))
    is_open = CaseVector.objects.filter(project=case.project_id, case__state=Case.State.OPEN).exclude(case=case)
    nearest, similarity = nearest_to(value, is_open)
    if similarity is not None and similarity >= MIN_SIMILARITY and not FollowUp.objects.filter(case=case).exists():
        earlier = Case.objects.get(pk=nearest)
        Report.objects.filter(case=case).update(case=earlier)
        recount([case, earlier])
        return
    CaseVector.objects.create(case=case, project_id=case.project_id, vector=value)
    Case.objects.filter(id=case.id).update(has_vector=True)
