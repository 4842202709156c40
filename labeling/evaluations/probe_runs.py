"""A policy answers sealed probes: ordinary overnight sampling runs, one for each text and seed.

The window, leases, attempts and the sweep of sampling runs are theirs as of all others (labeling.sampling). Here it is
said which runs there are, under which seeds, and when an answer can be labelled. Knows no label.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.evaluations.probe_sets import SET_NAMES, SetName
from labeling.evaluations.sealing import sealed_bundled_set
from labeling.models import (
    AuditEvent,
    Policy,
    ProbeAnswer,
    ProbeRun,
    ProbeSetVersion,
    ProbeText,
    Project,
    SamplingRun,
    User,
)
from labeling.models.content_hash import text_sha256
from labeling.sampling import runs as sampling_runs
from labeling.sampling.comparisons import hash_number
from labeling.sampling.readiness import GIVEN_UP
from labeling.sampling.screenings import FILTERED
from records import encode

State = ProbeAnswer.State
NOT_LABELLED: tuple[SetName, ...] = ("verbosity",)  # words are counted
_OVER = (SamplingRun.State.DONE, *GIVEN_UP)
_OPEN = (State.WAITING, State.FAILED)  # a failed sampling run may be restarted, and then be done


class ProbeRunError(ValueError):
    """A run that cannot be started; the message is for the person who tried."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many answers of a run are in which state; `labelled` have a verdict, of those `to_label`."""

    total: int
    waiting: int
    answered: int
    filtered: int
    failed: int
    to_label: int
    labelled: int


def start(
    project: Project, policy: Policy, names: Sequence[str], *, by: User, keys: Sequence[str] | None = None
) -> list[ProbeRun]:
    """Ask this policy the probes of these sets; returns the runs that are new. With `keys` only these groups of texts.

    A set that the policy has answered, or is answering, is not asked again. Raises ProbeRunError.
    """
    if reason := project.why_no_new_work:
        raise ProbeRunError(reason)
    if policy.state == Policy.State.RETIRED:
        raise ProbeRunError(_("%(name)s is retired and does not sample any more.") % {"name": policy.name})
    chosen = [name for name in SET_NAMES if name in names]
    if not chosen or len(chosen) < len(set(names)):
        raise ProbeRunError(_("Choose at least one of the sets: %(sets)s.") % {"sets": ", ".join(SET_NAMES)})
    versions = [sealed_bundled_set(name) for name in chosen]
    with transaction.atomic():
        return [run for version in versions if (run := _start_one(project, policy, version, keys, by=by))]


def take_in(project: Project) -> int:
    """Note which answers are there by now; returns how many. Safe to repeat.

    The set's version is locked: of two answers that are the same, letter for letter, and that are taken in at the same
    time, each would else find the other not yet there, and both would be labelled.
    """
    waiting = ProbeAnswer.objects.filter(run__project=project, state__in=_OPEN)
    due = waiting.filter(sampling_run__state__in=_OVER).exclude(state=State.FAILED, sampling_run__state__in=GIVEN_UP)
    versions = set(due.values_list("run__set_version_id", flat=True))
    num = 0
    for version_id in sorted(versions):
        with transaction.atomic():
            version = ProbeSetVersion.objects.select_for_update().get(id=version_id)
            answers = list(due.filter(run__set_version=version).select_related("sampling_run").order_by("id"))
            for answer in answers:
                _take_in(answer, project)
            num += len(answers)
    return num


def progress(run: ProbeRun) -> Progress:
    states: Counter[str] = Counter()
    labelled = to_label = 0
    for state, wanted, verdict, theirs in run.answers.values_list(
        "state", "labels_wanted", "verdict", "same_as__verdict"
    ):
        states[state] += 1
        if state in (State.READY, State.SAME) and wanted:
            to_label += 1
            labelled += bool(theirs if state == State.SAME else verdict)
    return Progress(
        total=sum(states.values()),
        waiting=states[State.WAITING],
        answered=states[State.READY] + states[State.SAME],
        filtered=states[State.FILTERED],
        failed=states[State.FAILED],
        to_label=to_label,
        labelled=labelled,
    )


def seed_of(version: ProbeSetVersion, key: str, number: int) -> int:
    """The 31-bit seed of an answer. It names no policy, so that old and new are answered under the same one."""
    return hash_number("probe", version.sha256, key, number) >> 1


def _start_one(
    project: Project, policy: Policy, version: ProbeSetVersion, keys: Sequence[str] | None, *, by: User
) -> ProbeRun | None:
    sampling = {**encode(sampling_runs.default_sampling(project, seed=0))}
    del sampling["seed"]
    run, is_new = ProbeRun.objects.get_or_create(
        project=project,
        policy=policy,
        set_version=version,
        defaults={"sampling": sampling, "requested_by": by},
    )
    if not is_new:
        return None
    texts = version.texts.order_by("key")
    if keys is not None:
        texts = texts.filter(group__in=keys)
    asked = [(text, number) for text in texts for number in range(text.num_seeds)]
    sent = [_sampling_run(run, text, number, by=by) for text, number in asked]
    SamplingRun.objects.bulk_create(sent)
    ProbeAnswer.objects.bulk_create(
        ProbeAnswer(
            run=run,
            text=text,
            number=number,
            sampling_run=sampled,
            labels_wanted=0 if version.name in NOT_LABELLED else 2,
        )
        for (text, number), sampled in zip(asked, sent, strict=True)
    )
    AuditEvent.note("start probes", run, by=by, policy=policy.name, probes=str(version), num=len(sent))
    sampling_runs.send_soon(*sent)
    return run


def _sampling_run(run: ProbeRun, text: ProbeText, number: int, *, by: User) -> SamplingRun:
    params: dict[str, Any] = {**run.sampling, "seed": seed_of(run.set_version, text.key, number)}
    return SamplingRun(
        project=run.project,
        purpose=SamplingRun.Purpose.PROBE,
        policy=run.policy,
        messages=[{"role": "user", "content": text.text}],
        num_completions=1,
        sampling=params,
        requested_by=by,
    )


def _take_in(answer: ProbeAnswer, project: Project) -> None:
    completion = answer.sampling_run.completions.first()
    if answer.sampling_run.state == SamplingRun.State.BLOCKED or (
        completion is not None and completion.finish_reason == FILTERED
    ):
        answer.state = State.FILTERED
    elif completion is None:
        answer.state = State.FAILED
    else:
        answer.state, answer.content_sha256 = State.READY, text_sha256(completion.content)
        alike = ProbeAnswer.objects.filter(
            text=answer.text_id, content_sha256=answer.content_sha256, state=State.READY, run__project=project
        )
        answer.same_as = alike.order_by("id").first()
        if answer.same_as is not None:
            answer.state = State.SAME
    answer.save(update_fields=["state", "content_sha256", "same_as"])
