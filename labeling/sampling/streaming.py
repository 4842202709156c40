"""What a sampling run writes, word by word, as server-sent events.

Authorised and read before the first byte. While it waits it holds no database connection and one
connection to the broker of its own, closed with the stream. The broker's stream may vanish at any
time: the row is the truth, and it is looked at again and again until the run has ended.
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import redis.asyncio
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_GET
from redis.exceptions import RedisError

from labeling.models import SamplingRun
from labeling.sampling.runs import UNDER_WAY
from labeling.web import access
from records.names import stream_key

HEARTBEAT_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 4.0  # at the row, while the stream is silent
LOOK_AGAIN_SOON_SECONDS = 0.3  # when the sampler is done and its completions are about to be rows
WAIT_FOR_ROWS_SECONDS = 20.0
WAIT_FOR_PARTIAL_SECONDS = 3.0  # what a stopped run had written comes a moment later, or never
LONGEST_STREAM_SECONDS = 600.0  # the browser comes back by itself and goes on where it was


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """The run's row at one moment."""

    attempt: int
    state: str
    texts: tuple[str, ...]

    @property
    def goes_on(self) -> bool:
        return self.state in UNDER_WAY


@access.signed_in
@require_GET
async def stream(request: HttpRequest, run_id: uuid.UUID) -> HttpResponseBase:
    """Events: `text` {index, text}; `again`, what was sent so far is void; `finished`, fetch the result."""
    standing = await sync_to_async(_authorised)(request, run_id)
    last_id = request.headers.get("Last-Event-ID", "")
    response = StreamingHttpResponse(_events(run_id, standing, last_id), content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _events(run_id: uuid.UUID, standing: _Standing, last_id: str) -> AsyncIterator[str]:
    if standing.goes_on:
        async for event in _relay(run_id, standing, last_id):
            yield event
    else:
        yield _event("again")
        for index, text in enumerate(standing.texts):
            yield _event("text", {"index": index, "text": text})
    yield _event("finished")


async def _relay(run_id: uuid.UUID, standing: _Standing, last_id: str) -> AsyncIterator[str]:
    """The broker's stream of the newest attempt, until it or the row says that the run has ended."""
    started = heard = time.monotonic()
    position = _position(last_id, standing.attempt)
    async with redis.asyncio.Redis.from_url(settings.REDIS_URL, max_connections=1) as broker:
        while time.monotonic() - started < LONGEST_STREAM_SECONDS:
            entries = await _read(broker, stream_key(str(run_id), standing.attempt), position)
            for position, fields in entries:
                if b"done" in fields or b"error" in fields:
                    await _wait_for_rows(run_id)
                    return
                heard = time.monotonic()
                yield _text_event(fields, event_id=f"{standing.attempt}:{position}")
            if entries:
                continue
            now = await sync_to_async(_look)(run_id)
            if not now.goes_on:
                await _wait_for_rows(run_id)
                return
            if now.attempt != standing.attempt:
                standing, position = now, "0"
                yield _event("again")
            if time.monotonic() - heard > HEARTBEAT_SECONDS:
                heard = time.monotonic()
                yield ": still here\n\n"


async def _read(broker: "redis.asyncio.Redis", key: str, position: str) -> list[tuple[str, dict[bytes, bytes]]]:
    """What came after `position`, waiting a while for it; nothing where the broker is away."""
    try:
        answer = await broker.xread({key: position}, block=int(1000 * LOOK_AGAIN_SECONDS), count=200)
    except (RedisError, OSError):
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return []
    return [(entry_id.decode(), fields) for _key, entries in answer for entry_id, fields in entries]


async def _wait_for_rows(run_id: uuid.UUID) -> None:
    """The sampler's last word comes before its completions are rows; whoever fetches them now would find none."""
    started = time.monotonic()
    while time.monotonic() - started < WAIT_FOR_ROWS_SECONDS:
        standing = await sync_to_async(_look)(run_id)
        patience = WAIT_FOR_PARTIAL_SECONDS if standing.state == SamplingRun.State.CANCELLED else 0.0
        if not standing.goes_on and (standing.texts or time.monotonic() - started >= patience):
            return
        await asyncio.sleep(LOOK_AGAIN_SOON_SECONDS)


def _authorised(request: HttpRequest, run_id: uuid.UUID) -> _Standing:
    try:
        return _standing(access.own_run(request, run_id))
    finally:
        connection.close()


def _look(run_id: uuid.UUID) -> _Standing:
    try:
        return _standing(SamplingRun.objects.get(pk=run_id))
    finally:
        connection.close()


def _standing(run: SamplingRun) -> _Standing:
    texts = () if run.state in UNDER_WAY else tuple(run.completions.values_list("content", flat=True))
    return _Standing(attempt=run.attempt, state=run.state, texts=texts)


def _position(last_id: str, attempt: int) -> str:
    """Where to go on: after the last event that the browser had, if it was of this attempt."""
    of_attempt, _, position = last_id.partition(":")
    return position if of_attempt == str(attempt) and position else "0"


def _text_event(fields: dict[bytes, bytes], *, event_id: str) -> str:
    value = {"index": int(fields[b"index"]), "text": fields[b"text"].decode()}
    return f"id: {event_id}\n{_event('text', value)}"


def _event(name: str, value: dict[str, object] | None = None) -> str:
    """JSON keeps line ends inside one `data:` line."""
    return f"event: {name}\ndata: {json.dumps(value or {})}\n\n"
