"""How large the body of a request may be and how slowly it may come, judged before the first byte is kept.

The web server's door reads every body through here, before any view, session or token is looked at:
413 for what is too large, 408 for what stops halfway, 503 where the disk holds as much as it may.
Knows addresses, no views.
"""

import re
import time
from asyncio import timeout
from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import Any, ClassVar, NamedTuple

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.http import parse_cookie

FORM_SLACK = 64 * 2**10  # bytes of a form around its largest field: names, boundaries, the CSRF token
_NEXT_TO_NOTHING = 2**10  # bytes, where no view reads a body
_MB = 2**20


class BodyRefused(Exception):
    """A body that is not kept. `what` and `what_to_do` are sentences for whoever sent it."""

    def __init__(self, status: int, *, what: str, what_to_do: str) -> None:
        super().__init__(what)
        self.status, self.what, self.what_to_do = status, what, what_to_do


class Allowed(NamedTuple):
    num_bytes: int
    what_to_do: str  # where it is more


class _Row(NamedTuple):
    """Addresses whose bodies are not as others'. `largest` is a function, as settings may not be read yet."""

    paths: re.Pattern[str]
    largest: Callable[[], int]
    what_to_do: Callable[[], str]
    needs_session: bool = False


# The first row that fits counts; all other addresses take a form, or JSON.
_TABLE = (
    _Row(
        paths=re.compile(r"/(health|static|stream)/.*", re.DOTALL),
        largest=lambda: _NEXT_TO_NOTHING,
        what_to_do=lambda: "Send no body to this address.",
    ),
    _Row(
        paths=re.compile(r"/p/[^/]+/data/imports/new/"),
        largest=lambda: settings.LARGEST_UPLOAD + FORM_SLACK,
        what_to_do=lambda: (
            f"Files of more than {settings.LARGEST_UPLOAD // _MB} MB are imported with"
            " manage.py import_dialogues or import_rankings."
        ),
        needs_session=True,
    ),
)


def allowed(scope: dict[str, Any]) -> Allowed:
    """The largest body at this address, and what to do where it is larger."""
    row = next((row for row in _TABLE if row.paths.fullmatch(scope["path"])), None)
    usual = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + FORM_SLACK
    if row is None:
        what_to_do = "Send it in parts, or import a file on the data page."
        return Allowed(usual, what_to_do)
    # The cookie is not looked up: anybody can make one up. It keeps out what does not even try. Behind it stand
    # the bound on all bodies on disk, the slowest pace, and the view, which lets only engineers keep a file.
    if row.needs_session and not _has_session_cookie(scope):
        return Allowed(usual, "Sign in, then send it again.")
    return Allowed(row.largest(), row.what_to_do())


class Body:
    """A body as it comes: in memory while it is small, then in a file without a name, gone when closed."""

    on_disk: ClassVar[int] = 0  # bytes, of all bodies of this process; only its event loop changes them

    def __init__(self) -> None:
        self.num_bytes = 0
        self._share = 0  # of on_disk
        self._file = SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 (closed by `close`)

    def add(self, piece: bytes) -> None:
        """Keep one more piece. Raises BodyRefused where the disk holds too much already."""
        num_bytes = self.num_bytes + len(piece)
        if num_bytes > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            self._take_share(num_bytes)
        self._file.write(piece)
        self.num_bytes = num_bytes

    def rewind(self) -> None:
        self._file.seek(0)

    def read(self, num_bytes: int) -> bytes:
        return self._file.read(num_bytes)

    def close(self) -> None:
        self._file.close()
        Body.on_disk -= self._share
        self._share = 0

    def _take_share(self, num_bytes: int) -> None:
        if Body.on_disk - self._share + num_bytes > settings.BODIES_ON_DISK:
            what_to_do = "Wait until other uploads have ended, then send it again."
            raise BodyRefused(503, what="Too many large bodies are arriving at once.", what_to_do=what_to_do)
        Body.on_disk += num_bytes - self._share
        self._share = num_bytes


async def read_body(scope: dict[str, Any], receive: Any) -> Body:
    """The whole body, at its beginning; who asks for it closes it. Raises BodyRefused, and RequestAborted."""
    limit = allowed(scope)
    # Before the first receive(): a sender that expects 100 Continue is refused before it has sent a byte.
    if _declared(scope) > limit.num_bytes:
        raise _too_large(limit)
    body = Body()
    try:
        await _take_in(body, receive, limit)
    except BaseException:
        body.close()
        raise
    body.rewind()
    return body


async def _take_in(body: Body, receive: Any, limit: Allowed) -> None:
    started = time.monotonic()
    more = True
    while more:
        message = await _next(receive, _patience(body.num_bytes, time.monotonic() - started))
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


def _patience(num_bytes: int, elapsed: float) -> float:
    """Seconds until the next piece must be here: none may be silent for long, and drops may not last for ever.

    What has come buys time at the slowest pace, so that a large body on a slow but steady line passes.
    """
    due = settings.BODY_IDLE_SECONDS + num_bytes / settings.BODY_BYTES_PER_SECOND
    return float(min(settings.BODY_IDLE_SECONDS, due - elapsed))


def _too_large(limit: Allowed) -> BodyRefused:
    return BodyRefused(413, what="The body is too large.", what_to_do=limit.what_to_do)


def _declared(scope: dict[str, Any]) -> int:
    """Content-Length, or 0: what comes in chunks is counted as it comes."""
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in values if value.isdigit()), default=0)


def _has_session_cookie(scope: dict[str, Any]) -> bool:
    text = "; ".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")
    return bool(parse_cookie(text).get(settings.SESSION_COOKIE_NAME))
