"""Middleware that refuses what cannot be stored in the address or the form of a page, before any view reads it.

The refusal shows what was typed, so that nobody loses it. JSON bodies are checked where they are read, by
labeling.web.storable.read_json; the API, which answers in JSON, checks its addresses itself.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _
from django_htmx.http import reswap, trigger_client_event

from labeling.web.storable import InputRefused, require_storable, require_storable_address, require_storable_form

_API_PREFIX = "/api/"
_HIDDEN = "password"  # fields whose name contains it are not shown again, nor is the CSRF token
Answer = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def refuse_unstorable(get_response: Answer) -> Answer:
    """Must come before the middleware of sessions, which looks a cookie up in the database."""
    middleware: Any
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            _leave_out_cookies(request)
            response = await get_response(request)
            assert isinstance(response, HttpResponseBase)
            return response

        middleware = answer_async
    else:

        def answer(request: HttpRequest) -> HttpResponseBase:
            _leave_out_cookies(request)
            response = get_response(request)
            assert isinstance(response, HttpResponseBase)
            return response

        middleware = answer
    middleware.process_view = _refusal
    return middleware  # type: ignore[no-any-return]


def _leave_out_cookies(request: HttpRequest) -> None:
    """Browsers invent no such cookies, so nobody needs to be told: without the cookie they are signed out."""
    request.COOKIES = {name: value for name, value in request.COOKIES.items() if _is_storable(value)}


def _is_storable(text: str) -> bool:
    try:
        require_storable(text, "cookie")
    except InputRefused:
        return False
    return True


def _refusal(request: HttpRequest, *_view: Any) -> HttpResponse | None:
    if request.path.startswith(_API_PREFIX):
        return None
    try:
        require_storable_address(request)
    except InputRefused as refused:
        return _response(request, refused, status=400)
    try:
        require_storable_form(request)
    except InputRefused as refused:
        return _response(request, refused, status=422)
    return None


def _response(request: HttpRequest, refused: InputRefused, *, status: int) -> HttpResponse:
    """In the form that the sender reads: JSON for scripts, an event for htmx, which keeps its page, else a page."""
    field = _printable(refused.where)
    sentence = _("“%(field)s” was not taken. %(what)s") % {"field": field, "what": refused}
    if "application/json" in (request.content_type, request.headers.get("Accept")):
        return JsonResponse({"error": sentence}, status=status)
    if request.headers.get("HX-Request"):
        response = reswap(HttpResponse(status=status), "none")
        return trigger_client_event(response, "parley:toast", {"text": sentence, "kind": "stop"})
    context = {"sentence": sentence, "typed": _typed(request)}
    return render(request, "input_refused.html", context, status=status)


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """The filled fields of the form, by name."""
    return [
        (_printable(name), _printable(value))
        for name, values in request.POST.lists()
        for value in values
        if value.strip() and name != "csrfmiddlewaretoken" and _HIDDEN not in name
    ]


def _printable(text: str) -> str:
    return text.replace("\0", "\ufffd")
