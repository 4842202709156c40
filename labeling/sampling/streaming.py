"""Streams the text of a sampling run to the browser as server-sent events.

The request is authorised and the row read before the first byte. While it waits, a stream holds no database
connection and one broker connection of its own, closed with the stream. The broker's stream may disappear at any
time; the row is authoritative, so it is polled until the run has ended.
"""

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
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

HEARTBEAT_SECONDS = 15.0  # of silence, after which a comment is sent so that proxies keep the connection open
POLL_SECONDS = 4.0  # between two reads of the row while the broker's stream is silent
FAST_POLL_SECONDS = 0.3  # between two reads once the sampler is done and its completions are about to be stored
WAIT_FOR_ROWS_SECONDS = 20.0  # for the completions to be stored; then the stream ends without them
WAIT_FOR_PARTIAL_SECONDS = 3.0  # the partial text of a stopped run is stored a moment later, or never
# All streams read rows through these threads: a silent stream reads its row every few seconds, and five hundred of
# them, each with a connection of its own, would use up the server's.
_READERS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stream rows")
LONGEST_STREAM_SECONDS = 600.0  # then the browser reconnects by itself and continues after the last event
_STREAM_POSITION = re.compile(r"[0-9]{1,18}-[0-9]{1,18}")  # for anything else the broker has only an error


@dataclass(frozen=True, kw_only=True)
class _RunState:
    """What was read from the run's row; `texts` are its completions once it has ended."""

    attempt: int
    state: str
    texts: tuple[str, ...]

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY


@access.signed_in
@require_GET
async def stream(request: HttpRequest, run_id: uuid.UUID) -> HttpResponseBase:
    """Events: `text` {index, text} to append; `again`: discard all text so far; `finished`: fetch the result."""
    return await stream_run(request, run_id, lambda: access.own_run(request, run_id))


async def stream_run(request: HttpRequest, run_id: uuid.UUID, find: Callable[[], SamplingRun]) -> HttpResponseBase:
    """The stream of a run that `find` fetches and authorises, for views that have another rule than `stream`."""
    seen = await sync_to_async(_authorised)(find)
    last_id = request.headers.get("Last-Event-ID", "")
    response = StreamingHttpResponse(_events(run_id, seen, last_id), content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"
    return response


async def _events(run_id: uuid.UUID, seen: _RunState, last_id: str) -> AsyncIterator[str]:
    if seen.is_under_way:
        async for event in _relay(run_id, seen, last_id):
            yield event
    else:
        yield _event("again")
        for index, text in enumerate(seen.texts):
            yield _event("text", {"index": index, "text": text})
    yield _event("finished")


async def _relay(run_id: uuid.UUID, seen: _RunState, last_id: str) -> AsyncIterator[str]:
    """Relay the broker's stream of the newest attempt until the stream or the row says that the run has ended."""
    started = heard = time.monotonic()
    position = _position(last_id, seen.attempt)
    async with redis.asyncio.Redis.from_url(settings.REDIS_URL, max_connections=1) as broker:
        while time.monotonic() - started < LONGEST_STREAM_SECONDS:
            entries = await _read(broker, stream_key(str(run_id), seen.attempt), position)
            for position, fields in entries:
                if b"done" in fields or b"error" in fields:
                    await _wait_for_rows(run_id)
                    return
                heard = time.monotonic()
                yield _text_event(fields, event_id=f"{seen.attempt}:{position}")
            if entries:
                continue
            now = await _read_state(run_id)
            if not now.is_under_way:
                await _wait_for_rows(run_id)
                return
            if now.attempt != seen.attempt:
                seen, position = now, "0"
                yield _event("again")
            if time.monotonic() - heard > HEARTBEAT_SECONDS:
                heard = time.monotonic()
                yield ": still here\n\n"


async def _read(broker: "redis.asyncio.Redis", key: str, position: str) -> list[tuple[str, dict[bytes, bytes]]]:
    """Entries after `position`, waiting up to POLL_SECONDS; empty if there are none or the broker is unreachable."""
    try:
        answer = await broker.xread({key: position}, block=int(1000 * POLL_SECONDS), count=200)
    except (RedisError, OSError):
        await asyncio.sleep(POLL_SECONDS)
        return []
    return [(entry_id.decode(), fields) for _key, entries in answer for entry_id, fields in entries]


async def _wait_for_rows(run_id: uuid.UUID) -> None:
    """Wait until the completions are stored. The sampler ends its stream before, and a browser would fetch none."""
    started = time.monotonic()
    while time.monotonic() - started < WAIT_FOR_ROWS_SECONDS:
        seen = await _read_state(run_id)
        patience = WAIT_FOR_PARTIAL_SECONDS if seen.state == SamplingRun.State.CANCELLED else 0.0
        if not seen.is_under_way and (seen.texts or time.monotonic() - started >= patience):
            return
        await asyncio.sleep(FAST_POLL_SECONDS)


def _authorised(find: Callable[[], SamplingRun]) -> _RunState:
    try:
        return _state_of(find())
    finally:
        connection.close()


async def _read_state(run_id: uuid.UUID) -> _RunState:
    return await asyncio.get_running_loop().run_in_executor(_READERS, _state_now, run_id)


def _state_now(run_id: uuid.UUID) -> _RunState:
    try:
        return _state_of(SamplingRun.objects.get(pk=run_id))
    finally:
        connection.close()


def _state_of(run: SamplingRun) -> _RunState:
    texts = () if run.state in UNDER_WAY else tuple(run.completions.values_list("content", flat=True))
    return _RunState(attempt=run.attempt, state=run.state, texts=texts)


def _position(last_id: str, attempt: int) -> str:
    """The stream position after which to continue: the browser's last event, if it was of this attempt, else "0"."""
    of_attempt, _, position = last_id.partition(":")
    return position if of_attempt == str(attempt) and _STREAM_POSITION.fullmatch(position) else "0"


def _text_event(fields: dict[bytes, bytes], *, event_id: str) -> str:
    value = {"index": int(fields[b"index"]), "text": fields[b"text"].decode()}
    return f"id: {event_id}\n{_event('text', value)}"


def _event(name: str, value: dict[str, object] | None = None) -> str:
    """Format one event. JSON escapes line ends, so the value fits into one `data:` line."""
    return f"event: {name}\ndata: {json.dumps(value or {})}\n\n"
