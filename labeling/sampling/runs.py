"""Requests for completions. A SamplingRun's row is the truth; the message on the broker only says "look".

A message may be lost, come twice or come late, and a worker may die at any moment: a run is sent again under
a new attempt number, and a result that carries another number is dropped. What people wait for is sent at
once; overnight work goes out through a window, so that the broker never holds more than a little of it.
Locks are taken in this order: dialogue, run, comparison. How messages travel is labeling.jobs.dispatch.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.jobs import dispatch
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Policy, Project, SamplingRun, User
from labeling.models import Message as DialogueMessage
from records import Message, SampleResult, SamplingParams, encode

State = SamplingRun.State
Purpose = SamplingRun.Purpose
CALLERS = (Purpose.SUGGESTION, Purpose.CHAT)  # a person waits or watches
OVERNIGHT = (Purpose.COMPARISON, Purpose.EVALUATION)
UNDER_WAY = (State.WAITING, State.SENT, State.RUNNING)
MOST_OF_ONE_PERSON = 12  # runs under way that one person may wait for


class SamplingError(ValueError):
    """A request that cannot be made; the text is for the person who made it."""


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
    """Ask for completions of `messages`; by the project's policy and its sampling where nothing else is said.

    The message to a worker is sent when the caller's transaction commits. Raises SamplingError.
    """
    if reason := project.why_no_new_work:
        raise SamplingError(reason)
    policy = policy or project.policy
    if policy is None:
        raise SamplingError(_("This project has no policy yet. An admin can choose one in its settings."))
    if by is not None and purpose in CALLERS:
        _require_patience(by)
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
    """The project's way of sampling, under a random seed unless one is given."""
    return SamplingParams(
        temperature=project.temperature,
        top_p=project.top_p,
        max_new_tokens=project.max_new_tokens,
        seed=random.randrange(2**31) if seed is None else seed,
    )


def send_soon(*runs: SamplingRun) -> None:
    """Once this transaction has committed, send these if people wait for them, and fill the window if not."""
    urgent = [run.id for run in runs if run.purpose in CALLERS]
    if urgent:
        waiting = SamplingRun.objects.filter(id__in=urgent, state=State.WAITING)
        transaction.on_commit(partial(_send, waiting), robust=True)
    if len(urgent) < len(runs):
        transaction.on_commit(fill_window, robust=True)


def send_waiting() -> int:
    """Send all that people wait for, and overnight work as far as the window goes; returns how many."""
    return _send(SamplingRun.objects.filter(state=State.WAITING, purpose__in=CALLERS)) + fill_window()


def fill_window() -> int:
    """Send overnight runs, oldest first, until as many are under way as the window holds.

    Those of an archived project wait until it comes back.
    """
    overnight = SamplingRun.objects.filter(purpose__in=OVERNIGHT)
    with transaction.atomic():
        with connection.cursor() as cursor:  # one at a time, or two would each fill it
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('parley: sampling window'))")
        room = settings.SAMPLING_WINDOW - overnight.filter(state__in=(State.SENT, State.RUNNING)).count()
        return _send(overnight.filter(state=State.WAITING, project__archived_at=None), limit=max(0, room))


def record_started(run_id: str | UUID, attempt: int) -> bool:
    """A worker says that it has begun, or that it is still at it: the lease runs anew from here."""
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
    """Keep what a worker sampled, once; None for what is dropped: another attempt's, or a second copy.

    Runs in the caller's transaction, which has locked the dialogue that is answered, if one is
    (labeling.dialogues.answers). The comparison that it belongs to opens when its last completions are there.
    What a person stopped keeps the text that it had.
    """
    run = _locked(result.run_id, result.attempt, *UNDER_WAY, State.CANCELLED)
    if run is None or (run.state == State.CANCELLED and not _keeps_partial(run, result)):
        return None
    if result.error is not None:
        fail(run, result.error, for_good=True)
    elif run.state != State.CANCELLED and len(result.completions) != run.num_completions:
        fail(run, _short_of(run, result), for_good=False)
    else:
        _finish(run, result)
    return run


