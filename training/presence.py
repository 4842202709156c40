"""What a train worker says of itself: its device, and the job that it is at."""

import subprocess
import sys
from datetime import UTC, datetime
from functools import cache

import redis
from celery.worker import state

from records import Worker
from records.broker import environment_redis_url
from records.names import TRAIN_QUEUE
from records.presence import Presence

_DEVICE = """
import torch
names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
print(", ".join(f"{names.count(name)} x {name}" for name in sorted(set(names))) or "cpu")
"""
_DEVICE_SECONDS = 120


def presence(name: str) -> Presence:
    """The sign of life of the worker of this name, which is this process."""
    started_at = datetime.now(UTC).isoformat(timespec="seconds")

    def describe() -> Worker:
        return Worker(name=name, queue=TRAIN_QUEUE, device=_device(), started_at=started_at, running=_jobs())

    client = redis.Redis.from_url(environment_redis_url(), socket_timeout=3, socket_connect_timeout=3)
    return Presence(client, name, describe)


@cache
def _device() -> str:
    """What trainers find here. Asked in a process of its own: torch would stay in this one's memory."""
    asked = subprocess.run(
        [sys.executable, "-c", _DEVICE], capture_output=True, text=True, timeout=_DEVICE_SECONDS, check=True
    )
    return asked.stdout.strip().splitlines()[-1]


def _jobs() -> tuple[str, ...]:
    requests = (request.kwargs.get("request", {}) for request in tuple(state.active_requests))
    return tuple(sorted(str(request["job_id"]) for request in requests if "job_id" in request))
