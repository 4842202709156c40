"""What a session has proven: who its person is, how lately, and whether by a second factor where their role needs one.

Knows the session's own words and no row. labeling.accounts writes them when somebody signs in or confirms.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from labeling.web.redirects import safe_url

PROVEN_AT = "proven_at"  # in a session: when its person last gave a password, a code or a passkey, in seconds
SECOND_FACTOR = "second_factor"  # in a session: that they gave a code or a passkey
HELD_FORM = "held_form"  # in a session: a form that was sent too late, until its person has confirmed who they are
LARGEST_HELD_FORM = 20_000  # characters; a larger one is to be filled in again
TIME_TO_SEND = timedelta(minutes=15)  # more for a form than for its page, so that what is filled in can be sent

View = Callable[..., Any]


def recently_proven(view: View) -> View:
    """Whoever opens this view has proven who they are within CONFIRM_MINUTES; others do so first, and come back."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return view(request, *args, **kwargs) if is_recent(request) else _to_confirm(request)

    guarded.is_confirmed = True  # type: ignore[attr-defined]
    return guarded


def before_second_factor(view: View) -> View:
    """Whoever must set a second factor up first may open this view meanwhile. Below the decorator of access."""
    view.before_second_factor = True  # type: ignore[attr-defined]
    return view


def lacks_second_factor(request: HttpRequest, *, role: str) -> bool:
    """Whether this role must have signed in by a second factor, and this session did not. A token is none."""
    if role not in settings.REQUIRE_SECOND_FACTOR or hasattr(request, "api_token"):
        return False
    return not request.session.get(SECOND_FACTOR)


def is_recent(request: HttpRequest) -> bool:
    if not settings.CONFIRM_MINUTES:
        return True
    allowed = timedelta(minutes=settings.CONFIRM_MINUTES)
    if request.method not in ("GET", "HEAD"):
        allowed += TIME_TO_SEND
    return bool(time.time() - request.session.get(PROVEN_AT, 0) < allowed.total_seconds())


def note_proof(request: HttpRequest, *, second_factor: bool) -> None:
    """Keep that the person of this session has just proven who they are."""
    request.session[PROVEN_AT] = time.time()
    if second_factor:
        request.session[SECOND_FACTOR] = True


def _hold_form(request: HttpRequest) -> None:
    """Keep what was sent in the session: its page would not have it any more. Files are not kept."""
    values = [
        (name, value) for name, entries in request.POST.lists() if name != "csrfmiddlewaretoken" for value in entries
    ]
    if not request.FILES and sum(len(str(value)) for _name, value in values) <= LARGEST_HELD_FORM:
        request.session[HELD_FORM] = {"url": request.get_full_path(), "values": values}


def _to_confirm(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        _hold_form(request)
    came_from = urlsplit(request.headers.get("Referer", ""))
    back = request.get_full_path() if request.method == "GET" else f"{came_from.path}?{came_from.query}".rstrip("?")
    url = reverse("confirm", query={"next": safe_url(request, back) or reverse("home")})
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)
