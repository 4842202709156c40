"""Devices that people have signed in with, known by a signed cookie; and words for what a browser calls itself.

The cookie opens nothing. It only lets its device be counted apart where passwords are guessed (labeling.accounts.
guessing), so that a stranger who guesses at a name does not shut out the person whose name it is.
"""

import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

_SALT = "parley: a device that somebody signed in with"
_LIFE_SECONDS = 400 * 24 * 3600  # browsers keep none for longer
_MOST_NAMES = 8  # of people who share a device
_NOTED = "_device_of_name"  # on the request, until the answer carries the cookie

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("python", "Python"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def know_device(request: HttpRequest, *, name: str) -> None:
    """Have the answer to this request carry the cookie, for a person who has just proven to be of this name."""
    setattr(request, _NOTED, name)


def device_of(request: HttpRequest, *, name: str) -> str | None:
    """The device of this request, if somebody of this name has signed in with it."""
    known = _read(request)
    return known["device"] if _mark(name) in known["names"] else None


def with_cookie(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """The answer, with the cookie where `know_device` asked for it."""
    name = getattr(request, _NOTED, None)
    if name is None:
        return response
    known = _read(request)
    names = [_mark(name), *(mark for mark in known["names"] if mark != _mark(name))]
    value = signing.dumps({"device": known["device"], "names": names[:_MOST_NAMES]}, salt=_SALT)
    response.set_cookie(
        _cookie_name(), value, max_age=_LIFE_SECONDS, secure=settings.HTTPS, httponly=True, samesite="Lax"
    )
    return response


def device_words(agent: str) -> str:
    """“Firefox on Linux” of what a browser calls itself; what it calls itself is no proof of anything."""
    browser = next((name for part, name in _BROWSERS if part in agent), _("a browser"))
    system = next((name for part, name in _SYSTEMS if part in agent), "")
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system} if system else browser


def _read(request: HttpRequest) -> dict[str, Any]:
    try:
        known = signing.loads(request.COOKIES.get(_cookie_name(), ""), salt=_SALT, max_age=_LIFE_SECONDS)
    except signing.BadSignature:
        known = {"device": secrets.token_hex(8), "names": []}
    assert isinstance(known, dict)
    return known


def _mark(name: str) -> str:
    """Of a name, so that the cookie does not tell the next who uses the device who was here."""
    return salted_hmac(_SALT, name.casefold()).hexdigest()[:24]


def _cookie_name() -> str:
    return "__Host-device" if settings.HTTPS else "device"
