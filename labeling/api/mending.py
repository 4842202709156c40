"""Operations on the owner's own rankings: read one, change it for a while, withdraw it, undo the withdrawal."""

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Status

from labeling import models
from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.rankings import as_submission, require_asked
from labeling.models import ApiToken, Lease
from labeling.rankings import mending
from labeling.web import access
from labeling.web.access import RANKERS

READ, RANK = ApiToken.Scope.READ, ApiToken.Scope.RANK
router = Router()


class OwnRanking(schemas.Ranking):
    """One's own ranking. `counts` is false once it was changed, withdrawn or left out; `change_until` is null where
    it cannot be changed, and may be over.
    """

    counts: bool
    retracted_at: datetime | None
    change_until: datetime | None

    @staticmethod
    def resolve_counts(row: models.Ranking) -> bool:
        return row.retracted_at is None and row.comparison.state != models.Comparison.State.WITHDRAWN

    @staticmethod
    def resolve_change_until(row: models.Ranking) -> datetime | None:
        return mending.changes_until(row.lease) if row.lease and row.retracted_at is None else None


class Withdrawal(schemas.Given):
    reason: str = Field("", max_length=mending.LONGEST_REASON)


@router.get("/projects/{slug}/rankings/{ranking_id}", response=OwnRanking)
@scope_required(READ)
@access.role_required(*RANKERS)
def get_own_ranking(request: HttpRequest, slug: str, ranking_id: uuid.UUID) -> Any:
    """One of the owner's rankings, whether it counts, and until when it can be changed."""
    return access.own_ranking(request, ranking_id, slug=slug)


@router.post("/projects/{slug}/rankings/{ranking_id}/change", response={201: OwnRanking})
@scope_required(RANK)
@access.role_required(*RANKERS)
def change_own_ranking(request: HttpRequest, slug: str, ranking_id: uuid.UUID, given: schemas.NewRanking) -> Any:
    """Put another version in the place of this one. Sending the same change again returns the stored version."""
    ranking = access.own_ranking(request, ranking_id, slug=slug)
    held = Lease.objects.select_related("comparison__project").filter(
        comparison=ranking.comparison_id, trainer=ranking.trainer_id
    )
    lease = held.first()
    if lease is None:
        raise ApiError(
            422,
            where=request.path,
            what="This is a choice between the drafts of a chat, which is not changed.",
            what_to_do="Withdraw it, and choose anew in the chat.",
        )
    require_asked(lease, given)
    key = mending.change_key(ranking.id)
    new = mending.change(lease, as_submission(given), key=key, by=access.person(request))
    return Status(201, access.own_ranking(request, new.id, slug=slug))


@router.post("/projects/{slug}/rankings/{ranking_id}/withdraw", response=OwnRanking)
@scope_required(RANK)
@access.role_required(*RANKERS)
def withdraw_own_ranking(request: HttpRequest, slug: str, ranking_id: uuid.UUID, given: Withdrawal) -> Any:
    """Take the ranking out for good; its place is for others."""
    return _mended(request, slug, ranking_id, lambda row, by: mending.withdraw(row, by=by, reason=given.reason))


@router.post("/projects/{slug}/rankings/{ranking_id}/put-back", response=OwnRanking)
@scope_required(RANK)
@access.role_required(*RANKERS)
def put_back_own_ranking(request: HttpRequest, slug: str, ranking_id: uuid.UUID) -> Any:
    """Undo a withdrawal, while the place is free."""
    return _mended(request, slug, ranking_id, lambda row, by: mending.put_back(row, by=by))


def _mended(request: HttpRequest, slug: str, ranking_id: uuid.UUID, mend: Any) -> models.Ranking:
    mend(access.own_ranking(request, ranking_id, slug=slug), access.person(request))
    return access.own_ranking(request, ranking_id, slug=slug)
