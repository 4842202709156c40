"""What is said to the workers over the broker: "look", and "stop". The broker may be away at any time."""

import logging
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from kombu.exceptions import ChannelError, OperationalError

from labeling.models import Policy, SamplingRun
from records import EmbedRequest, Message, ModelServer, SampleRequest, SamplingParams, decode, encode
from records.names import (
    EMBED,
    PRIORITY_OVERNIGHT,
    PRIORITY_WAITING,
    RECORD_COMPLETIONS,
    RECORD_SAMPLING_FAILURE,
    RECORD_VECTORS,
    SAMPLE,
    SAMPLE_QUEUE,
    WEB_QUEUE,
    cancel_key,
    stream_key,
)

logger = logging.getLogger(__name__)

STOP_SECONDS = 600  # how long a worker that comes upon a stopped run is told so
_AWAY = (OperationalError, OSError, redis.RedisError)


def send_run(run: SamplingRun) -> bool:
    """Send one run to the sampler, its answer to come back to us; False with the broker away."""
    urgent = run.purpose in (SamplingRun.Purpose.SUGGESTION, SamplingRun.Purpose.CHAT)
    fence = {"run_id": str(run.id), "attempt": run.attempt}
    return _send(
        SAMPLE,
        f"sampling run {run.id}",
        kwargs={"request": encode(request_of(run))},
        priority=PRIORITY_WAITING if urgent else PRIORITY_OVERNIGHT,
        link=current_app.signature(RECORD_COMPLETIONS, queue=WEB_QUEUE),
        link_error=current_app.signature(RECORD_SAMPLING_FAILURE, kwargs=fence, queue=WEB_QUEUE, immutable=True),
    )


def send_embedding(request: EmbedRequest) -> bool:
    """Ask for what texts mean, the answer to come back to us; False with the broker away."""
    return _send(
        EMBED,
        f"a batch of {len(request.ids)} texts to embed",
        kwargs={"request": encode(request)},
        priority=PRIORITY_OVERNIGHT,
        link=current_app.signature(RECORD_VECTORS, queue=WEB_QUEUE),
    )


def send_task(task: str, **arguments: Any) -> bool:
    """Send any other task by name, to the queue that records.broker gives it; False with the broker away."""
    return _send(task, task, kwargs=arguments)


def _send(task: str, what: str, **options: Any) -> bool:
    """Send a task; where the broker is away, say in the log what waits."""
    try:
        current_app.send_task(task, **options)
    except _AWAY as error:
        logger.warning("The broker is away, so %s waits: %s", what, error)
        return False
    return True


def request_of(run: SamplingRun) -> SampleRequest:
    """The run as the record that crosses to the model side."""
    return SampleRequest(
        run_id=str(run.id),
        attempt=run.attempt,
        purpose=run.purpose,  # type: ignore[arg-type]
        policy=run.policy.name,
        policy_path=run.policy.store_path,
        policy_sha256=run.policy.manifest_sha256 or None,
        server=_server_of(run.policy),
        messages=tuple(decode(Message, message) for message in run.messages),
        num_completions=run.num_completions,
        sampling=decode(SamplingParams, run.sampling),
        as_role=run.as_role,  # type: ignore[arg-type]
        stream_key=stream_key(str(run.id), run.attempt) if run.streams else None,
    )


def _server_of(policy: Policy) -> ModelServer | None:
    if policy.backend != Policy.Backend.OPENAI:
        return None
    return ModelServer(kind=policy.server_kind, url=policy.server_url, model=policy.server_model)  # type: ignore[arg-type]


def num_on_the_way(queue: str = SAMPLE_QUEUE) -> int | None:
    """How many messages lie in a queue, of all priorities; None with the broker away."""
    try:
        with current_app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:
        return 0  # Redis has no key for an empty queue
    except _AWAY:
        return None


def ask_to_stop(run_id: str) -> None:
    """Leave word for the worker that is at this run, or will come upon it."""
    _redis().set(cancel_key(run_id), 1, ex=STOP_SECONDS)


def forget_stop(run_id: str) -> None:
    _redis().delete(cancel_key(run_id))


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
