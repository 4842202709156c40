"""Training jobs: every kind of training on an export, by workers without access to the database.

The row is the job. A message to a worker carries an attempt number; the worker's progress renews that attempt's lease.
An attempt that falls silent is given up, and one whose worker stops on purpose is released at once; the next continues
from the newest checkpoint, and results under an older number are dropped. A finished job registers its model with all
its inputs.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.jobs import dispatch
from labeling.models import AuditEvent, Export, Filter, Policy, Project, RewardModel, TrainingJob, User
from labeling.rounds.training_inputs import SCORED, JobError, TrainingInputs, further_paths, require_inputs
from records import TrainingProgress, TrainingRequest, TrainingResult, encode, read_manifest
from records.manifest import MANIFEST, sha256_of
from records.names import TRAIN, TRAIN_QUEUE

logger = logging.getLogger(__name__)

Kind = TrainingJob.Kind
State = TrainingJob.State
UNDER_WAY = (State.WAITING, State.SENT, State.RUNNING)
DELIVERY_TIMEOUT = timedelta(seconds=30)  # from sending to the worker's first progress; then the message may be lost
LOADING = "loading"  # the stage before the first step (language.progress)
_LONGEST_STAGE = 40
SILENCE_TIMEOUT = timedelta(minutes=3)  # without progress, which a worker reports every few seconds
FOLDERS = dict.fromkeys(Kind, "policies") | {Kind.REWARD_MODEL: "rewardmodels", Kind.FILTER: "filters"}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_OPTION = re.compile(r"[a-z][a-z0-9_]{0,40}")
_ENDING = ("metrics", "fraction", "error", "num_failures", "needs_other_settings")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")


def start_job(
    project: Project,
    *,
    kind: str,
    export: Export,
    output_name: str,
    by: User | None,
    policy: Policy | None = None,
    reward_model: RewardModel | None = None,
    ensemble_models: Sequence[RewardModel] = (),
    demonstrations: Export | None = None,
    watching_model: RewardModel | None = None,
    options: Mapping[str, Any] | None = None,
    retrained_from: TrainingJob | None = None,
) -> TrainingJob:
    """Create a training job; a worker is told once this transaction has committed. Raises JobError.

    `policy` is the start of training, by default the project's; labeling.rounds.training_inputs checks the other
    inputs. `options` are flags of the training program's command line, by name. `retrained_from` is the job that this
    one repeats.
    """
    policy = None if kind == Kind.FILTER else policy or project.policy
    inputs = TrainingInputs(
        export=export,
        policy=policy,
        reward_model=reward_model if kind in SCORED else None,
        ensemble_models=tuple(ensemble_models),
        demonstrations=demonstrations,
        watching_model=watching_model,
    )
    require_inputs(project, kind, inputs)
    _require_free_name(output_name)
    job = TrainingJob(
        project=project,
        round=project.current_round,
        kind=kind,
        output_name=output_name,
        options=_checked_options(options or {}),
        requested_by=by,
        retrained_from=retrained_from,
        **{name: row for name, row in vars(inputs).items() if name != "ensemble_models"},
    )
    try:
        with transaction.atomic():
            job.save()
            job.ensemble_models.set(inputs.ensemble_models)
            AuditEvent.note("start training", job, by=by, kind=kind, output=output_name, options=job.options)
            transaction.on_commit(partial(send_job, job.id), robust=True)
    except IntegrityError as error:
        raise JobError(_("Another job is making “%(name)s” already.") % {"name": output_name}) from error
    return job


def send_job(job_id: UUID) -> bool:
    """Give a waiting job a new attempt and a lease, and tell the workers. Without the broker it keeps waiting."""
    with transaction.atomic():
        job = _locked(job_id, states=(State.WAITING,))
        if job is None:
            return False
        job.state, job.attempt, job.lease_until = State.SENT, job.attempt + 1, Now() + DELIVERY_TIMEOUT
        job.save(update_fields=["state", "attempt", "lease_until"])
    if _tell_workers(job):
        return True
    TrainingJob.objects.filter(id=job.id, attempt=job.attempt, state=State.SENT).update(
        state=State.WAITING, lease_until=None
    )
    return False


def record_progress(progress: TrainingProgress) -> bool:
    """Renew the lease and store progress. Returns False where the attempt is not the newest."""
    with transaction.atomic():
        job = _locked(progress.job_id, attempt=progress.attempt, states=(State.SENT, State.RUNNING))
        if job is None:
            return False
        if job.state == State.SENT:
            job.state, job.started_at = State.RUNNING, Now()
        job.lease_until, job.stage = Now() + SILENCE_TIMEOUT, progress.stage[:_LONGEST_STAGE]
        if progress.stage != LOADING:  # an attempt that goes on has not lost what is done, though it loads anew
            job.fraction = min(max(progress.fraction, 0.0), 1.0)
        job.metrics = {**job.metrics, **progress.metrics}
        job.save(update_fields=["state", "started_at", "lease_until", "stage", "fraction", "metrics"])
    return True


def release_job(job_id: UUID | str, *, attempt: int) -> bool:
    """Put a job back whose worker was asked to stop: it is sent again at once and goes on from its newest state.

    It is no failure of the job. False where the attempt is not the newest, or is over.
    """
    with transaction.atomic():
        job = _locked(job_id, attempt=attempt, states=(State.SENT, State.RUNNING))
        if job is None:
            return False
        job.state, job.lease_until, job.stage = State.WAITING, None, ""
        job.save(update_fields=["state", "lease_until", "stage"])
        transaction.on_commit(partial(send_job, job.id), robust=True)
    return True


def record_result(result: TrainingResult) -> bool:
    """Record how an attempt ended, once. A model whose files match the worker's manifest hash is registered.

    Durable, so that it refuses to run inside another transaction: a rollback there would lose a result that is sent
    once.
    """
    with transaction.atomic(durable=True):
        job = _locked(result.job_id, attempt=result.attempt, states=UNDER_WAY)
        if job is None:
            return False
        error = result.error or _refusal_of(result, job)
        if error:
            _end(job, State.FAILED, error=error, needs_other_settings=result.needs_other_settings)
        else:
            job.metrics = {**job.metrics, **result.metrics}
            _register(job, result)
            _end(job, State.DONE, fraction=1.0)
    return True


def cancel_job(job: TrainingJob, *, by: User | None) -> bool:
    """Cancel a job; its worker notices within seconds. False where the job had ended."""
    with transaction.atomic():
        locked = _locked(job.id, states=UNDER_WAY)
        if locked is None:
            return False
        _end(locked, State.CANCELLED)
        AuditEvent.note("cancel training", locked, by=by)
    job.refresh_from_db()
    return True


def retry_job(job: TrainingJob, *, by: User | None) -> bool:
    """Start a failed or cancelled job again, from its newest checkpoint.

    Raises JobError where its name is taken, and where its own settings made it fail.
    """
    try:
        with transaction.atomic():
            locked = _locked(job.id, states=(State.FAILED, State.CANCELLED))
            if locked is None:
                return False
            if locked.needs_other_settings:
                raise JobError(_("It would fail in the same way; start it again with other settings."))
            locked.state, locked.num_failures, locked.error, locked.finished_at = State.WAITING, 0, "", None
            locked.save(update_fields=["state", "num_failures", "error", "finished_at"])
            AuditEvent.note("retry training", locked, by=by)
            transaction.on_commit(partial(send_job, locked.id), robust=True)
    except IntegrityError as error:
        raise JobError(_("Another job has made, or is making, “%(name)s”.") % {"name": job.output_name}) from error
    job.refresh_from_db()
    return True


def sweep_jobs() -> int:
    """Send waiting jobs, give up silent workers, and find lost messages. Safe to repeat."""
    num = _give_up_silent_workers() + _requeue_lost_messages()
    waiting = TrainingJob.objects.filter(state=State.WAITING).order_by("created_at").values_list("id", flat=True)
    return num + sum(send_job(identifier) for identifier in list(waiting[:50]))


def request_of(job: TrainingJob) -> TrainingRequest:
    """The job as the record that is sent to the model side. Paths are relative to the model store."""
    return TrainingRequest(
        job_id=str(job.id),
        attempt=job.attempt,
        kind=job.kind,  # type: ignore[arg-type]
        data_path=job.export.store_path,
        out_path=f"{FOLDERS[Kind(job.kind)]}/{job.output_name}",
        model_path=job.policy.store_path if job.policy else None,
        reward_path=job.reward_model.store_path if job.reward_model else None,
        further_paths=further_paths(job),
        ensemble_paths=tuple(job.ensemble_models.order_by("name").values_list("store_path", flat=True)),
        options=job.options,
    )


def _tell_workers(job: TrainingJob) -> bool:
    try:
        dispatch.forget_stop(str(job.id))
    except redis.RedisError as error:
        logger.warning("The broker is away, so training job %s waits: %s", job.id, error)
        return False
    return dispatch.send_task(TRAIN, request=encode(request_of(job)))


def _require_free_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise JobError(_("A model's name is small letters, digits, - and _, at most 100 of them."))
    if any(rows.filter(name=name).exists() for rows in (Policy.objects, RewardModel.objects, Filter.objects)):
        raise JobError(_("There is a model called “%(name)s” already.") % {"name": name})


def _checked_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that are numbers, booleans or plain words, never a path or another flag. Raises JobError."""
    for name, value in options.items():
        plain = isinstance(value, bool | int | float) or (isinstance(value, str) and _PLAIN_VALUE.fullmatch(value))
        if not _OPTION.fullmatch(name) or not plain:
            raise JobError(_("“%(name)s” cannot be %(value)s.") % {"name": name, "value": str(value)[:60]})
    return dict(options)