def record_failure(run_id: str | UUID, attempt: int, error: str) -> bool:
    """An attempt ended in an error that nobody foresaw: another is made while attempts are left."""
    with transaction.atomic(durable=True):
        run = _locked(run_id, attempt, *UNDER_WAY)
        if run is not None:
            fail(run, error, for_good=False)
    return run is not None


def fail(run: SamplingRun, error: str, *, for_good: bool) -> None:
    """An attempt of a locked run has failed; another is made while attempts are left, unless it is for good."""
    run.error = error
    run.num_failures += 1
    if for_good or run.num_failures >= SamplingRun.MAX_ATTEMPTS:
        _end(run, State.FAILED)
        _fail_comparison(run)
        transaction.on_commit(fill_window, robust=True)
        return
    run.state, run.lease_until = State.WAITING, None
    run.save(update_fields=["state", "lease_until", "error", "num_failures"])
    send_soon(run)


def cancel(run: SamplingRun, *, by: User | None) -> bool:
    """Stop a run: it is not sent any more, and a worker that is at it stops within a token or two."""
    with transaction.atomic():
        locked = SamplingRun.objects.select_for_update(of=("self",)).get(id=run.id)
        if locked.state not in UNDER_WAY:
            return False
        _end(locked, State.CANCELLED)
        _fail_comparison(locked)
        AuditEvent.note("cancel sampling", locked, by=by)
        transaction.on_commit(partial(dispatch.ask_to_stop, str(run.id)), robust=True)
        transaction.on_commit(fill_window, robust=True)
    run.state = State.CANCELLED
    return True


def retry(run: SamplingRun, *, by: User | None) -> bool:
    """Begin a failed or cancelled run anew, with all its attempts before it."""
    with transaction.atomic():
        locked = SamplingRun.objects.select_for_update(of=("self",)).get(id=run.id)
        if locked.state not in (State.FAILED, State.CANCELLED):
            return False
        begin_anew(locked, by=by)
    run.state = State.WAITING
    return True


def begin_anew(run: SamplingRun, *, by: User | None) -> None:
    """Have a locked run that is over sampled once more. What it had is dropped."""
    run.completions.all().delete()
    run.state, run.num_failures, run.error, run.finished_at = State.WAITING, 0, "", None
    run.save(update_fields=["state", "num_failures", "error", "finished_at", "sampling"])
    _resume_comparison(run)
    AuditEvent.note("retry sampling", run, by=by)
    transaction.on_commit(partial(dispatch.forget_stop, str(run.id)), robust=True)
    send_soon(run)


def _send(waiting: Any, *, limit: int = 200) -> int:
    """Give waiting runs a new attempt and a lease, and send them once that is committed."""
    with transaction.atomic():
        rows = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("policy")
        runs = list(rows.order_by("created_at", "id")[:limit])
        for run in runs:
            run.state, run.attempt = State.SENT, run.attempt + 1
            run.sent_at, run.started_at = Now(), None
            run.lease_until = Now() + timedelta(seconds=settings.SAMPLING_SENT_SECONDS)
        SamplingRun.objects.bulk_update(runs, ["state", "attempt", "sent_at", "started_at", "lease_until"])
        transaction.on_commit(partial(_ring, runs), robust=True)
    return len(runs)


def _ring(runs: list[SamplingRun]) -> None:
    """Send the messages. With the broker away, the runs that it did not take wait for the next sweep."""
    for place, run in enumerate(runs):
        if not dispatch.send_run(run):
            left = [run.id for run in runs[place:]]
            SamplingRun.objects.filter(id__in=left, state=State.SENT).update(state=State.WAITING, lease_until=None)
            return


