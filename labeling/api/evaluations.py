"""Operations on evaluations of policies by people: begin, follow and stop one, and read what people said."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Status

from labeling.api import loop_schemas as schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.models import ApiToken, Evaluation, Policy
from labeling.rounds import evaluations
from labeling.web import access
from labeling.web.access import ENGINEERS

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
router = Router()


@router.get("/projects/{slug}/evaluations", response=Page[schemas.Evaluation])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_evaluations(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """Evaluations of a project, newest first, with their verdicts."""
    found = Evaluation.objects.filter(project=access.project_for(request, slug)).select_related("baseline")
    return page_of(found.prefetch_related("candidates__policy"), place, order=NEWEST_FIRST)


@router.post("/projects/{slug}/evaluations", response={201: schemas.Evaluation})
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def begin_evaluation(request: HttpRequest, slug: str, given: schemas.NewEvaluation) -> Any:
    """Let people judge policies against the project's, blind, in their ordinary queue."""
    project = access.project_for(request, slug)
    found = {policy.id: policy for policy in Policy.objects.open_to(project).filter(id__in=given.policy_ids)}
    for place, policy_id in enumerate(given.policy_ids):
        if policy_id not in found:
            raise ApiError(
                422,
                where=f"body.policy_ids[{place}]",
                what="There is no policy with this id.",
                what_to_do="Ids are those of `policies`.",
            )
    begun = evaluations.begin(
        project,
        [found[policy_id] for policy_id in given.policy_ids],
        by=access.person(request),
        num_prompts=given.num_prompts,
        verdicts_per_pair=given.verdicts_per_pair,
        share=given.share,
    )
    return Status(201, begun)


@router.get("/projects/{slug}/evaluations/{evaluation_id}", response=schemas.EvaluationWithFigures)
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_evaluation(request: HttpRequest, slug: str, evaluation_id: UUID) -> Any:
    """An evaluation with the figures behind its verdicts; those of an open one decide nothing yet."""
    return access.evaluation_for(request, evaluation_id, slug=slug)


@router.post("/projects/{slug}/evaluations/{evaluation_id}/stop", response=schemas.Evaluation)
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def stop_evaluation(request: HttpRequest, slug: str, evaluation_id: UUID) -> Any:
    """End an open evaluation without a verdict; one that is over is unchanged."""
    found = access.evaluation_for(request, evaluation_id, slug=slug)
    evaluations.stop(found, by=access.person(request))
    found.refresh_from_db()
    return found
