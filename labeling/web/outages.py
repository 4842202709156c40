"""The answer to an error that no view handled: 503 where the database or the disk is away, else 500, a mistake of ours.

Uses neither: both pages stand by themselves.
"""

import errno
import os
import sys
from typing import Any

import psycopg2
from django.db import Error, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

RETRY_AFTER_SECONDS = 5  # about what a killed database takes to come back
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room, none for us, or a file may not grow further

# Codes (PostgreSQL, appendix A), or their classes, that say nothing against the statement. A lost connection has none.
_CODES = (
    "08",  # connection exceptions
    "25006",  # read only: a standby, or a server that was told to take no more
    "40",  # rolled back for another's sake; a second try may be spared
    "53",  # insufficient resources: disk full, too many connections
    "55P03",  # a lock was not to be had in time
    "57",  # operator intervention: shutting down, timed out
    "58",  # system errors
)


def unhandled_error(request: HttpRequest) -> HttpResponse:
    """The answer to the error that is being handled."""
    away = is_outage(sys.exc_info()[1])
    status = 503 if away else 500
    response: HttpResponse
    if _wants_json(request):
        response = JsonResponse({"error": sentence() if away else _("Parley made a mistake here.")}, status=status)
    else:
        response = HttpResponse(render_to_string(f"{status}.html"), status=status)
    if away:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def is_outage(error: BaseException | None) -> bool:
    """Whether this says that the database or the disk cannot serve now, and might in a moment."""
    if isinstance(error, OSError):
        return error.errno in DISK_IS_FULL
    if not isinstance(error, Error):
        return False
    code: Any = getattr(error.__cause__, "pgcode", None)
    if code is None:
        # The plain class is what psycopg2 raises where libpq lost the server in the middle of an answer.
        return isinstance(error, OperationalError | InterfaceError) or type(error.__cause__) is psycopg2.DatabaseError
    # A limit on the size of files has no code of its own: an internal error, with the system's words.
    return bool(code.startswith(_CODES)) or os.strerror(errno.EFBIG) in str(error)


def sentence() -> str:
    return _("Parley cannot store anything at the moment. What was saved is safe; please try again soon.")


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")
