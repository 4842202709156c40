"""Conflicts that rows show: a juror who wrote, reported or decided on what an entry is about.

Not found: people who know each other, or work for the same firm. Jurors declare those.
"""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Q
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Challenge, Conflict, Entry, Juror, Report


def detect(challenge: Challenge) -> int:
    """Note every conflict between jurors and entries that is not noted yet; returns how many were new."""
    jurors: dict[object, Juror] = {one.user_id: one for one in challenge.jurors.all()}
    entries = list(challenge.entries.sent().prefetch_related("reports__message__dialogue", "reports__completion__run"))
    deciders = _deciders(entries)
    found = {pair: why for entry in entries for pair, why in _of(entry, jurors, deciders).items()}
    known = set(Conflict.objects.filter(entry__challenge=challenge).values_list("entry_id", "juror_id"))
    new = [
        Conflict(entry=entry, juror=juror, came_by=Conflict.CameBy.DETECTED, why=why)
        for (entry, juror), why in found.items()
        if (entry.pk, juror.pk) not in known
    ]
    Conflict.objects.bulk_create(new)
    return len(new)


def _of(entry: Entry, jurors: dict[object, Juror], deciders: dict[str, set[object]]) -> dict[tuple[Entry, Juror], str]:
    reports = list(entry.reports.all())
    people: dict[object, str] = {}
    for report in reports:
        people |= dict.fromkeys(deciders[str(report.pk)], _("decided on a report in it"))
        if report.message is not None:
            people[report.message.dialogue.author_id] = _("took part in the dialogue that it reports")
        if report.completion is not None and report.completion.run is not None:
            people[report.completion.run.requested_by_id] = _("asked for the answer that it reports")
    people |= dict.fromkeys(_others_who_reported(reports), _("reported the same output"))
    people[entry.author_id] = _("wrote it")
    return {(entry, jurors[person]): why for person, why in people.items() if person in jurors}


def _others_who_reported(reports: Iterable[Report]) -> set[object]:
    same = Q()
    for report in reports:
        if report.message_id is not None:
            same |= Q(message_id=report.message_id)
        if report.completion_id is not None:
            same |= Q(completion_id=report.completion_id)
    return set(Report.objects.filter(same).values_list("reporter_id", flat=True)) if same else set()


def _deciders(entries: Iterable[Entry]) -> dict[str, set[object]]:
    """Who changed what became of a report, or decided on its case, by the report, as the audit has it."""
    held = [report for entry in entries for report in entry.reports.all()]
    subjects = {str(report.pk) for report in held}
    of_case: defaultdict[str, set[str]] = defaultdict(set)
    for report in held:
        of_case[str(report.case_id)].add(str(report.pk))
    found: defaultdict[str, set[object]] = defaultdict(set)
    wanted = Q(subject_type="report", subject_id__in=subjects) | Q(subject_type="case", subject_id__in=of_case)
    for kind, subject, person in AuditEvent.objects.filter(wanted).values_list("subject_type", "subject_id", "by_id"):
        for identifier in of_case[subject] if kind == "case" else {subject}:
            found[identifier].add(person)
    return found
