"""Workers that say they live, without a process behind them, for tests of what is shown of them."""

from typing import Any

import redis
from django.conf import settings

from records import Worker
from records.lines import to_line
from records.names import WORKERS_KEY, worker_key

SINCE = "2026-01-01T00:00:00+00:00"


def make_worker(name: str = "sample@gpu1", **fields: Any) -> Worker:
    """Written to the broker as records.presence does, for an hour."""
    worker = Worker(name=name, **{"queue": name.partition("@")[0], "device": "cpu", "started_at": SINCE, **fields})
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.set(worker_key(name), to_line(worker), ex=3600)
        client.sadd(WORKERS_KEY, name)
    return worker
