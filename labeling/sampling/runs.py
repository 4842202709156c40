"""Requests for completions. The SamplingRun row is authoritative; a broker message only tells a worker to look.

A message may be lost, duplicated or late, and a worker may die at any time: a run is sent again under a new
attempt number, and a result with another number is dropped. Runs that people wait for are sent immediately; of
overnight runs only a window is under way, so that the broker holds few of them. Locks are taken in the order
dialogue, run, comparison. labeling.jobs.dispatch sends the messages; dialogues' texts are not known here.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.jobs import dispatch, screens
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Policy, Project, SamplingRun, User
from labeling.models import Message as DialogueMessage
from labeling.sampling import readiness, screenings
from labeling.sampling.readiness import GIVEN_UP
from records import Message, SampleResult, SamplingParams, encode

State = SamplingRun.State
Purpose = SamplingRun.Purpose
INTERACTIVE = (Purpose.SUGGESTION, Purpose.CHAT)  # a person waits for the result
OVERNIGHT = (Purpose.COMPARISON, Purpose.EVALUATION, Purpose.PROBE)
VISITORS = Q(purpose__in=INTERACTIVE, requested_by__role=User.Role.VISITOR)  # of a preview
UNDER_WAY = (State.WAITING, State.SENT, State.RUNNING)
_SENT_FIELDS = ("state", "attempt", "rules_version", "sent_at", "started_at", "lease_until")
MOST_RUNS_OF_ONE_PERSON = 12  # interactive runs that one person may have under way


class SamplingError(ValueError):
    """The request cannot be made; the text is for the person who made it."""


def request_completions(
    project: Project,
    *,
    purpose: str,
    messages: Sequence[Message | Mapping[str, Any]],
    num_completions: int,
    by: User | None = None,
    policy: Policy | None = None,
    sampling: SamplingParams | None = None,
    as_role: Literal["user", "assistant"] = "assistant",
    dialogue: Dialogue | None = None,
    position: int | None = None,
    comparison: Comparison | None = None,
    replaces: DialogueMessage | None = None,
    streams: bool = False,
) -> SamplingRun:
    """Request completions of `messages`, by default from the project's policy with its sampling parameters.

    The message to a worker is sent when the caller's transaction commits. Raises SamplingError if the project
    takes no new work, has no policy, or the person has too many requests under way.
    """
    if reason := project.why_no_new_work:
        raise SamplingError(reason)
    policy = policy or project.policy
    if policy is None:
        raise SamplingError(_("This project has no policy yet. An admin can choose one in its settings."))
    if by is not None and purpose in INTERACTIVE:
        _require_few_under_way(by)
    run = SamplingRun(
        project=project,
        purpose=purpose,
        policy=policy,
        messages=[_plain(message) for message in messages],
        num_completions=num_completions,
        sampling=encode(sampling or default_sampling(project)),
        as_role=as_role,
        dialogue=dialogue,
        position=position,
        comparison=comparison,
        replaces=replaces,
        streams=streams,
        requested_by=by,
    )
    with transaction.atomic():
        run.save()
        send_soon(run)
    return run


def default_sampling(project: Project, *, seed: int | None = None) -> SamplingParams:
    """The project's sampling parameters, with a random 31-bit seed unless one is given."""
    return SamplingParams(
        temperature=project.temperature,
        top_p=project.top_p,
        max_new_tokens=project.max_new_tokens,
        seed=random.randrange(2**31) if seed is None else seed,
    )


def send_soon(*runs: SamplingRun) -> None:
    """When this transaction has committed, send what people wait for; for the others, fill their windows."""
    interactive = [run for run in runs if run.purpose in INTERACTIVE]
    urgent = [run.id for run in interactive if not run.is_visitors]
    if urgent:
        waiting = SamplingRun.objects.filter(id__in=urgent, state=State.WAITING)
        transaction.on_commit(partial(_send, waiting), robust=True)
    if len(urgent) < len(interactive):
        transaction.on_commit(fill_preview_window, robust=True)
    if len(interactive) < len(runs):
        transaction.on_commit(fill_window, robust=True)


def send_waiting() -> int:
    """Send the waiting interactive runs, and visitors' and overnight runs up to their windows; returns how many."""
    people = SamplingRun.objects.filter(state=State.WAITING, purpose__in=INTERACTIVE).exclude(VISITORS)
    return _send(people) + fill_preview_window() + fill_window()


def fill_window() -> int:
    """Send overnight runs, oldest first, until SAMPLING_WINDOW of them are under way; returns how many were sent.

    Runs of an archived project wait until it is restored.
    """
    overnight = SamplingRun.objects.filter(purpose__in=OVERNIGHT)
    waiting = overnight.filter(project__archived_at=None)
    return _fill(overnight, waiting, size=settings.SAMPLING_WINDOW, name="parley: sampling window")


