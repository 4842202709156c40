"""What a web worker says of itself: which tasks it is at."""

from datetime import UTC, datetime

import redis
from celery.worker import state

from records import Worker
from records.names import WEB_QUEUE
from records.presence import Presence


def presence(name: str, redis_url: str) -> Presence:
    """The sign of life of the worker of this name, which is this process."""
    started_at = datetime.now(UTC).isoformat(timespec="seconds")

    def describe() -> Worker:
        running = tuple(sorted(request.name for request in tuple(state.active_requests)))
        return Worker(name=name, queue=WEB_QUEUE, device="", started_at=started_at, running=running)

    client = redis.Redis.from_url(redis_url, socket_timeout=3, socket_connect_timeout=3)
    return Presence(client, name, describe)
