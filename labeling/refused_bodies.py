"""The answer to a body that was not kept, and the end of its connection: JSON for programs, a page for people.

It does not pass Django's middleware, so it brings the headers that every answer has.
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
    """Refuse, let a sender that is still at it come to its end for a while, and hang up."""
    response = _response(refused, scope["path"])
    for name, value in _headers(response).items():
        response.headers.setdefault(name, value)
    headers = [(name.lower().encode(), value.encode()) for name, value in with_headers(response).items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    # Not the last message yet, though it has all there is: with the last one the server closes the connection.
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
    """Throw away what still comes. A connection closed under a sender is reset, and the answer may be lost by that."""
    try:
        async with timeout(_LONGEST_LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        pass  # long enough; on most systems the answer can still be read


def _response(refused: BodyRefused, path: str) -> HttpResponse:
    if not path.startswith(_API_PREFIX):
        page = render_to_string("body_refused.html", {"refused": refused})
        return HttpResponse(page, status=refused.status)
    from labeling.api.errors import ApiError, response_of  # not at import: Django is not set up yet

    error = ApiError(refused.status, where="body", what=refused.what, what_to_do=refused.what_to_do)
    return response_of(error)