def fill_preview_window() -> int:
    """Send visitors' runs, oldest first, until PREVIEW_WINDOW of them are under way; returns how many were sent.

    Each that is sent holds a thread of a sample worker: without a bound, a crowd of visitors would hold them all, and
    a trainer's request would not be fetched.
    """
    visitors = SamplingRun.objects.filter(VISITORS)
    return _fill(visitors, visitors, size=settings.PREVIEW_WINDOW, name="parley: preview window")


def _fill(rows: Any, waiting: Any, *, size: int, name: str) -> int:
    """Send of the `waiting` rows as many as there is room for among all `rows`."""
    with transaction.atomic():
        # An advisory lock until commit: two transactions at the same time would count the same free room and send
        # twice as many. There is no row that stands for the window.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [name])
        room = size - rows.filter(state__in=(State.SENT, State.RUNNING)).count()
        return _send(waiting.filter(state=State.WAITING), limit=max(0, room))


def record_started(run_id: str | UUID, attempt: int) -> bool:
    """Note that a worker started this attempt or is still working on it, and extend its lease.

    Returns False if the attempt is over or a newer one has replaced it.
    """
    with transaction.atomic():
        run = _locked(run_id, attempt, State.SENT, State.RUNNING)
        if run is None:
            return False
        if run.state == State.SENT:
            run.state, run.started_at = State.RUNNING, Now()
        run.lease_until = Now() + timedelta(seconds=settings.SAMPLING_RUN_SECONDS)
        run.save(update_fields=["state", "started_at", "lease_until"])
    return True


def record(result: SampleResult) -> SamplingRun | None:
    """Store the completions of a worker's result, once; None if the result is dropped: of another attempt, or a copy.

    Runs in the caller's transaction, which has already locked the dialogue that is answered, if there is one
    (labeling.dialogues.answers). The comparison opens when its last run is done. A run that a person stopped
    keeps the partial text that it had. What the filter said of it all is stored with it.
    """
    run = _locked(result.run_id, result.attempt, *UNDER_WAY, State.CANCELLED)
    if run is None or (run.state == State.CANCELLED and not _keeps_partial(run, result)):
        return None
    if result.error is not None:
        fail(run, result.error, for_good=True)
    elif result.is_blocked:
        _block(run, result)
    elif run.state != State.CANCELLED and len(result.completions) != run.num_completions:
        fail(run, _short_of(run, result), for_good=False)
    else:
        _finish(run, result)
    return run


def record_failure(run_id: str | UUID, attempt: int, error: str) -> bool:
    """Record that an attempt ended in an unexpected error; the run is sent again while attempts are left."""
    with transaction.atomic(durable=True):
        run = _locked(run_id, attempt, *UNDER_WAY)
        if run is not None:
            fail(run, error, for_good=False)
    return run is not None


def fail(run: SamplingRun, error: str, *, for_good: bool) -> None:
    """Record a failed attempt of a locked run; it is sent again while attempts are left, unless `for_good`."""
    run.error = error
    run.num_failures += 1
    if for_good or run.num_failures >= SamplingRun.MAX_ATTEMPTS:
        _end(run, State.FAILED)
        readiness.fail_comparison(run)
        _refill(run)
        return
    run.state, run.lease_until = State.WAITING, None
    run.save(update_fields=["state", "lease_until", "error", "num_failures"])
    send_soon(run)


def cancel(run: SamplingRun, *, by: User | None) -> bool:
    """Stop a run: it is not sent again, and a worker that is sampling it stops within a token or two.

    Returns False if the run was over. The row is locked, so that a result that arrives now is recorded before or after.
    """
    with transaction.atomic():
        locked = SamplingRun.objects.select_for_update(of=("self",)).get(id=run.id)
        if locked.state not in UNDER_WAY:
            return False
        _end(locked, State.CANCELLED)
        readiness.fail_comparison(locked)
        AuditEvent.note("cancel sampling", locked, by=by)
        transaction.on_commit(partial(dispatch.ask_to_stop, str(run.id)), robust=True)
        _refill(locked)
    run.state = State.CANCELLED
    return True


def retry(run: SamplingRun, *, by: User | None) -> bool:
    """Restart a failed, cancelled or blocked run with its full number of attempts; False if it is in another state.

    The row is locked, so that two people who retry it at the same time restart it once.
    """
    with transaction.atomic():
        locked = SamplingRun.objects.select_for_update(of=("self",)).get(id=run.id)
        if locked.state not in GIVEN_UP:
            return False
        restart(locked, by=by)
    run.state = State.WAITING
    return True


def restart(run: SamplingRun, *, by: User | None) -> None:
    """Restart a locked run that is over. Its completions are deleted; its sampling parameters are saved as given."""
    run.completions.all().delete()
    run.state, run.num_failures, run.error, run.finished_at = State.WAITING, 0, "", None
    run.save(update_fields=["state", "num_failures", "error", "finished_at", "sampling"])
    readiness.resume_comparison(run)
    AuditEvent.note("retry sampling", run, by=by)
    transaction.on_commit(partial(dispatch.forget_stop, str(run.id)), robust=True)
    send_soon(run)


