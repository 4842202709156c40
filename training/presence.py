"""What a train worker says of itself: its device, and the job that it is at."""

import subprocess
import sys
from functools import cache

from records import Worker
from records.names import TRAIN_QUEUE

_DEVICE = """
import torch
names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
print(", ".join(f"{names.count(name)} x {name}" for name in sorted(set(names))) or "cpu")
"""
_DEVICE_SECONDS = 120


def describe(name: str, started_at: str) -> Worker:
    """What the worker of this name, which is this process, is and is at."""
    return Worker(name=name, queue=TRAIN_QUEUE, device=_device(), started_at=started_at, running=_jobs())


@cache
def _device() -> str:
    """What trainers find here. Asked in a process of its own: torch would stay in this one's memory."""
    asked = subprocess.run(
        [sys.executable, "-c", _DEVICE], capture_output=True, text=True, timeout=_DEVICE_SECONDS, check=True
    )
    return asked.stdout.strip().splitlines()[-1]


def _jobs() -> tuple[str, ...]:
    from celery.worker import state  # of a worker, where it is loaded; senders do without

    requests = (request.kwargs.get("request", {}) for request in tuple(state.active_requests))
    return tuple(sorted(str(request["job_id"]) for request in requests if "job_id" in request))
