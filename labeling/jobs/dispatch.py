"""Messages to the workers over the broker: tasks, and requests to stop a run.

The broker may be unreachable at any time. Sending a task then returns False and loses nothing: the row waits, and
the sweep dispatches it again.
"""

import base64
import json
import logging
from collections.abc import Sequence
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from kombu.exceptions import ChannelError, OperationalError

from labeling.jobs.screens import screen_of
from labeling.models import Policy, SamplingRun
from records import EmbedRequest, Message, ModelServer, SampleRequest, SamplingParams, ScreenRequest, decode, encode
from records.names import (
    EMBED,
    PRIORITY_OVERNIGHT,
    PRIORITY_VISITORS,
    PRIORITY_WAITING,
    RECORD_COMPLETIONS,
    RECORD_SAMPLING_FAILURE,
    RECORD_SCREENINGS,
    RECORD_VECTORS,
    SAMPLE,
    SAMPLE_QUEUE,
    SCREEN,
    WEB_QUEUE,
    cancel_key,
    stream_key,
)

logger = logging.getLogger(__name__)

STOP_SECONDS = 600  # how long a request to stop is kept for a worker that has not reached the run yet
_BROKER_ERRORS = (OperationalError, OSError, redis.RedisError)


def send_run(run: SamplingRun) -> bool:
    """Send one run to the sampler, with the tasks that record its result or failure; False if the broker is away."""
    fence = {"run_id": str(run.id), "attempt": run.attempt}
    return _send(
        SAMPLE,
        f"sampling run {run.id}",
        kwargs={"request": encode(request_of(run))},
        priority=_priority_of(run),
        link=current_app.signature(RECORD_COMPLETIONS, queue=WEB_QUEUE),
        link_error=current_app.signature(RECORD_SAMPLING_FAILURE, kwargs=fence, queue=WEB_QUEUE, immutable=True),
    )


def send_embedding(request: EmbedRequest) -> bool:
    """Request the embeddings of texts, with the task that records them; False if the broker is away."""
    return _send(
        EMBED,
        f"a batch of {len(request.ids)} texts to embed",
        kwargs={"request": encode(request)},
        priority=PRIORITY_OVERNIGHT,
        link=current_app.signature(RECORD_VECTORS, queue=WEB_QUEUE),
    )


def send_screening(request: ScreenRequest, *, is_awaited: bool = False) -> bool:
    """Have a filter see texts, with the task that records what it says; False if the broker is away.

    Only what a person or program waits for is served first: what is seen after the fact is overnight work.
    """
    return _send(
        SCREEN,
        f"a batch of {len(request.ids)} texts to screen",
        kwargs={"request": encode(request)},
        priority=PRIORITY_WAITING if is_awaited else PRIORITY_OVERNIGHT,
        link=current_app.signature(RECORD_SCREENINGS, queue=WEB_QUEUE),
    )


def send_task(task: str, **arguments: Any) -> bool:
    """Send any other task by name, to the queue that records.broker routes it to; False if the broker is away."""
    return _send(task, task, kwargs=arguments)


def _send(task: str, what: str, **options: Any) -> bool:
    """Send a task; if the broker is away, log what waits and return False."""
    try:
        current_app.send_task(task, **options)
    except _BROKER_ERRORS as error:
        logger.warning("The broker is away, so %s waits: %s", what, error)
        return False
    return True


def request_of(run: SamplingRun) -> SampleRequest:
    """The run as the record that is sent to the sampler."""
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
        screen=screen_of(run),
        is_visitors=run.is_visitors,
    )


def _priority_of(run: SamplingRun) -> int:
    if run.purpose not in (SamplingRun.Purpose.SUGGESTION, SamplingRun.Purpose.CHAT):
        return PRIORITY_OVERNIGHT
    return PRIORITY_VISITORS if run.is_visitors else PRIORITY_WAITING


def _server_of(policy: Policy) -> ModelServer | None:
    if policy.backend != Policy.Backend.OPENAI:
        return None
    return ModelServer(kind=policy.server_kind, url=policy.server_url, model=policy.server_model)  # type: ignore[arg-type]


def queue_length(queue: str = SAMPLE_QUEUE) -> int | None:
    """The number of messages in a queue, of all priorities; None if the broker is away."""
    try:
        with current_app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:
        return 0  # Redis has no key for an empty queue
    except _BROKER_ERRORS:
        return None


def ask_to_stop(run_id: str) -> None:
    """Set the key by which the worker that has this run, or will get it, learns that it is cancelled."""
    _redis().set(cancel_key(run_id), 1, ex=STOP_SECONDS)


def forget_stop(run_id: str) -> None:
    _redis().delete(cancel_key(run_id))


def forget_streams(keys: Sequence[str]) -> None:
    """Delete these streams of text, if they are there."""
    if keys:
        _redis().delete(*keys)


def forget_messages(run_ids: Sequence[str]) -> int:
    """Take messages about these runs out of the queues, requests and results alike; returns how many.

    They hold people's text. A message that a worker has taken out already is gone with the worker's answer.
    """
    broker, wanted, num = _redis(), [one.encode() for one in run_ids], 0
    for queue in (SAMPLE_QUEUE, WEB_QUEUE):
        for name in broker.scan_iter(match=f"{queue}*", _type="list"):
            for raw in broker.lrange(name, 0, -1):  # type: ignore[union-attr]
                body = _body_of(raw)
                if any(one in body for one in wanted):
                    num += int(broker.lrem(name, 1, raw))  # type: ignore[arg-type]
    return num


def _body_of(raw: bytes) -> bytes:
    """The body of a message as it lies in the broker; nothing of one that is no message of ours."""
    try:
        return base64.b64decode(json.loads(raw)["body"])
    except (ValueError, KeyError, TypeError):
        return b""


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
