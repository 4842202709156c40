"""What makes a Celery app an app of Parley: how it speaks to the broker, and what its workers do besides tasks.

They drop what is no task, and say that they live. Imports no Celery and no Redis: what is needed of them is
handed in.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from records.broker import celery_settings, environment_redis_url
from records.malformed import dropping_step
from records.presence import Client, Presence
from records.types import Worker

_SECONDS = 3  # that a sign of life waits for the broker


def prepare(
    app: Any,
    describe: Callable[[str, str], Worker],
    *,
    signals: Any,
    step: Any,
    loads: Callable[[bytes], Any],
    redis_from_url: Callable[..., Client],
    redis_url: str | None = None,
) -> None:
    """Make `app` one of Parley's on the broker of `redis_url` (default: the variable REDIS_URL).

    `describe` says what a worker is and is at, given its name and when it began. Handed in are celery.signals,
    celery.bootsteps.StartStopStep, kombu.utils.json.loads and redis.Redis.from_url.
    """
    url = redis_url or environment_redis_url()
    # Orders to workers (`celery inspect`, `celery control`) go to those of one app: who may send them to the workers of
    # models need not be able to shut down the platform's.
    app.conf.update(celery_settings(url) | {"control_exchange": app.main})
    app.steps["consumer"].add(dropping_step(step, loads))

    def begin(sender: Any, **_: object) -> None:
        started_at = datetime.now(UTC).isoformat(timespec="seconds")
        client = redis_from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
        presence = Presence(client, sender.hostname, partial(describe, sender.hostname, started_at))
        signals.worker_shutdown.connect(lambda **_: presence.end(), weak=False)
        presence.begin()

    signals.worker_ready.connect(begin, weak=False)
