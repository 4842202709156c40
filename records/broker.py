"""How both sides speak to the broker: one dict of Celery settings, and where each task is sent.

A message is a hint and a row is the truth, so nothing here tries to make messages safe: they are
acknowledged early, carry JSON only, and give up soon when the broker is away. Imports no Celery.
"""

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit

from records.names import (
    BUILD_EXPORT,
    DELIVER,
    DELIVERIES_QUEUE,
    EMBED,
    EXPORTS_QUEUE,
    MAIL_LINK,
    PRIORITY_OVERNIGHT,
    PRIORITY_VISITORS,
    PRIORITY_WAITING,
    RECORD_COMPLETIONS,
    RECORD_SAMPLING_FAILURE,
    RECORD_SAMPLING_STARTED,
    RECORD_SCREENINGS,
    RECORD_TRAINING_PROGRESS,
    RECORD_TRAINING_RELEASED,
    RECORD_TRAINING_RESULT,
    RECORD_VECTORS,
    SAMPLE,
    SAMPLE_QUEUE,
    SCREEN,
    SWEEP,
    TAKE_IN,
    TRAIN,
    TRAIN_QUEUE,
    WEB_QUEUE,
)

QUEUES = {
    SAMPLE: SAMPLE_QUEUE,
    EMBED: SAMPLE_QUEUE,
    SCREEN: SAMPLE_QUEUE,
    TRAIN: TRAIN_QUEUE,
    RECORD_COMPLETIONS: WEB_QUEUE,
    RECORD_SAMPLING_FAILURE: WEB_QUEUE,
    RECORD_SAMPLING_STARTED: WEB_QUEUE,
    RECORD_VECTORS: WEB_QUEUE,
    RECORD_SCREENINGS: WEB_QUEUE,
    RECORD_TRAINING_PROGRESS: WEB_QUEUE,
    RECORD_TRAINING_RESULT: WEB_QUEUE,
    RECORD_TRAINING_RELEASED: WEB_QUEUE,
    BUILD_EXPORT: EXPORTS_QUEUE,
    TAKE_IN: EXPORTS_QUEUE,
    MAIL_LINK: DELIVERIES_QUEUE,  # as deliveries: a mail server may take its time
    DELIVER: DELIVERIES_QUEUE,  # it may wait for an address for half a minute; exports and answers must not
    SWEEP: WEB_QUEUE,
}


def celery_settings(redis_url: str | None = None) -> dict[str, Any]:
    """Settings for a Celery app on the broker of `redis_url` (default: the variable REDIS_URL)."""
    return {
        "broker_url": broker_url(redis_url or environment_redis_url()),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 3.0,
        "broker_transport_options": {
            "priority_steps": [PRIORITY_WAITING, PRIORITY_VISITORS, PRIORITY_OVERNIGHT],
            "queue_order_strategy": "priority",
            "socket_timeout": 30.0,
            "socket_connect_timeout": 3.0,
            "socket_keepalive": True,
            "health_check_interval": 20,
        },
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_backend": None,
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_default_queue": WEB_QUEUE,
        "task_default_priority": PRIORITY_WAITING,
        "task_routes": {task: {"queue": queue} for task, queue in QUEUES.items()},
        # A request that rings a bell must not wait for a broker that is down; the sweeper rings again.
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.1},
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        # A worker's log says that a task succeeded and in what time; what it returned is people's text.
        "task_annotations": {"*": {"resultrepr_maxsize": 0}},
        "worker_send_task_events": False,
        "timezone": "UTC",
        "enable_utc": True,
    }


def environment_redis_url() -> str:
    """The variable REDIS_URL, or a Redis on this machine."""
    return os.environ.get("REDIS_URL", "redis://localhost:6379/0")


def broker_url(redis_url: str) -> str:
    """REDIS_URL in Celery's spelling: `unix:///a.sock?db=1` becomes `redis+socket:///a.sock?virtual_host=1`."""
    parts = urlsplit(redis_url)
    if parts.scheme in ("redis", "rediss", "redis+socket"):
        return redis_url
    if parts.scheme != "unix":
        raise ValueError(f"REDIS_URL begins with {parts.scheme!r}: must be redis://, rediss:// or unix://")
    db = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={db}"
