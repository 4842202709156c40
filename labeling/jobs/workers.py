"""The workers that are alive, by what they say of themselves (records.presence), and what they are at."""

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
from records.names import BUILD_EXPORT, DELIVER, EXPORTS_QUEUE, SAMPLE_QUEUE, TAKE_IN, TRAIN_QUEUE, WEB_QUEUE
from records.presence import Living, living

# As in labeling/supervisord.conf; a test holds the two together.
COMMANDS = {
    WEB_QUEUE: "python -m celery -A labeling.celery worker -n web@%h -Q web,exports --concurrency 2 "
    "--without-gossip --without-mingle --loglevel INFO",
    SAMPLE_QUEUE: "python -m celery -A sampler.app worker -n sample@%h -Q sample --pool threads --concurrency 80 "
    "--without-gossip --without-mingle --loglevel INFO",
    TRAIN_QUEUE: "python -m celery -A training.app worker -n train@%h -Q train --concurrency 1 "
    "--without-gossip --without-mingle --loglevel INFO",
}

# What a web worker is at, where it takes longer than one looks.
TASKS = {BUILD_EXPORT: _("an export"), TAKE_IN: _("an import"), DELIVER: _("a delivery")}


@dataclass(frozen=True, kw_only=True, slots=True)
class LivingWorker:
    """One worker as the page shows it."""

    name: str
    device: str
    started_at: datetime
    silent_seconds: float
    policies: list[tuple[str, Policy | None]]  # each by its store path, if it is registered
    servers: tuple[str, ...]
    runs: list[tuple[str, int]]  # purpose, how many
    jobs: list[tuple[TrainingJob, bool]]  # whether the viewer may open it


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerGroup:
    """All workers of one queue, and how much lies in it; None with the broker away."""

    queue: str
    label: str | Promise
    none: str | Promise  # that none is alive, and what does not happen until one is
    command: str
    workers: list[LivingWorker]
    num_waiting: int | None


def worker_groups(viewer: User) -> list[WorkerGroup] | None:
    """Web workers, sample workers and train workers; None where the broker does not answer."""
    found = _living()
    if found is None:
        return None
    seen = partial(_seen, policies=_policies(found), purposes=_purposes(found), jobs=_jobs(found, viewer))
    texts = {
        WEB_QUEUE: (
            _("Web workers"),
            _("No web worker is alive. Until one is, nothing that comes in is recorded, and exports and imports wait."),
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
            workers=[seen(one) for one in found if one.worker.queue == queue],
            num_waiting=_num_waiting(queue),
        )
        for queue, (label, none) in texts.items()
    ]


def sample_worker_lives() -> bool | None:
    """Whether anybody samples; None where the broker does not answer."""
    found = _living()
    return None if found is None else any(one.worker.queue == SAMPLE_QUEUE for one in found)


def _living() -> list[Living] | None:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
    try:
        return living(client)
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()


def _seen(
    one: Living,
    *,
    policies: dict[str, Policy],
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
        policies=[(path, policies.get(path)) for path in reversed(worker.policies)],
        servers=worker.servers,
        runs=sorted(runs.items()),
        jobs=[jobs[job] for job in worker.running if job in jobs],
    )


def _num_waiting(queue: str) -> int | None:
    """How many messages lie in what a worker of this queue takes from; None with the broker away."""
    queues = (WEB_QUEUE, EXPORTS_QUEUE) if queue == WEB_QUEUE else (queue,)
    counts = [dispatch.num_on_the_way(one) for one in queues]
    return None if None in counts else sum(count or 0 for count in counts)


def _policies(found: Sequence[Living]) -> dict[str, Policy]:
    paths = {path for one in found for path in one.worker.policies}
    return {policy.store_path: policy for policy in Policy.objects.filter(store_path__in=paths)}


def _purposes(found: Sequence[Living]) -> dict[str, str]:
    """What sampling runs, by their ids, and the tasks of web workers, by their names, are for."""
    runs = SamplingRun.objects.filter(id__in=_running(found, SAMPLE_QUEUE)).only("purpose")
    tasks = {task for one in found if one.worker.queue == WEB_QUEUE for task in one.worker.running}
    return {task: str(TASKS.get(task, _("short job"))) for task in tasks} | {
        str(run.id): run.get_purpose_display().lower() for run in runs
    }


def _jobs(found: Sequence[Living], viewer: User) -> dict[str, tuple[TrainingJob, bool]]:
    jobs = TrainingJob.objects.filter(id__in=_running(found, TRAIN_QUEUE)).select_related("project")
    visible = set(Project.objects.visible_to(viewer).values_list("id", flat=True))
    return {str(job.id): (job, job.project_id in visible) for job in jobs}


def _running(found: Sequence[Living], queue: str) -> list[UUID]:
    """Ids of rows. What else sends to the queue may call its work as it likes."""
    ids = []
    for one in found:
        for name in one.worker.running if one.worker.queue == queue else ():
            try:
                ids.append(UUID(name))
            except ValueError:
                continue
    return ids
