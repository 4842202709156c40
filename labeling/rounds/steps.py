"""The eight steps of a round in the order of the loop: the state of each and the action it offers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.exports.filters import Filters
from labeling.exports.selection import demonstration_rows
from labeling.models import (
    AuditEvent,
    Comparison,
    Completion,
    Dialogue,
    Export,
    Policy,
    Project,
    Ranking,
    Round,
    SamplingRun,
    TrainingJob,
    User,
)
from labeling.rounds.training_inputs import FROM_PREFERENCE, SCORED

Kind = TrainingJob.Kind
WAITING, WORKING, READY, DONE, FAILED = "waiting", "working", "ready", "done", "failed"


@dataclass(frozen=True, kw_only=True)
class RoundStep:
    """One step. `state` is waiting (for an earlier step), ready, working, done or failed."""

    name: str
    label: str
    state: str
    count: int
    unit: str
    seconds: float | None = None
    note: str = ""
    action: str = ""
    url: str = ""
    is_next: bool = False


def round_steps(project: Project, *, viewer: User | None = None) -> list[RoundStep]:
    """The steps of the project's newest round; before the first round only writing.

    A `viewer` is offered only actions of their role. The first step that is ready or failed is marked as next.
    """
    found = [_for_viewer(step, viewer) for step in _all_steps(project)]
    next_step = next((step for step in found if step.state in (READY, FAILED) and step.action), None)
    return [replace(step, is_next=step is next_step) for step in found]


def _all_steps(project: Project) -> list[RoundStep]:
    current = project.current_round
    made = [_write(project)]
    if current is None:
        return made
    sampled, ranked = _sample(project, current), _rank(project, current)
    exported = _export(project, current, ranked)
    jobs = list(current.training_jobs.order_by("-created_at"))
    reward = _train(project, jobs, (Kind.REWARD_MODEL,), ready=exported.count > 0)
    policy = _train(project, jobs, FROM_PREFERENCE, ready=reward.count > 0)
    if reward.state == READY and policy.count and not any(job.kind in SCORED for job in jobs):
        reward = replace(reward, state=WAITING, note=_("%(kind)s needs none") % {"kind": policy.label})
    candidate = _candidate(current)
    return [
        *made,
        sampled,
        ranked,
        exported,
        reward,
        policy,
        _compare(project, current, candidate),
        _promote(project, candidate),
    ]


def _for_viewer(step: RoundStep, viewer: User | None) -> RoundStep:
    if viewer is None:
        return step
    writes = viewer.can_write_and_rank or not step.url.endswith(("/write/", "/chat/", "/rank/"))
    reviews = viewer.can_review or not step.url.endswith("/review/")
    return step if writes and reviews else replace(step, action="", url="")


def _write(project: Project) -> RoundStep:
    num = demonstration_rows(project, Filters()).count()
    waiting = project.dialogues.filter(state=Dialogue.State.SUBMITTED).count()
    seconds = project.dialogues.exclude(state=Dialogue.State.WITHDRAWN).aggregate(sum=Sum("seconds"))["sum"]
    return RoundStep(
        name="write",
        label=_("Write"),
        state=DONE if num else READY,
        count=num,
        unit=ngettext("demonstration", "demonstrations", num),
        seconds=seconds,
        note=(ngettext("%(n)d waits for review", "%(n)d wait for review", waiting) % {"n": waiting}) if waiting else "",
        action=_("Write") if not waiting else _("Review"),
        url=reverse("write" if not waiting else "review", args=(project.slug,)),
    )


def _sample(project: Project, current: Round) -> RoundStep:
    states = dict(current.comparisons.values_list("state").annotate(num=Count("id")).values_list("state", "num"))
    sampling, failed = states.get(Comparison.State.SAMPLING, 0), states.get(Comparison.State.FAILED, 0)
    begun = bool(states)
    runs = SamplingRun.objects.filter(comparison__round=current)
    num = Completion.objects.filter(comparison__round=current).count()
    return RoundStep(
        name="sample",
        label=_("Sample"),
        state=WORKING if sampling else DONE if num else FAILED if failed else READY,
        count=num,
        unit=ngettext("completion", "completions", num),
        seconds=runs.aggregate(sum=Sum("seconds"))["sum"],
        note=_note(sampling, _("%(n)d comparisons are being sampled")) or _note(failed, _("%(n)d comparisons failed")),
        action=_("See sampling") if begun else _("Chat with the policy"),
        url=reverse("sampling" if begun else "chat", args=(project.slug,)),
    )


def _rank(project: Project, current: Round) -> RoundStep:
    rankings = Ranking.objects.filter(comparison__round=current, retracted_at=None, comparison__use=Comparison.Use.WORK)
    figures = rankings.aggregate(num=Count("id"), seconds=Sum("seconds"))
    open_places = current.comparisons.filter(state=Comparison.State.OPEN).aggregate(sum=Sum("open_slots"))["sum"] or 0
    return RoundStep(
        name="rank",
        label=_("Rank"),
        state=READY if open_places else DONE if figures["num"] else WAITING,
        count=figures["num"],
        unit=ngettext("ranking", "rankings", figures["num"]),
        seconds=figures["seconds"],
        note=_note(open_places, _("%(n)d more wanted")),
        action=_("Rank") if open_places else "",
        url=reverse("rank", args=(project.slug,)),
    )


def _export(project: Project, current: Round, ranked: RoundStep) -> RoundStep:
    since = project.exports.filter(created_at__gte=current.started_at)
    states = dict(since.order_by().values_list("state").annotate(num=Count("id")))
    alive = states.get(Export.State.WAITING, 0) + states.get(Export.State.RUNNING, 0)
    num = states.get(Export.State.DONE, 0)
    return RoundStep(
        name="export",
        label=_("Export"),
        state=WORKING if alive else DONE if num else READY if ranked.count else WAITING,
        count=num,
        unit=ngettext("export", "exports", num),
        seconds=_duration(since.filter(state=Export.State.DONE).first()),
        note=_note(alive, _("%(n)d being built")),
        action=_("Build one"),
        url=reverse("data", args=(project.slug,)),
    )


def _train(project: Project, jobs: list[TrainingJob], kinds: Sequence[Kind], *, ready: bool) -> RoundStep:
    """The step that any of these kinds does: called by that of the newest job, at first by the first of them."""
    job = next((job for job in jobs if job.kind in kinds), None)
    num = sum(job.kind in kinds and job.state == TrainingJob.State.DONE for job in jobs)
    kind = Kind(job.kind) if job is not None else kinds[0]
    is_reward_model = kind == Kind.REWARD_MODEL
    return RoundStep(
        name="reward_model" if is_reward_model else "policy",
        label=kind.label,
        state=_state_of(job, num, ready=ready),
        count=num,
        unit=ngettext("reward model", "reward models", num) if is_reward_model else ngettext("policy", "policies", num),
        seconds=_duration(job, begin="started_at"),
        note=_status(job),
        action=_("See the job") if job is not None and job.is_alive else _("Train"),
        url=reverse("training_job", args=(project.slug, job.id))
        if job is not None and job.is_alive
        else f"{reverse('rounds', args=(project.slug,))}?kind={kind.value}#train",
    )


def _compare(project: Project, current: Round, candidate: Policy | None) -> RoundStep:
    evaluations = AuditEvent.objects.filter(project=project, verb="compare policies", at__gte=current.started_at)
    num = evaluations.count()
    return RoundStep(
        name="compare",
        label=_("Compare"),
        state=DONE if num else READY if candidate else WAITING,
        count=num,
        unit=ngettext("comparison of policies", "comparisons of policies", num),
        action=_("Compare") if candidate else "",
        url=reverse("compare_policy", args=(project.slug, candidate.id)) if candidate else "",
    )


def _promote(project: Project, candidate: Policy | None) -> RoundStep:
    num = 1 if candidate else 0
    return RoundStep(
        name="promote",
        label=_("Promote"),
        state=READY if candidate else WAITING,
        count=num,
        unit=ngettext("candidate", "candidates", num),
        note=candidate.name if candidate else "",
        action=_("Promote…") if candidate else "",
        url=reverse("promote_policy", args=(project.slug, candidate.id)) if candidate else "",
    )


def _candidate(current: Round) -> Policy | None:
    """The newest policy that was made of what people prefer in this round and that has not been promoted."""
    made = Policy.objects.filter(
        training_job__round=current, training_job__kind__in=FROM_PREFERENCE, state=Policy.State.CANDIDATE
    )
    return made.order_by("-created_at").first()


def _state_of(job: TrainingJob | None, num: int, *, ready: bool) -> str:
    if job is not None and job.is_alive:
        return WORKING
    if num:
        return DONE
    if job is not None and job.state == TrainingJob.State.FAILED:
        return FAILED
    return READY if ready else WAITING


def _status(job: TrainingJob | None) -> str:
    if job is None or job.state == TrainingJob.State.DONE:
        return ""
    if job.state == TrainingJob.State.RUNNING:
        return _("%(name)s: %(percent).0f %%") % {"name": job.output_name, "percent": 100 * job.fraction}
    return f"{job.output_name}: {job.get_state_display().lower()}"


def _note(num: int, sentence: str) -> str:
    return sentence % {"n": num} if num else ""


def _duration(work: Any, *, begin: str = "created_at") -> float | None:
    started = getattr(work, begin, None)
    finished = getattr(work, "finished_at", None)
    return (finished - started).total_seconds() if started and finished else None
