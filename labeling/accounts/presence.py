"""When a session was last seen, what it was begun with, and the cookie of a device that a person has signed in with.

What a page asks for by itself is no presence: a page left open over night would keep its reader signed in for ever.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth import SESSION_KEY, user_logged_in
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

from labeling.accounts import devices
from labeling.models import Session
from labeling.models.accounts.sessions import DEVICE_KEY, LONGEST_AGENT
from labeling.web.proof import PROVEN_AT

PRECISION = timedelta(minutes=1)  # or a person at work would write their row at every request

Answer = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def note_presence(get_response: Answer) -> Answer:
    """Middleware that keeps `last_seen_at`, and hands out the cookie of a device at a sign-in."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            response = await get_response(request)
            if _is_to_be_noted(request):
                await sync_to_async(_note)(request)
            return devices.with_cookie(request, response)

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        assert isinstance(response, HttpResponseBase)
        if _is_to_be_noted(request):
            _note(request)
        return devices.with_cookie(request, response)

    return answer


def remember_beginning(request: HttpRequest, **_signal: object) -> None:
    """A receiver of Django's word that somebody has signed in: by what, and that they have just proven who they are."""
    agent = request.META.get("HTTP_USER_AGENT", "").replace("\x00", "")
    request.session[DEVICE_KEY] = {"agent": agent[:LONGEST_AGENT], "address": request.META.get("REMOTE_ADDR", "")[:45]}
    request.session[PROVEN_AT] = time.time()


def connect() -> None:
    """Called once, when the app is ready."""
    user_logged_in.connect(remember_beginning, dispatch_uid="labeling.accounts.presence")


def _is_to_be_noted(request: HttpRequest) -> bool:
    if not request.session.accessed or request.session.session_key is None:
        return False
    asks_by_itself = request.method == "GET" and (
        "HX-Request" in request.headers or "text/event-stream" in request.headers.get("Accept", "")
    )
    seen = getattr(request.session, "last_seen_at", None)
    return not asks_by_itself and seen is not None and timezone.now() - seen >= PRECISION


def _note(request: HttpRequest) -> None:
    if SESSION_KEY in request.session:
        Session.objects.filter(session_key=request.session.session_key).update(last_seen_at=timezone.now())
