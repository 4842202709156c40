"""Every request gets an id, is timed by the name of its view, and is traced where a collector of traces is set.

The id is in the response (X-Request-ID), in every line of the log that the request caused, and in its span. Addresses
are never labels of figures: they hold ids, and each would be a time series of its own.
"""

import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import Histogram

from labeling.web import tracing

Answer = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]

request_id: ContextVar[str] = ContextVar("request_id", default="")

_SECONDS = Histogram(
    "parley_request_seconds",
    "Time from a request's arrival at the first middleware to its response; of a stream, to its beginning.",
    ("view", "method", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@sync_and_async_middleware
def observe(get_response: Answer) -> Answer:
    """Middleware that must be the first, so that what the others take is timed too."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            with _observed(request) as seen:
                response: HttpResponseBase = await get_response(request)
                seen.response = response
            return response

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        with _observed(request) as seen:
            response = get_response(request)
            assert isinstance(response, HttpResponseBase)
            seen.response = response
        return response

    return answer


@dataclass
class _Seen:
    response: Any = None


@contextmanager
def _observed(request: HttpRequest) -> Iterator[_Seen]:
    """The request's id is ours, never the client's: what stands in the log must not be somebody else's choice."""
    token = request_id.set(uuid.uuid4().hex)
    started = time.perf_counter()
    seen = _Seen()
    method = request.method if request.method in _METHODS else "other"
    try:
        facts = {"http.request.method": method, "parley.request_id": request_id.get()}
        with tracing.span(f"{method} request", **facts) as span:
            yield seen
            view = _name_of_view(request)
            span.update_name(f"{method} {view}")
            span.set_attribute("http.route", view)
            span.set_attribute("http.response.status_code", seen.response.status_code)
        seen.response["X-Request-ID"] = request_id.get()
        _SECONDS.labels(view, method, _class_of(seen.response.status_code)).observe(time.perf_counter() - started)
    finally:
        request_id.reset(token)


def _name_of_view(request: HttpRequest) -> str:
    match = request.resolver_match
    return (match.view_name or "unnamed") if match else "none"


def _class_of(status: int) -> str:
    return f"{status // 100}xx"