def _refusal_of(result: TrainingResult, job: TrainingJob) -> str:
    """Why the published directory is refused; empty where it is accepted."""
    expected = f"{FOLDERS[Kind(job.kind)]}/{job.output_name}"
    manifest = Path(settings.PARLEY_STORE) / expected / MANIFEST
    if result.out_path != expected:
        return _("The worker wrote to another place than it was asked to.")
    if not manifest.is_file():
        return _("The worker's model is not in the store of the platform; both must share PARLEY_STORE.")
    if sha256_of(manifest) != result.manifest_sha256:
        return _("The model in the store is not the one that the worker made.")
    return ""


def _register(job: TrainingJob, result: TrainingResult) -> None:
    made: dict[str, Any] = {
        "name": job.output_name,
        "store_path": result.out_path,
        "manifest_sha256": result.manifest_sha256,
        "training_job": job,
        "metrics": result.metrics,
    }
    if job.kind == Kind.FILTER:
        model: Policy | RewardModel | Filter = _register_filter(job, made)
    elif job.kind == Kind.REWARD_MODEL:
        model = RewardModel.objects.create(export=job.export, project=job.project, **made)
    else:
        model = Policy.objects.create(parent=job.policy, project=job.project, **made)
    AuditEvent.note("register model", model, by=None, job=str(job.id), manifest_sha256=result.manifest_sha256)


