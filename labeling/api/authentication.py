"""Authentication of API requests: token, rate limit, project, scope and idempotency. Knows no resource.

The rights are those of labeling.web.access for the token's owner. A token only narrows them: to its scopes, and to one
project where it is bound to one.
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
from labeling.api.errors import ApiError, not_allowed, not_found, response_of, unstorable
from labeling.api.idempotency import answer_once
from labeling.api.rate_limit import seconds_to_wait
from labeling.models import ApiToken
from labeling.web import access
from labeling.web.storable import InputRefused, require_storable_address

View = Callable[..., Any]


class Bearer(HttpBearer):
    """Tells django-ninja of the scheme, for the OpenAPI document; `authenticated` has checked the token before."""

    def __call__(self, request: HttpRequest) -> ApiToken:
        return token_of(request)

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:
        raise AssertionError("`authenticated` has checked the token already")


def authenticated(view: View, *, rule: Any) -> View:
    """The view of one address for requests with a valid token; ApiError becomes a response.

    `rule` is who may use it; the test of access rules reads it from the view.
    """

    @csrf_exempt  # no session cookie is read here, so there is nothing to forge
    @access.public
    @wraps(view)
    def authenticated_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            token = _authenticate(request, kwargs.get("slug"))
            require_storable_address(request)
            response = answer_once(request, token, lambda: view(request, *args, **kwargs))
        except InputRefused as refused:
            return response_of(unstorable(refused))
        except ApiError as error:
            return response_of(error)
        if isinstance(response, HttpResponseNotAllowed):
            return response_of(not_allowed(request, response["Allow"]))
        return response

    authenticated_view.access = rule  # type: ignore[attr-defined]
    return authenticated_view


def scope_required(scope: ApiToken.Scope) -> Callable[[View], View]:
    """Restrict an operation to tokens with this scope. Raises ApiError 403."""

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
    """The token of an authenticated request."""
    token = request.api_token  # type: ignore[attr-defined]
    assert isinstance(token, ApiToken)
    return token


def _authenticate(request: HttpRequest, slug: str | None) -> ApiToken:
    """The token of the request; sets its owner as the request's user, in place of any user of a session.

    Raises ApiError: 401 without a valid token, 429 over the rate limit, 404 for another project than the token's, 413
    for too large a body. The rate limit comes first of those a valid token can cause, so that no other check is free.
    """
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
    _require_rate(token)
    if slug is not None and token.project is not None and token.project.slug != slug:
        raise not_found(request)
    _require_body_size(request)
    request.user, request.api_token = token.owner, token  # type: ignore[attr-defined]
    return token


def _require_rate(token: ApiToken) -> None:
    seconds = seconds_to_wait(token)
    if seconds:
        raise ApiError(
            429,
            where="header.Authorization",
            what="This token has asked too often within this minute.",
            what_to_do=f"Wait {seconds} seconds.",
            headers={"Retry-After": str(seconds)},
        )


def _require_body_size(request: HttpRequest) -> None:
    try:
        _body = request.body
    except RequestDataTooBig as error:
        raise ApiError(
            413,
            where="body",
            what="The body is too large.",
            what_to_do="Send it in parts, or import a file on the data page.",
        ) from error
