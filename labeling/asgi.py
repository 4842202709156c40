"""The ASGI application: pages run in a bounded pool of threads, URLs under /stream/ in async views.

Pages use the database, so each thread keeps a connection, which is checked before use. Django's own ASGI handler
opens a new connection for each request, at 0.6 times the speed (docs/decisions/0004-threads-for-pages.md). Streams
keep no connection; while they open each needs one, so that only so many open at a time. Both begin only once the whole
request body has been received (labeling.request_bodies).
"""

import asyncio
import os
from contextlib import AsyncExitStack, closing
from typing import Any

from a2wsgi import WSGIMiddleware
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.http.response import HttpResponseBase

from labeling import embedded, environment, refused_bodies
from labeling.request_bodies import Body, BodyRefused, read_body

# The three arguments of every ASGI application. Django and a2wsgi type them differently.
Scope = dict[str, Any]
Receive = Any
Send = Any

STREAM_PREFIX = "/stream/"
# Streams whose session and rights are being read. Each has a database connection of its own then, of which the server
# has a hundred for everybody: without a bound, five hundred people who come back at once got errors.
_MOST_OPENING = 16
_CHUNK_BYTES = 64 * 1024


class StreamHandler(ASGIHandler):
    """Django's handler, but it closes the database connections before the first byte: a stream lasts minutes."""

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        await sync_to_async(connections.close_all)()
        await super().send_response(response, send)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    try:
        body = await read_body(scope, receive)
    except RequestAborted:  # the client disconnected before the body was complete
        return
    except BodyRefused as refused:
        await refused_bodies.answer(refused, scope=scope, receive=receive, send=send)
        return
    with closing(body):
        if scope["path"].startswith(STREAM_PREFIX):
            await _stream(scope, _replay(body, receive), send)
        else:
            await _pages(_without_ambiguous_headers(scope), _replay(body, receive), send)


async def _stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a stream, once fewer than _MOST_OPENING others are being opened."""
    async with AsyncExitStack() as opening:
        await opening.enter_async_context(_opening)

        async def send_opened(message: Any) -> None:
            await opening.aclose()  # the connection is closed before the first byte; a second call does nothing
            await send(message)

        await _streams(scope, receive, send_opened)


def _without_ambiguous_headers(scope: Scope) -> Any:
    """Remove headers with an underscore in their names.

    WSGI gives X-Forwarded-For and X_Forwarded_For the same name, so a client could send the second past a proxy
    that sets the first.
    """
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if b"_" not in name]}


def _replay(body: Body, receive: Receive) -> Receive:
    """A `receive` that returns the body from its file, so that a slow or broken client never occupies a thread.

    After the body it passes on the real `receive`, by which a stream learns that its client has disconnected.
    """
    handed_out = False

    async def replayed() -> dict[str, Any]:
        nonlocal handed_out
        if handed_out:
            return dict(await receive())
        chunk = body.read(_CHUNK_BYTES)
        handed_out = len(chunk) < _CHUNK_BYTES
        return {"type": "http.request", "body": chunk, "more_body": not handed_out}

    return replayed


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")
embedded.ensure()
get_asgi_application()  # sets Django up
_streams = StreamHandler()
_opening = asyncio.Semaphore(_MOST_OPENING)
_wsgi: Any = get_wsgi_application()
_pages = WSGIMiddleware(
    _wsgi,
    workers=environment.integer("PARLEY_WEB_THREADS", default=8, low=1, high=200),
)
