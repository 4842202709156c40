"""Receiving request bodies, with limits on their size and on how slowly they may arrive.

labeling.asgi reads every body through here, before any view, session or token is looked at. Refusals: 413 for a body
that is too large, 408 for one that stops arriving, 503 if the bodies on disk take all the space that they may, or
there is none.
Knows URL paths, no views.
"""

import re
import time
from asyncio import timeout
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import Any, ClassVar, NamedTuple

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.http import parse_cookie

from labeling.web.outages import DISK_IS_FULL

FORM_SLACK = 64 * 2**10  # bytes that a form has beside its largest field: names, boundaries, the CSRF token
_NO_BODY_BYTES = 2**10  # bytes allowed where no view reads a body
_MB = 2**20


class BodyRefused(Exception):
    """A body that is refused. `what` and `what_to_do` are sentences for the client."""

    def __init__(self, status: int, *, what: str, what_to_do: str) -> None:
        super().__init__(what)
        self.status, self.what, self.what_to_do = status, what, what_to_do


class BodyLimit(NamedTuple):
    num_bytes: int
    what_to_do: str  # for a client whose body is larger


class _Rule(NamedTuple):
    """The limit for some paths. `largest` and `what_to_do` are functions, since settings are not read at import."""

    paths: re.Pattern[str]
    largest: Callable[[], int]
    what_to_do: Callable[[], str]
    needs_session: bool = False


# The first rule whose pattern matches applies; all other paths take a form or JSON.
_RULES = (
    _Rule(
        paths=re.compile(r"/(health|static|stream)/.*", re.DOTALL),
        largest=lambda: _NO_BODY_BYTES,
        what_to_do=lambda: "Send no body to this address.",
    ),
    _Rule(
        paths=re.compile(r"/p/[^/]+/data/imports/new/"),
        largest=lambda: settings.LARGEST_UPLOAD + FORM_SLACK,
        what_to_do=lambda: (
            f"Files of more than {settings.LARGEST_UPLOAD // _MB} MB are imported with"
            " manage.py import_dialogues or import_rankings."
        ),
        needs_session=True,
    ),
)


def limit_for(scope: dict[str, Any]) -> BodyLimit:
    """The largest body allowed for this request, and what to do with a larger one."""
    rule = next((rule for rule in _RULES if rule.paths.fullmatch(scope["path"])), None)
    usual = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + FORM_SLACK
    if rule is None:
        what_to_do = "Send it in parts, or import a file on the data page."
        return BodyLimit(usual, what_to_do)
    # The session is not looked up, and anybody can invent a cookie: this only keeps out clients that do not try.
    # The real protection is the limit on all bodies on disk, the slowest pace, and the view, which lets only
    # engineers store a file.
    if rule.needs_session and not _has_session_cookie(scope):
        return BodyLimit(usual, "Sign in, then send it again.")
    return BodyLimit(rule.largest(), rule.what_to_do())


class Body:
    """A body while it arrives: in memory while it is small, then in an unnamed temporary file until it is closed."""

    on_disk: ClassVar[int] = 0  # bytes of all bodies of this process; no lock, since only its event loop changes it

    def __init__(self) -> None:
        self.num_bytes = 0
        self._counted = 0  # of on_disk
        self._file = SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 (closed by `close`)

    def add(self, piece: bytes) -> None:
        """Store one more piece. Raises BodyRefused if there is no room for it."""
        num_bytes = self.num_bytes + len(piece)
        if num_bytes > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            self._count_on_disk(num_bytes)
        with _refusing_on_a_full_disk():
            self._file.write(piece)
        self.num_bytes = num_bytes

    def rewind(self) -> None:
        """Back to the beginning; what was not on disk yet is written now. Raises BodyRefused."""
        with _refusing_on_a_full_disk():
            self._file.seek(0)

    def read(self, num_bytes: int) -> bytes:
        return self._file.read(num_bytes)

    def close(self) -> None:
        with suppress(OSError):  # what a full disk did not take is written once more, to no avail
            self._file.close()
        Body.on_disk -= self._counted
        self._counted = 0

    def _count_on_disk(self, num_bytes: int) -> None:
        if Body.on_disk - self._counted + num_bytes > settings.BODIES_ON_DISK:
            what_to_do = "Wait until other uploads have ended, then send it again."
            raise BodyRefused(503, what="Too many large bodies are arriving at once.", what_to_do=what_to_do)
        Body.on_disk += num_bytes - self._counted
        self._counted = num_bytes


@contextmanager
def _refusing_on_a_full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_IS_FULL:
            raise
        what_to_do = "Send it again later; an admin must make room first."
        raise BodyRefused(503, what="The server's disk is full.", what_to_do=what_to_do) from error


async def read_body(scope: dict[str, Any], receive: Any) -> Body:
    """Receive the whole body, rewound; the caller closes it. Raises BodyRefused, and RequestAborted on a disconnect."""
    limit = limit_for(scope)
    # Before the first receive(), so that a client that waits for 100 Continue is refused before it sends a byte.
    if _declared(scope) > limit.num_bytes:
        raise _too_large(limit)
    body = Body()
    try:
        await _receive_all(body, receive, limit)
        body.rewind()
    except BaseException:
        body.close()
        raise
    return body


async def _receive_all(body: Body, receive: Any, limit: BodyLimit) -> None:
    started = time.monotonic()
    more = True
    while more:
        message = await _next(receive, _seconds_left(body.num_bytes, time.monotonic() - started))
        if message["type"] == "http.disconnect":
            raise RequestAborted
        piece = message.get("body", b"")
        if body.num_bytes + len(piece) > limit.num_bytes:
            raise _too_large(limit)
        body.add(piece)
        more = message.get("more_body", False)


async def _next(receive: Any, seconds: float) -> dict[str, Any]:
    try:
        async with timeout(seconds):
            message: dict[str, Any] = await receive()
            return message
    except TimeoutError:
        what_to_do = "Send it again, on a faster line if this one is very slow."
        raise BodyRefused(408, what="The body stopped coming before it was whole.", what_to_do=what_to_do) from None


def _seconds_left(num_bytes: int, elapsed: float) -> float:
    """Seconds within which the next piece must arrive.

    No client may be silent for longer than BODY_IDLE_SECONDS, nor send more slowly than BODY_BYTES_PER_SECOND on
    average. Bytes that have arrived earn time at that pace, so a large body on a slow but steady line is accepted.
    """
    due = settings.BODY_IDLE_SECONDS + num_bytes / settings.BODY_BYTES_PER_SECOND
    return float(min(settings.BODY_IDLE_SECONDS, due - elapsed))


def _too_large(limit: BodyLimit) -> BodyRefused:
    return BodyRefused(413, what="The body is too large.", what_to_do=limit.what_to_do)


def _declared(scope: dict[str, Any]) -> int:
    """Content-Length, or 0 for a chunked body, which is counted as it arrives."""
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in values if value.isdigit()), default=0)


def _has_session_cookie(scope: dict[str, Any]) -> bool:
    text = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
    return bool(parse_cookie(text).get(settings.SESSION_COOKIE_NAME))