def _send(waiting: Any, *, limit: int = 200) -> int:
    """Give up to `limit` of the waiting runs a new attempt and a lease, and send them when that is committed.

    SKIP LOCKED: a locked run is being sent or cancelled by another transaction.
    """
    with transaction.atomic():
        rows = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("policy", "requested_by")
        runs = list(rows.order_by("created_at", "id")[:limit])
        versions = {project: screens.version_in_force(project) for project in {run.project_id for run in runs}}
        for run in runs:
            run.rules_version = versions[run.project_id]
            run.state, run.attempt = State.SENT, run.attempt + 1
            run.sent_at, run.started_at = Now(), None
            run.lease_until = Now() + timedelta(seconds=settings.SAMPLING_SENT_SECONDS)
        SamplingRun.objects.bulk_update(runs, _SENT_FIELDS)
        transaction.on_commit(partial(_dispatch, runs), robust=True)
    return len(runs)


def _dispatch(runs: list[SamplingRun]) -> None:
    """Send the messages. If the broker is unreachable, the runs that it did not take wait for the next sweep."""
    for place, run in enumerate(runs):
        if not dispatch.send_run(run):
            left = [run.id for run in runs[place:]]
            SamplingRun.objects.filter(id__in=left, state=State.SENT).update(state=State.WAITING, lease_until=None)
            return


def _locked(run_id: str | UUID, attempt: int, *states: State) -> SamplingRun | None:
    """Lock the run and return it if `attempt` is its newest and its state is one of `states`, else None.

    The attempt number is the fencing token: it keeps out results of attempts that were given up.
    """
    # The query filters by primary key alone, and the rest is checked in Python: with a condition on the state
    # the planner may choose the partial index of leases (labeling/models/completions.py).
    run = SamplingRun.objects.select_for_update(of=("self",)).select_related("dialogue").filter(id=run_id).first()
    return run if run is not None and run.attempt == attempt and run.state in states else None


def _finish(run: SamplingRun, result: SampleResult) -> None:
    alike = {found.index: found for found in result.resemblances}
    completions = Completion.objects.bulk_create(
        Completion(
            run=run,
            comparison_id=None if completion.finish_reason == screenings.FILTERED else run.comparison_id,
            index=index,
            content=completion.content,
            policy_id=run.policy_id,
            sampling=encode(completion.sampling) if completion.sampling else _sampling_of(run, index),
            finish_reason=completion.finish_reason or "",
            num_tokens=completion.num_tokens,
            logprob=completion.logprob,
            resembles=alike[index].earlier if index in alike else None,
            similarity=alike[index].similarity if index in alike else None,
        )
        for index, completion in enumerate(result.completions)
    )
    screenings.keep(run, result, completions)
    run.seconds, run.device, run.error = result.seconds, (result.device or "")[:120], ""
    _end(run, State.CANCELLED if run.state == State.CANCELLED else State.DONE)
    if run.comparison_id is not None:
        readiness.open_comparison(run)
    _refill(run)


def _block(run: SamplingRun, result: SampleResult) -> None:
    """End a run of which the filter blocked what was said. It is not sent again: it would be blocked again."""
    screenings.keep(run, result)
    run.error = _("The content filter blocked what was said, so nothing was sampled.")
    _end(run, State.BLOCKED)
    readiness.fail_comparison(run)
    _refill(run)


def _refill(run: SamplingRun) -> None:
    """When this is committed, send what waits for the room that an ended run leaves in its window."""
    if run.purpose in OVERNIGHT:
        transaction.on_commit(fill_window, robust=True)
    elif run.dialogue is not None and run.dialogue.kind == Dialogue.Kind.VISITOR:
        transaction.on_commit(fill_preview_window, robust=True)


def _end(run: SamplingRun, state: State) -> None:
    run.state, run.lease_until, run.finished_at = state, None, Now()
    run.save(
        update_fields=["state", "lease_until", "finished_at", "error", "num_failures", "seconds", "device"],
    )


def _keeps_partial(run: SamplingRun, result: SampleResult) -> bool:
    return run.purpose in INTERACTIVE and bool(result.completions) and not run.completions.exists()


def _short_of(run: SamplingRun, result: SampleResult) -> str:
    return f"The sampler sent {len(result.completions)} completions where {run.num_completions} were asked for."


def _sampling_of(run: SamplingRun, index: int) -> dict[str, Any]:
    return {**run.sampling, "seed": run.sampling.get("seed", 0) + index}


def _require_few_under_way(by: User) -> None:
    asked = SamplingRun.objects.filter(requested_by=by, purpose__in=INTERACTIVE, state__in=UNDER_WAY)
    if asked.count() >= MOST_RUNS_OF_ONE_PERSON:
        raise SamplingError(_("You have asked for much at once. Please wait until some of it has come."))


def _plain(message: Message | Mapping[str, Any]) -> dict[str, str]:
    if isinstance(message, Message):
        return {"role": message.role, "content": message.content}
    return {"role": message["role"], "content": message["content"]}