def _register_filter(job: TrainingJob, made: dict[str, Any]) -> Filter:
    """A candidate, with the thresholds of its manifest: it sees nothing until somebody puts it in shadow."""
    facts = read_manifest(Path(settings.PARLEY_STORE) / made["store_path"])
    return Filter.objects.create(export=job.export, thresholds=facts.get("thresholds", {}), **made)


def _end(job: TrainingJob, state: State, **changes: Any) -> None:
    for name, value in {"state": state, "lease_until": None, "finished_at": Now(), **changes}.items():
        setattr(job, name, value)
    job.save(update_fields=["state", "lease_until", "finished_at", *_ENDING])
    # A second copy of its message may still be in the queue; the worker that receives it must stop at once.
    transaction.on_commit(partial(dispatch.ask_to_stop, str(job.id)), robust=True)


def _give_up_silent_workers() -> int:
    silent = TrainingJob.objects.filter(state=State.RUNNING, lease_until__lt=Now())
    with transaction.atomic():
        jobs = list(silent.select_for_update(skip_locked=True, of=("self",))[:50])
        for job in jobs:
            job.num_failures += 1
            if job.num_failures >= TrainingJob.MAX_ATTEMPTS:
                _end(job, State.FAILED, error=_("Its worker stopped without a word, and so did every other."))
            else:
                job.state, job.lease_until = State.WAITING, None
                job.save(update_fields=["state", "lease_until", "num_failures"])
    return len(jobs)


def _requeue_lost_messages() -> int:
    """Set jobs back to waiting whose message is lost: sent, not started, the queue empty and no worker busy."""
    lost = TrainingJob.objects.filter(state=State.SENT, lease_until__lt=Now())
    busy = TrainingJob.objects.filter(state=State.RUNNING, lease_until__gte=Now())
    if not lost.exists() or busy.exists() or dispatch.queue_length(TRAIN_QUEUE) != 0:
        return 0
    return lost.update(state=State.WAITING, lease_until=None)


def _locked(job_id: UUID | str, *, states: tuple[State, ...], attempt: int | None = None) -> TrainingJob | None:
    """The job under a row lock, if it is in one of these states and `attempt` is its newest (the fencing token).

    The lock keeps a sweep, a result and a cancellation from changing the row at once. It covers the job only ("self"):
    its exports and models are read along, and locking them would block other jobs.
    """
    rows = TrainingJob.objects.select_for_update(of=("self",)).select_related(
        "policy", "reward_model", "export", "demonstrations", "watching_model"
    )
    job = rows.filter(id=job_id).first()
    fits = job is not None and job.state in states and attempt in (None, job.attempt)
    return job if fits else None