def _locked(run_id: str | UUID, attempt: int, *states: State) -> SamplingRun | None:
    """The run, locked, if this attempt is its newest and it is in one of these states: the fence."""
    # The row is found by its key alone, and the rest is looked at here: a condition on the state
    # would tempt the planner to an index of leases (labeling/models/completions.py).
    run = SamplingRun.objects.select_for_update(of=("self",)).select_related("dialogue").filter(id=run_id).first()
    return run if run is not None and run.attempt == attempt and run.state in states else None


def _finish(run: SamplingRun, result: SampleResult) -> None:
    alike = {found.index: found for found in result.resemblances}
    Completion.objects.bulk_create(
        Completion(
            run=run,
            comparison_id=run.comparison_id,
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
    run.seconds, run.device, run.error = result.seconds, (result.device or "")[:120], ""
    _end(run, State.CANCELLED if run.state == State.CANCELLED else State.DONE)
    if run.comparison_id is not None:
        _open_comparison(run)
    if run.purpose in OVERNIGHT:
        transaction.on_commit(fill_window, robust=True)


def _open_comparison(run: SamplingRun) -> None:
    """Offer the comparison to trainers if this was the last run that it waited for."""
    comparison = _lock_comparison(run)
    if comparison is None or comparison.state != Comparison.State.SAMPLING:
        return
    if comparison.sampling_runs.exclude(state=State.DONE).exists():
        return
    if len(set(comparison.completions.values_list("content", flat=True))) < 2:
        run.error = _("All completions came out the same; a higher temperature gives different ones.")
        run.save(update_fields=["error"])
        comparison.state = Comparison.State.FAILED
    else:
        comparison.state, comparison.open_slots = Comparison.State.OPEN, comparison.rankings_wanted
    comparison.save(update_fields=["state", "open_slots"])


def _end(run: SamplingRun, state: State) -> None:
    run.state, run.lease_until, run.finished_at = state, None, Now()
    run.save(
        update_fields=["state", "lease_until", "finished_at", "error", "num_failures", "seconds", "device"],
    )


def _fail_comparison(run: SamplingRun) -> None:
    """A comparison one of whose runs came to nothing waits for a person; what its other runs bring is kept."""
    comparison = _lock_comparison(run)
    if comparison is not None and comparison.state == Comparison.State.SAMPLING:
        comparison.state = Comparison.State.FAILED
        comparison.save(update_fields=["state"])


def _resume_comparison(run: SamplingRun) -> None:
    """A comparison is being sampled again once none of its runs has failed."""
    comparison = _lock_comparison(run)
    if comparison is None or comparison.state != Comparison.State.FAILED:
        return
    if not comparison.sampling_runs.filter(state__in=(State.FAILED, State.CANCELLED)).exists():
        comparison.state = Comparison.State.SAMPLING
        comparison.save(update_fields=["state"])


def _lock_comparison(run: SamplingRun) -> Comparison | None:
    if run.comparison_id is None:
        return None
    # By its key alone: a condition on the state would not wait for another run that is about to change it.
    return Comparison.objects.select_for_update(of=("self",)).filter(id=run.comparison_id).first()


def _keeps_partial(run: SamplingRun, result: SampleResult) -> bool:
    return run.purpose in CALLERS and bool(result.completions) and not run.completions.exists()


def _short_of(run: SamplingRun, result: SampleResult) -> str:
    return f"The sampler sent {len(result.completions)} completions where {run.num_completions} were asked for."


def _sampling_of(run: SamplingRun, index: int) -> dict[str, Any]:
    return {**run.sampling, "seed": run.sampling.get("seed", 0) + index}


def _require_patience(by: User) -> None:
    asked = SamplingRun.objects.filter(requested_by=by, purpose__in=CALLERS, state__in=UNDER_WAY)
    if asked.count() >= MOST_OF_ONE_PERSON:
        raise SamplingError(_("You have asked for much at once. Please wait until some of it has come."))


def _plain(message: Message | Mapping[str, Any]) -> dict[str, str]:
    if isinstance(message, Message):
        return {"role": message.role, "content": message.content}
    return {"role": message["role"], "content": message["content"]}
