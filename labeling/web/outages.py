"""The answer to an error that no view handled: 503 where the database or the disk is away, else 500, a mistake of ours.

Uses neither: both pages stand by themselves.
"""

import errno
import sys
from typing import Any

from django.db import Error, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

RETRY_AFTER_SECONDS = 5  # about what a killed database takes to come back
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room, none for us, or a file may not grow further

# Classes of SQLSTATE (PostgreSQL, appendix A) that say nothing against the statement: connection exceptions, rollbacks
# that a second try may be spared, insufficient resources (disk full, too many connections), lock not available,
# operator intervention (shutting down, timed out), system errors. A lost connection has no code at all.
_CLASSES = ("08", "40", "53", "55", "57", "58")
_READ_ONLY = "25006"  # a standby, or a server that was told to take no more


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
        return isinstance(error, OperationalError | InterfaceError)
    return bool(code.startswith(_CLASSES) or code == _READ_ONLY)


def sentence() -> str:
    return _("Parley cannot store anything at the moment. What was saved is safe; please try again soon.")


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")
