"""From the first proof to the session: whether a second one is asked for, and what is kept meanwhile.

Between the two, a session knows who is expected and is nobody's yet. Knows requests and no page.
"""

import time
from dataclasses import asdict, dataclass

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import reverse

from labeling.accounts import users
from labeling.accounts.devices import know_device
from labeling.accounts.second_factor import has_second_factor
from labeling.models import AuditEvent, User
from labeling.web.proof import SECOND_FACTOR
from labeling.web.redirects import safe_url

METHOD = "method"  # in a session: how its person signed in
_PENDING = "expected_person"
_PATIENCE_SECONDS = 600
_BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Somebody who has given a first proof and owes the second."""

    user_id: str
    fingerprint: str  # of the password: a change of it in between ends the waiting
    method: str
    next: str
    time_zone: str
    at: float


def after_first_proof(
    request: HttpRequest, user: User, *, method: str, wanted: str, time_zone: str = "", second: str = ""
) -> str:
    """The address to go to: where the second factor is asked for, or, signed in, where the person wanted to go.

    `second` names a second factor that was given already. The device is known from the first proof on: who has the
    password and only lacks the code is not counted among strangers.
    """
    know_device(request, name=user.username)
    if second or not has_second_factor(user):
        return enter(request, user, method=method, wanted=wanted, time_zone=time_zone, second=second)
    keep_for_a_while(request)
    request.session[_PENDING] = asdict(
        Expected(
            user_id=str(user.pk),
            fingerprint=user.get_session_auth_hash(),
            method=method,
            next=wanted,
            time_zone=time_zone,
            at=time.time(),
        )
    )
    return reverse("second_step")


def keep_for_a_while(request: HttpRequest) -> None:
    """Let the session of somebody who is on the way in end soon: strangers make as many of them as they like."""
    if not request.user.is_authenticated:
        request.session.set_expiry(_PATIENCE_SECONDS)


def expected(request: HttpRequest) -> tuple[User, Expected] | None:
    """Who is to give a second factor in this session, if that was not too long ago."""
    kept = request.session.get(_PENDING)
    if not kept or time.time() - kept["at"] > _PATIENCE_SECONDS:
        return None
    waiting = Expected(**kept)
    user = User.objects.filter(pk=waiting.user_id, is_active=True).first()
    if user is None or user.get_session_auth_hash() != waiting.fingerprint:
        return None
    return user, waiting


def enter(request: HttpRequest, user: User, *, method: str, wanted: str, time_zone: str = "", second: str = "") -> str:
    """Begin the session, and return the address to go to: the page that was wanted, if it is safe, else the first."""
    if user.last_login is None:
        users.adopt_time_zone(user, name=time_zone)
    request.session.pop(_PENDING, None)
    login(request, user, backend=_BACKEND)
    request.session.set_expiry(None)
    request.session[METHOD] = method
    if second:
        request.session[SECOND_FACTOR] = True
    know_device(request, name=user.username)
    AuditEvent.note("sign in", user, by=user, method=method, second_factor=second)
    return safe_url(request, wanted) or resolve_url(settings.LOGIN_REDIRECT_URL)
