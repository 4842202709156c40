"""Idempotency keys: a repeated write with the same `Idempotency-Key` gets the stored response and is not done again.

Only successful responses are stored: a refused request changed nothing and may be tried again under its key. What must
not be stored (`no-store`: it holds a secret) is told once; its operation sees by itself that the work is done. A stored
response is not told again to an owner who has lost the role or a project since.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from labeling.accounts.api_tokens import ANSWERS_KEPT
from labeling.api.errors import ApiError
from labeling.models import ApiAnswer, ApiToken

HEADER = "Idempotency-Key"
LONGEST_KEY = 200
_ABANDONED_AFTER = timedelta(minutes=2)  # then the process of the first request is taken to have died


def answer_once(request: HttpRequest, token: ApiToken, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The response, made now or stored. Raises ApiError: 422 for a misused key, 409 while the first request runs."""
    key = request.headers.get(HEADER, "").strip()
    if not key or request.method == "GET":
        return answer()
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise ApiError(
            422,
            where=f"header.{HEADER}",
            what="This key is too long, or has characters that are not printed.",
            what_to_do=f"Use at most {LONGEST_KEY} letters, digits and signs.",
        )
    known = _claim_key(token, key, _fingerprint(request))
    if known.status is not None:
        _require_kept_rights(token, known)
        return HttpResponse(
            known.body, status=known.status, content_type="application/json", headers={"Idempotency-Replayed": "true"}
        )
    return _store_answer(known, answer())


def _claim_key(token: ApiToken, key: str, fingerprint: str) -> ApiAnswer:
    """The row of this key: a new one, one whose request was abandoned, or one with its response. Raises ApiError."""
    ApiAnswer.objects.filter(token=token, key=key, begun_at__lt=Now() - ANSWERS_KEPT).delete()
    known, is_new = ApiAnswer.objects.get_or_create(token=token, key=key, defaults={"request_sha256": fingerprint})
    if known.request_sha256 != fingerprint:
        raise ApiError(
            422,
            where=f"header.{HEADER}",
            what="This key was used for another request within the last 24 hours.",
            what_to_do="Make a new key for every new request.",
        )
    if not is_new and known.status is None and not _take_over(known):
        raise ApiError(
            409,
            where=f"header.{HEADER}",
            what="The first request with this key is still being worked on.",
            what_to_do="Send it again in a moment.",
            headers={"Retry-After": "1"},
        )
    return known


def _rights_of(token: ApiToken) -> dict[str, Any]:
    projects = token.owner.memberships.order_by("project_id").values_list("project_id", flat=True)
    return {"role": token.owner.role, "projects": list(map(str, projects))}


def _require_kept_rights(token: ApiToken, known: ApiAnswer) -> None:
    """Raise ApiError where the owner has another role now, or has left a project: the response may be of it."""
    now = _rights_of(token)
    before = known.rights or now
    if before["role"] != now["role"] or not set(before["projects"]) <= set(now["projects"]):
        raise ApiError(
            403,
            where=f"header.{HEADER}",
            what="This was done, but your role or your projects have changed since, so its response is not told again.",
            what_to_do="Read what you may still see; nothing was done a second time.",
        )


def _take_over(known: ApiAnswer) -> bool:
    """Whether this request takes over one that was abandoned. One UPDATE, so that only one of several can."""
    left = ApiAnswer.objects.filter(id=known.id, status=None, begun_at__lt=timezone.now() - _ABANDONED_AFTER)
    return bool(left.update(begun_at=Now()))


def _store_answer(known: ApiAnswer, response: HttpResponseBase) -> HttpResponseBase:
    is_secret = "no-store" in response.headers.get("Cache-Control", "")
    if isinstance(response, HttpResponse) and response.status_code < 400 and not is_secret:
        known.status, known.body = response.status_code, response.content.decode()
        known.rights = _rights_of(known.token)
        known.save(update_fields=["status", "body", "rights"])
    else:
        known.delete()
    return response


def _fingerprint(request: HttpRequest) -> str:
    return hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode() + request.body).hexdigest()
