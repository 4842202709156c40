"""The web server's door: pages to a bounded pool of threads, what lies under /stream/ to async views.

Pages use the database, so they run where a connection can be kept: one to a thread, checked before
use. Under Django's own ASGI handler each request opens a connection anew, at 0.6 times the speed
(docs/decisions/0004-threads-for-pages.md). Streams keep no connection at all.
"""

import os
from typing import IO, Any

from a2wsgi import WSGIMiddleware
from asgiref.sync import sync_to_async
from django.core.asgi import get_asgi_application
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.http.response import HttpResponseBase

from labeling import engines, environment

# The three arguments of every ASGI application. Django's and a2wsgi's own types for them do not agree.
Scope = dict[str, Any]
Receive = Any
Send = Any

STREAM_PREFIX = "/stream/"
_CHUNK_BYTES = 64 * 1024


class StreamHandler(ASGIHandler):
    """Django's handler, but the database connection goes back before the first byte: a stream lasts minutes."""

    async def send_response(self, response: HttpResponseBase, send: Send) -> None:
        await sync_to_async(connections.close_all)()
        await super().send_response(response, send)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    if scope["path"].startswith(STREAM_PREFIX):
        await _streams(scope, receive, send)
    else:
        await _serve_page(scope, receive, send)


async def _serve_page(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        body = await _streams.read_body(receive)
    except RequestAborted:  # the sender left halfway: half a form is no form
        return
    with body:
        await _pages(_without_ambiguous_headers(scope), _replay(body), send)


def _without_ambiguous_headers(scope: Scope) -> Any:
    """WSGI spells X-Forwarded-For and X_Forwarded_For alike: the second would pass a proxy that sets the first."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if b"_" not in name]}


def _replay(body: IO[bytes]) -> Receive:
    """Hand out a body that has arrived whole, so that a slow or broken sender never occupies a thread."""

    async def receive() -> dict[str, Any]:
        chunk = body.read(_CHUNK_BYTES)
        return {"type": "http.request", "body": chunk, "more_body": len(chunk) == _CHUNK_BYTES}

    return receive


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")
engines.ensure()
get_asgi_application()  # sets Django up
_streams = StreamHandler()
_wsgi: Any = get_wsgi_application()
_pages = WSGIMiddleware(
    _wsgi,
    workers=environment.integer("PARLEY_WEB_THREADS", default=8, low=1, high=200),
)
