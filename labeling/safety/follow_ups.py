"""From a report into the loop: a prompt to compare, a demonstration to write, a probe kept; and what came of each.

Lineage is kept both ways: a follow-up names its case and the report whose text it was made of, and what it made; from
there the exports and models are those that hold its rankings or the demonstration. Knows no page.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.dialogues.editing import start_demonstration
from labeling.exports.holding import held_of
from labeling.exports.lineage import Model, Registry
from labeling.models import (
    AuditEvent,
    Case,
    Comparison,
    Dialogue,
    Export,
    FollowUp,
    Message,
    Project,
    Prompt,
    Ranking,
    Report,
    User,
)
from labeling.models.content_hash import fingerprint
from labeling.models.safety.reports import Probe
from labeling.prompts.near_duplicates import set_retired
from labeling.safety.cases import lock_cases
from labeling.safety.triage import TriageError
from labeling.sampling.comparisons import compare_wanted, lock_round, open_round, policy_of

SOURCE = "report"
MOST_AT_ONCE = 100  # prompts looked at by one sweep
_MOST_SHOWN = 20  # comparisons of one prompt
Kind = FollowUp.Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class CameOfIt:
    """A follow-up with what it led to: comparisons, rankings of them, exports that hold these, and models."""

    follow_up: FollowUp
    comparisons: list[Comparison] = field(default_factory=list)
    num_rankings: int = 0
    exports: list[Export] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)


def follow_up(case: Case, kind: str, *, by: User) -> FollowUp:
    """Make this of the case, or return what was made already. Raises TriageError with a sentence."""
    with transaction.atomic():
        lock_cases(case.project_id)
        made = FollowUp.objects.filter(case=case, kind=kind).select_related("dialogue").first()
        if made is not None:
            return made
        report = _report_for(case, kind)
        row = FollowUp(case=case, kind=kind, report=report, by=by)
        _MAKE[Kind(kind)](row, report, by)
        row.save()
        AuditEvent.note(f"make {kind} of report", case, by=by, follow_up=str(row.id), report=str(report.id))
    return row


def compare_reported(project: Project) -> int:
    """Request comparisons of prompts that were made of reports; returns how many. Safe to repeat.

    Where no round is open they wait for the next one.
    """
    rows = FollowUp.objects.filter(kind=Kind.PROMPT, comparison=None, case__project=project, prompt__retired_at=None)
    waiting = list(rows.exclude(prompt=None).select_related("prompt").order_by("created_at", "id")[:MOST_AT_ONCE])
    round_ = open_round(project) if waiting and project.archived_at is None else None
    if round_ is None or policy_of(round_) is None:
        return 0
    with transaction.atomic():
        prompts = [one.prompt for one in waiting if one.prompt is not None]
        known = compare_wanted(lock_round(project), prompts, most=MOST_AT_ONCE)
        for one in waiting:
            one.comparison = known.get(one.prompt_id)
        FollowUp.objects.bulk_update(waiting, ["comparison"])
    return sum(one.comparison is not None for one in waiting)


def came_of(case: Case) -> list[CameOfIt]:
    """What was made of a case, and what came of each; a fixed number of queries for each."""
    rows = case.follow_ups.select_related("prompt", "dialogue", "probe", "by", "comparison").order_by("created_at")
    return [_followed(case, one) for one in rows]


def _followed(case: Case, row: FollowUp) -> CameOfIt:
    if row.dialogue is not None:
        return _with_models(row, Dialogue.objects.filter(id=row.dialogue.id), case.project)
    if row.prompt is None:
        return CameOfIt(follow_up=row)
    comparisons = list(Comparison.objects.filter(prompt=row.prompt).select_related("round")[:_MOST_SHOWN])
    rankings = Ranking.objects.filter(comparison__in=comparisons, retracted_at=None)
    num = rankings.count()
    if not num:
        return CameOfIt(follow_up=row, comparisons=comparisons)
    return _with_models(row, rankings, case.project, comparisons=comparisons, num_rankings=num)


def _with_models(row: FollowUp, rows: Any, project: Project, **more: Any) -> CameOfIt:
    exports = [held.export for held in held_of(project, rows)]
    after = Registry().models_after(*exports) if exports else []
    models = [one for one in after if one.project_id in (None, project.pk)]  # others' are not theirs to see
    return CameOfIt(follow_up=row, exports=exports, models=models, **more)


def _report_for(case: Case, kind: str) -> Report:
    """The first report of the case of which this may be made."""
    reports = [one for one in Report.objects.filter(case=case).order_by("created_at", "id")[:100] if one.messages]
    if not reports:
        raise TriageError(_("What was asked is not known any more, so nothing can be made of it."))
    if kind == Kind.PROBE:
        return reports[0]
    if reason := case.project.why_no_new_work:
        raise TriageError(reason)
    allowed = next((one for one in reports if one.may_train), None)
    if allowed is None:
        raise TriageError(_("Who reported it has not agreed that models learn from their words. Keep it as a probe."))
    return allowed


def _make_prompt(row: FollowUp, report: Report, by: User) -> None:
    row.prompt, is_new = Prompt.objects.get_or_create(
        project=report.project,
        content_sha256=fingerprint(report.messages),
        defaults={"messages": report.messages, "source": SOURCE, "created_by": by},
    )
    if not is_new and row.prompt.retired_at is not None:
        set_retired(row.prompt, retired=False, by=by)


def _make_demonstration(row: FollowUp, report: Report, by: User) -> None:
    """A draft of the one who asks for it, with what was asked; its answer is theirs to write."""
    dialogue = start_demonstration(report.project, by=by)
    Dialogue.objects.filter(id=dialogue.id).update(source=SOURCE)
    Message.objects.bulk_create(
        Message(
            dialogue=dialogue,
            position=position,
            role=said["role"],
            content=said["content"],
            authorship=Message.Authorship.IMPORTED,
        )
        for position, said in enumerate(report.messages)
    )
    row.dialogue = dialogue


def _make_probe(row: FollowUp, report: Report, by: User) -> None:
    row.probe = Probe.objects.create(
        project=report.project,
        messages=report.messages,
        answer=report.content,
        kind=report.kind,
        why=report.note,
        created_by=by,
    )


_MAKE: dict[Kind, Callable[[FollowUp, Report, User], None]] = {
    Kind.PROMPT: _make_prompt,
    Kind.DEMONSTRATION: _make_demonstration,
    Kind.PROBE: _make_probe,
}
