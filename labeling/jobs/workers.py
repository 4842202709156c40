"""The workers that are alive, as their heartbeats describe them (records.presence), and what they work on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import redis
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from labeling.jobs import dispatch
from labeling.models import Policy, Project, SamplingRun, TrainingJob, User
from records.names import (
    BUILD_EXPORT,
    DELIVER,
    DELIVERIES_QUEUE,
    EXPORTS_QUEUE,
    SAMPLE_QUEUE,
    TAKE_IN,
    TRAIN_QUEUE,
    WEB_QUEUE,
)
from records.presence import Living, living

# Must equal the commands in labeling/supervisord.conf; a test compares them.
COMMANDS = {
    WEB_QUEUE: "python -m celery -A labeling.celery worker -n web@%h -Q web --concurrency 2 "
    "--without-gossip --without-mingle --loglevel INFO",
    EXPORTS_QUEUE: "python -m celery -A labeling.celery worker -n exports@%h -Q exports --concurrency 1 "
    "--without-gossip --without-mingle --loglevel INFO",
    DELIVERIES_QUEUE: "python -m celery -A labeling.celery worker -n deliveries@%h -Q deliveries --pool threads "
    "--concurrency 8 --without-gossip --without-mingle --loglevel INFO",
    SAMPLE_QUEUE: "python -m celery -A sampler.app worker -n sample@%h -Q sample --pool threads --concurrency 112 "
    "--without-gossip --without-mingle --loglevel INFO",
    TRAIN_QUEUE: "python -m celery -A training.app worker -n train@%h -Q train --concurrency 1 "
    "--without-gossip --without-mingle --loglevel INFO",
}

_OURS = (WEB_QUEUE, EXPORTS_QUEUE, DELIVERIES_QUEUE)  # served beside the database

# The tasks of workers beside the database that take long enough to be seen on the page.
TASKS = {BUILD_EXPORT: _("an export"), TAKE_IN: _("an import"), DELIVER: _("a delivery")}


@dataclass(frozen=True, kw_only=True, slots=True)
class LivingWorker:
    """One worker as the page shows it."""

    name: str
    device: str
    started_at: datetime
    silent_seconds: float
    policies: list[tuple[str, Policy | None]]  # store path, and the policy if it is in the registry
    servers: tuple[str, ...]
    runs: list[tuple[str, int]]  # purpose, number of runs
    jobs: list[tuple[TrainingJob, bool]]  # the job, and whether the viewer may open it


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerGroup:
    """All workers of one queue, and the number of messages in it, None if the broker is away."""

    queue: str
    label: str | Promise
    none: str | Promise  # the sentence that is shown while no such worker is alive
    command: str
    workers: list[LivingWorker]
    num_waiting: int | None

    @property
    def has_devices(self) -> bool:
        """Whether they work with models, on a device that is worth a column."""
        return self.queue not in _OURS


def worker_groups(viewer: User) -> list[WorkerGroup] | None:
    """Workers by the queue that they serve; None if the broker does not answer."""
    found = _live_workers()
    if found is None:
        return None
    shown = partial(_as_shown, policies=_policies(found, viewer), purposes=_purposes(found), jobs=_jobs(found, viewer))
    texts = {
        WEB_QUEUE: (
            _("Web workers"),
            _("No web worker is alive. Until one is, nothing that comes in is recorded."),
        ),
        EXPORTS_QUEUE: (
            _("Export workers"),
            _("No export worker is alive. Until one is, exports and imports wait."),
        ),
        DELIVERIES_QUEUE: (
            _("Delivery workers"),
            _("No delivery worker is alive. Until one is, webhooks wait."),
        ),
        SAMPLE_QUEUE: (
            _("Sample workers"),
            _("No sample worker is alive. Until one is, suggestions, chats and comparisons wait."),
        ),
        TRAIN_QUEUE: (_("Train workers"), _("No train worker is alive. Until one is, training jobs wait.")),
    }
    return [
        WorkerGroup(
            queue=queue,
            label=label,
            none=none,
            command=COMMANDS[queue],
            workers=[shown(one) for one in found if serves(one, queue)],
            num_waiting=dispatch.queue_length(queue),
        )
        for queue, (label, none) in texts.items()
    ]


def sample_worker_is_alive() -> bool | None:
    """Whether any sample worker is alive; None if the broker does not answer."""
    found = _live_workers()
    return None if found is None else any(serves(one, SAMPLE_QUEUE) for one in found)


def serves(one: Living, queue: str) -> bool:
    """Whether a worker takes messages from this queue, perhaps beside others."""
    return queue in one.worker.queue.split(",")


def _live_workers() -> list[Living] | None:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
    try:
        return living(client)
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()


def _as_shown(
    one: Living,
    *,
    policies: dict[str, Policy | None],
    purposes: dict[str, str],
    jobs: dict[str, tuple[TrainingJob, bool]],
) -> LivingWorker:
    worker = one.worker
    runs = Counter(purposes.get(run, str(_("gone meanwhile"))) for run in worker.running if run not in jobs)
    return LivingWorker(
        name=worker.name,
        device=worker.device,
        started_at=datetime.fromisoformat(worker.started_at),
        silent_seconds=one.silent_seconds,
        policies=[_as_seen(path, policies) for path in reversed(worker.policies)],
        servers=worker.servers,
        runs=sorted(runs.items()),
        jobs=[jobs[job] for job in worker.running if job in jobs],
    )


def _as_seen(path: str, policies: dict[str, Policy | None]) -> tuple[str, Policy | None]:
    """The path and the policy there; of another project's neither, since the path holds its name."""
    policy = policies.get(path)
    return (path if policy is not None or path not in policies else str(_("one of another project"))), policy


def _policies(found: Sequence[Living], viewer: User) -> dict[str, Policy | None]:
    """The policies that workers have loaded, by path; None for those of other projects."""
    paths = {path for one in found for path in one.worker.policies}
    loaded = Policy.objects.filter(store_path__in=paths)
    seen = set(loaded.visible_to(viewer).values_list("pk", flat=True))
    return {policy.store_path: policy if policy.pk in seen else None for policy in loaded}


def _purposes(found: Sequence[Living]) -> dict[str, str]:
    """What the running work is for: of sampling runs by their ids, of other tasks by their names."""
    runs = SamplingRun.objects.filter(id__in=_running(found, SAMPLE_QUEUE)).only("purpose")
    tasks = {task for one in found if any(serves(one, queue) for queue in _OURS) for task in one.worker.running}
    return {task: str(TASKS.get(task, _("short job"))) for task in tasks} | {
        str(run.id): run.get_purpose_display().lower() for run in runs
    }


def _jobs(found: Sequence[Living], viewer: User) -> dict[str, tuple[TrainingJob, bool]]:
    jobs = TrainingJob.objects.filter(id__in=_running(found, TRAIN_QUEUE)).select_related("project")
    visible = set(Project.objects.visible_to(viewer).values_list("id", flat=True))
    return {str(job.id): (job, job.project_id in visible) for job in jobs}


def _running(found: Sequence[Living], queue: str) -> list[UUID]:
    """Ids of the rows that workers of this queue work on. Names that are no UUIDs belong to other programs' work."""
    ids = []
    for one in found:
        for name in one.worker.running if serves(one, queue) else ():
            try:
                ids.append(UUID(name))
            except ValueError:
                continue
    return ids
