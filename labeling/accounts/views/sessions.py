"""Where a person is signed in: the list, ending one, ending all others."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from labeling.accounts.devices import device_words
from labeling.accounts.sessions import end_session, end_sessions, sessions_of
from labeling.models import Session, User
from labeling.web import access

MOST_SHOWN = 50


@access.signed_in
@require_GET
def sessions(request: HttpRequest) -> HttpResponse:
    user = access.person(request)
    rows = described(user, own_key=request.session.session_key)
    context = {"section": "account", "sessions": rows, "has_others": any(not row["is_this"] for row in rows)}
    return render(request, "labeling/accounts/sessions.html", context)


@access.signed_in
@require_POST
def end(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    user = access.person(request)
    end_session(get_object_or_404(Session, id=session_id, user=user), by=user)
    return redirect("sessions")


@access.signed_in
@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    user = access.person(request)
    messages.success(request, sessions_ended(end_sessions(user, by=user, but=request.session.session_key)))
    return redirect("sessions")


def described(user: User, *, own_key: str | None = None) -> list[dict[str, object]]:
    """The sessions of a person, in words for a page; `own_key` is of the session that looks."""
    return [
        {"row": row, "device": device_words(row.agent), "is_this": row.session_key == own_key}
        for row in sessions_of(user)[:MOST_SHOWN]
    ]


def sessions_ended(num: int) -> str:
    """The message after sessions were ended."""
    return ngettext("%(n)d session was ended.", "%(n)d sessions were ended.", num) % {"n": num}
