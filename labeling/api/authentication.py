"""The door of the API: who asks, whether not too often, and whether it was asked before. Knows no resource.

Rights are those of labeling.web.access for the token's owner. What a token adds can only take away: its scopes,
and the one project that it may be bound to.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from ninja.security import HttpBearer

from labeling.accounts.api_tokens import find_token
from labeling.api.errors import ApiError, not_allowed, nothing_here, response_of
from labeling.api.idempotency import once
from labeling.api.rate_limit import seconds_to_wait
from labeling.models import ApiToken
from labeling.web import access

View = Callable[..., Any]


class Bearer(HttpBearer):
    """For the document only: by the time an operation is reached, the door has let the token in."""

    def __call__(self, request: HttpRequest) -> ApiToken:
        return token_of(request)

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:
        raise AssertionError("the door has asked already")


def behind_the_door(view: View, *, rule: Any) -> View:
    """The view of one address, for those with a token. `rule` is who may use it, for the test of access rules."""

    @csrf_exempt  # nothing here listens to cookies
    @access.public
    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            token = _let_in(request, kwargs.get("slug"))
            response = once(request, token, lambda: view(request, *args, **kwargs))
        except ApiError as error:
            return response_of(error)
        if isinstance(response, HttpResponseNotAllowed):
            return response_of(not_allowed(request, response["Allow"]))
        return response

    entered.access = rule  # type: ignore[attr-defined]
    return entered


def needs(scope: ApiToken.Scope) -> Callable[[View], View]:
    """Only tokens with this scope may use the operation."""

    def guard(operation: View) -> View:
        @wraps(operation)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if scope not in token_of(request).scopes:
                raise ApiError(
                    403,
                    where="header.Authorization",
                    what=f"This token lacks the scope “{scope}”.",
                    what_to_do="Make a token with it on the account page.",
                )
            return operation(request, *args, **kwargs)

        guarded.scope = scope  # type: ignore[attr-defined]
        return guarded

    return guard


def token_of(request: HttpRequest) -> ApiToken:
    """The token that this request carries."""
    token = request.api_token  # type: ignore[attr-defined]
    assert isinstance(token, ApiToken)
    return token


def _let_in(request: HttpRequest, slug: str | None) -> ApiToken:
    """The token and its owner, set on the request in place of whoever a session may have named."""
    kind, _blank, text = request.headers.get("Authorization", "").partition(" ")
    token = find_token(text.strip()) if kind.lower() == "bearer" else None
    if token is None:
        raise ApiError(
            401,
            where="header.Authorization",
            what="There is no token, or it is unknown, revoked or past its end.",
            what_to_do="Send “Authorization: Bearer parley_…”; tokens are made on the account page.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    _hold_back(token)
    if slug is not None and token.project is not None and token.project.slug != slug:
        raise nothing_here(request)
    _require_short(request)
    request.user, request.api_token = token.owner, token  # type: ignore[attr-defined]
    return token


def _hold_back(token: ApiToken) -> None:
    seconds = seconds_to_wait(token)
    if seconds:
        raise ApiError(
            429,
            where="header.Authorization",
            what="This token has asked too often within this minute.",
            what_to_do=f"Wait {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )


def _require_short(request: HttpRequest) -> None:
    try:
        _body = request.body
    except RequestDataTooBig as error:
        raise ApiError(
            413,
            where="body",
            what="The body is too large.",
            what_to_do="Send it in parts, or import a file on the data page.",
        ) from error
