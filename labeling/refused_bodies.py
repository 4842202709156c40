"""The response to a request whose body was refused: JSON under /api/, a page elsewhere; then the connection is closed.

It does not pass through Django's middleware, so it sets the headers itself that the middleware would add.
"""

from asyncio import timeout
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string

from labeling.request_bodies import BodyRefused
from labeling.web.security_headers import with_headers

_API_PREFIX = "/api/"
_LONGEST_LINGER_SECONDS = 10.0


async def answer(refused: BodyRefused, *, scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send the response, read on for a while if the client is still sending, and close the connection."""
    response = _response(refused, scope["path"])
    for name, value in _headers(response).items():
        response.headers.setdefault(name, value)
    headers = [(name.lower().encode(), value.encode()) for name, value in with_headers(response).items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    # The whole content, but not marked as the last message: at the last one the server closes the connection.
    await send({"type": "http.response.body", "body": response.content, "more_body": True})
    if refused.status != 408:
        await _linger(receive)
    await send({"type": "http.response.body"})


def _headers(response: HttpResponse) -> dict[str, str]:
    return {
        "Connection": "close",
        "Content-Length": str(len(response.content)),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
        "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
    }


async def _linger(receive: Any) -> None:
    """Read and discard the rest of the body (a lingering close).

    A connection that is closed while the client still sends is reset, and the client may then lose the response.
    """
    try:
        async with timeout(_LONGEST_LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        pass  # long enough; most clients can read the response even after a reset


def _response(refused: BodyRefused, path: str) -> HttpResponse:
    if not path.startswith(_API_PREFIX):
        page = render_to_string("body_refused.html", {"refused": refused})
        return HttpResponse(page, status=refused.status)
    from labeling.api.errors import ApiError, response_of  # not at import: Django is not set up yet

    error = ApiError(refused.status, where="body", what=refused.what, what_to_do=refused.what_to_do)
    return response_of(error)
