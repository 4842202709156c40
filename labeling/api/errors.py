"""Errors of the API, all in one JSON form: where, what, and what to do."""

import logging
import sys
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from labeling.exports import FilterError
from labeling.imports import FileRefused
from labeling.rankings.mending import MendedMeanwhile
from labeling.rankings.submission import AssignmentError
from labeling.rounds.errors import RoundError
from labeling.rounds.training_inputs import JobError
from labeling.web import outages
from labeling.web.storable import InputRefused, NotJson
from labeling.webhooks.deliveries import WebhookError
from labeling.withdrawals.batches import WithdrawalError

logger = logging.getLogger(__name__)

# Messages for people.
_REFUSALS = (AssignmentError, FilterError, FileRefused, JobError, RoundError, WebhookError, WithdrawalError)


class ApiError(Exception):
    """An error response. `others` are further problems of the same kind, as {"where", "what"}."""

    def __init__(
        self,
        status: int,
        *,
        where: str,
        what: str,
        what_to_do: str,
        others: Sequence[dict[str, str]] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(what)
        self.status, self.headers = status, headers or {}
        self.body = {"status": status, "where": where, "what": what, "what_to_do": what_to_do, "others": list(others)}


def response_of(error: ApiError) -> HttpResponse:
    return JsonResponse(error.body, status=error.status, headers=error.headers)


def not_found(request: HttpRequest) -> ApiError:
    """404, the same for what does not exist and for what the token may not see, so that ids cannot be probed."""
    return ApiError(
        404,
        where=request.path,
        what="There is nothing here, or it is not for this token.",
        what_to_do="Check the address against /api/v1/openapi.json, and that the token's owner works in this project.",
    )


def not_allowed(request: HttpRequest, allowed: str) -> ApiError:
    return ApiError(
        405,
        where=request.path,
        what=f"{request.method} is not for this address.",
        what_to_do=f"Use {allowed}.",
        headers={"Allow": allowed},
    )


def explain_errors(api: NinjaAPI) -> None:
    """Register a handler for every exception that an operation can raise."""
    api.exception_handler(ApiError)(lambda request, error: response_of(error))
    api.exception_handler(Http404)(lambda request, error: response_of(not_found(request)))
    api.exception_handler(PermissionDenied)(_role_missing)
    api.exception_handler(ValidationError)(_invalid)
    api.exception_handler(HttpError)(_unreadable)
    api.exception_handler(Exception)(_internal_error)
    api.exception_handler(MendedMeanwhile)(_overtaken)
    for refusal in _REFUSALS:
        api.exception_handler(refusal)(_refused)


def unhandled_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: what no operation met, as where a token cannot be looked up, is told in the API's form."""
    if request.path.startswith("/api/"):
        return _internal_error(request, sys.exc_info()[1])
    return outages.unhandled_error(request)


def _role_missing(request: HttpRequest, error: Any) -> HttpResponse:
    what_to_do = "Use a token of somebody whose role allows it; an admin can change roles."
    return response_of(
        ApiError(
            403, where=request.path, what="The role of the token's owner does not allow this.", what_to_do=what_to_do
        )
    )


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    """A body, query or path that does not fit the schema."""
    problems = [{"where": _field(one["loc"]), "what": str(one["msg"])} for one in error.errors]
    what_to_do = "Send what /api/v1/openapi.json says for this address."
    where, what = problems[0]["where"], problems[0]["what"]
    return response_of(ApiError(422, where=where, what=what, what_to_do=what_to_do, others=problems[1:20]))


def _field(steps: Sequence[str | int]) -> str:
    """The field as its sender knows it: body.tiers[0]. Ninja puts our parameter's name after “body”."""
    source, *path = steps
    if source == "body":
        path = path[1:]
    return str(source) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def unstorable(refused: InputRefused) -> ApiError:
    what_to_do = "Take it out of the request, and send that again."
    return ApiError(422, where=refused.where, what=str(refused), what_to_do=what_to_do)


def _unreadable(request: HttpRequest, error: Any) -> HttpResponse:
    if isinstance(error.__cause__, InputRefused) and not isinstance(error.__cause__, NotJson):
        return response_of(unstorable(error.__cause__))
    what_to_do = "Send JSON in UTF-8 with Content-Type: application/json."
    return response_of(ApiError(error.status_code, where="body", what=str(error), what_to_do=what_to_do))


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return response_of(
        ApiError(422, where=request.path, what=str(error), what_to_do="Change the request as the sentence says.")
    )


def _overtaken(request: HttpRequest, error: Any) -> HttpResponse:
    what_to_do = "List the owner's rankings: the one that counts has an id of its own, which can be changed."
    return response_of(ApiError(409, where=request.path, what=str(error), what_to_do=what_to_do))


def _internal_error(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    if outages.is_outage(error):
        headers = {"Retry-After": str(outages.RETRY_AFTER_SECONDS)}
        what_to_do = "Send it again in a moment, under the same Idempotency-Key if it has one."
        return response_of(
            ApiError(503, where=request.path, what=outages.sentence(), what_to_do=what_to_do, headers=headers)
        )
    what_to_do = "Try again; if it stays, an admin finds the reason in the log of the web server."
    return response_of(ApiError(500, where=request.path, what="Parley made a mistake here.", what_to_do=what_to_do))
