"""Operations on comparisons and rankings: engineers read all that count; trainers claim, rank, and read their own."""

import uuid
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from labeling import models
from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import Page, Place, page_of
from labeling.models import ApiToken, Comparison, Lease, Project
from labeling.rankings import assignment
from labeling.rankings.submission import RatingGiven, Submission, unrated
from labeling.web import access
from labeling.web.access import ENGINEERS, RANKERS

READ, RANK = ApiToken.Scope.READ, ApiToken.Scope.RANK
LAYOUT = "api"
router = Router()


@router.get("/projects/{slug}/comparisons", response=Page[schemas.Comparison])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_comparisons(request: HttpRequest, slug: str, place: Query[Place], state: str | None = None) -> Any:
    """Comparisons that are work; practice and gold items are not listed."""
    comparisons = _comparisons(access.project_for(request, slug))
    return page_of(comparisons.filter(state=state) if state else comparisons, place)


@router.get("/projects/{slug}/comparisons/{comparison_id}", response=schemas.Comparison)
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_comparison(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> Any:
    return get_object_or_404(_comparisons(access.project_for(request, slug)), id=comparison_id)


@router.get("/projects/{slug}/rankings", response=Page[schemas.Ranking])
@scope_required(READ)
@access.signed_in
def list_rankings(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """The owner's rankings; for engineers everybody's."""
    return page_of(_with_all(access.rankings_for(request, access.project_for(request, slug))), place)


@router.post("/projects/{slug}/claim", response=schemas.Claimed)
@scope_required(RANK)
@access.role_required(*RANKERS)
def claim(request: HttpRequest, slug: str) -> Any:
    """The next comparison to rank, or the one that the owner holds already."""
    claimed = assignment.claim(access.project_for(request, slug), by=access.person(request))
    if not isinstance(claimed, Lease):
        return {"lease": None, "reason": claimed.reason}
    return {"lease": _shown(claimed), "reason": claimed.reason}


@router.post("/projects/{slug}/leases/{lease_id}/ranking", response={201: schemas.Submitted})
@scope_required(RANK)
@access.role_required(*RANKERS)
def submit(request: HttpRequest, slug: str, lease_id: uuid.UUID, given: schemas.NewRanking) -> Any:
    """Rank the comparison of this lease. Sending the same ranking again returns the stored one."""
    held = access.own_lease(request, lease_id, slug=slug)
    require_asked(held, given)
    key = uuid.uuid5(
        held.id, "submission"
    )  # the ranking page derives the same key, so a retry from either is one ranking
    outcome = assignment.submit(held, as_submission(given), key=key, by=access.person(request))
    ranking = outcome.ranking and _with_all(models.Ranking.objects.all()).get(id=outcome.ranking.id)
    return Status(201, {"counts": not outcome.kept, "ranking": ranking, "sentence": outcome.sentence})


@router.post("/projects/{slug}/leases/{lease_id}/skip", response={204: None})
@scope_required(RANK)
@access.role_required(*RANKERS)
def skip(request: HttpRequest, slug: str, lease_id: uuid.UUID, given: schemas.Skip) -> Any:
    """Give the lease back; the comparison is not offered to the owner again."""
    assignment.skip(access.own_lease(request, lease_id, slug=slug), reason=given.reason, by=access.person(request))
    return Status(204, None)


def _comparisons(project: Project) -> QuerySet[Comparison]:
    work = Comparison.objects.filter(project=project, use=Comparison.Use.WORK)
    return work.select_related("round").prefetch_related("completions__policy")


def _with_all(rankings: QuerySet[models.Ranking]) -> QuerySet[models.Ranking]:
    return rankings.select_related("trainer", "guideline_version").prefetch_related("ratings")


def _shown(lease: Lease) -> dict[str, object]:
    contents = {str(completion.id): completion for completion in lease.comparison.completions.all()}
    return {
        "id": lease.id,
        "messages": lease.comparison.messages,
        "completions": [contents[name] for name in lease.shown_order],
        "reason": lease.reason,
        "expires_at": lease.expires_at,
    }


def require_asked(held: Lease, given: schemas.NewRanking) -> None:
    """An order has the strengths, and a rating of each completion, where its project asks for them. Raises ApiError."""
    project = held.comparison.project
    if given.abstained is not None:
        return
    if project.asks_strengths and len(given.tiers) > 1 and not given.strengths:
        raise ApiError(
            422,
            where="body.strengths",
            what="The order does not say how much better each tier is than the next.",
            what_to_do="This project asks for it: send “strengths”, 1 to 3, one for each tier but the last.",
        )
    if project.asks_ratings and (missing := unrated(as_submission(given), held.shown_order)):
        sentences = [f"Completion {name} has no overall rating." for name in missing]
        raise ApiError(
            422,
            where="body.ratings",
            what=sentences[0],
            what_to_do="This project asks for a rating of each completion: send “overall”, 1 to 7, for each.",
            others=[{"where": "body.ratings", "what": sentence} for sentence in sentences[1:]],
        )


def as_submission(given: schemas.NewRanking) -> Submission:
    ratings = [RatingGiven(**{**one.dict(), "completion_id": str(one.completion_id)}) for one in given.ratings]
    return Submission(
        tiers=tuple(tuple(map(str, tier)) for tier in given.tiers),
        unacceptable_from=given.unacceptable_from,
        strengths=tuple(given.strengths),
        abstained=given.abstained,
        ratings=tuple(ratings),
        note=given.note.strip(),
        seconds=given.seconds,
        layout=LAYOUT,
    )
