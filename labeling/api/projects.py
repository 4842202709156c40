"""Operations on the token itself, projects, rounds and policies."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from labeling.api import schemas
from labeling.api.authentication import scope_required, token_of
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.models import ApiToken, Policy, Project, Round
from labeling.rounds import promotion as rounds_promotion
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.permissions import model_access

READ, PROMOTE = ApiToken.Scope.READ, ApiToken.Scope.PROMOTE
router = Router()


@router.get("/me", response=schemas.Bearer)
@scope_required(READ)
@access.signed_in
def me(request: HttpRequest) -> Any:
    """The owner, role, scopes and project of this token."""
    token = token_of(request)
    project = token.project.slug if token.project else None
    owner = {"owner": token.owner.username, "role": token.owner.role}
    return {**owner, "scopes": token.scopes, "project": project, "expires_at": token.expires_at}


@router.get("/projects", response=Page[schemas.Project])
@scope_required(READ)
@access.signed_in
def list_projects(request: HttpRequest, place: Query[Place]) -> Any:
    """Projects that the token's owner works in, newest first."""
    projects = Project.objects.visible_to(access.person(request)).select_related("policy")
    bound = token_of(request).project
    return page_of(projects.filter(id=bound.id) if bound else projects, place, order=NEWEST_FIRST)


@router.get("/projects/{slug}", response=schemas.Project)
@scope_required(READ)
@access.signed_in
def get_project(request: HttpRequest, slug: str) -> Any:
    return access.project_for(request, slug)


@router.get("/projects/{slug}/rounds", response=Page[schemas.Round])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_rounds(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """Rounds of a project, newest first."""
    found = Round.objects.filter(project=access.project_for(request, slug)).select_related("policy")
    return page_of(found, place, order=("-number", "-id"))


@router.post("/projects/{slug}/promote", response={201: schemas.Round})
@scope_required(PROMOTE)
@access.role_required(*ENGINEERS)
def promote(request: HttpRequest, slug: str, promotion: schemas.Promotion) -> Any:
    """Make this policy the project's; returns the round that opens with it.

    Without people's word that it is better than the present one, a reason is asked for.
    """
    project = access.project_for(request, slug)
    policy = get_object_or_404(_policies(request), id=promotion.policy_id)
    by = access.person(request)
    return Status(201, rounds_promotion.promote(policy, project=project, by=by, reason=promotion.reason).opened)


@router.get("/policies", response=Page[schemas.Policy])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_policies(request: HttpRequest, place: Query[Place], name: str | None = None) -> Any:
    """The registry of policies, newest first."""
    policies = _policies(request)
    return page_of(policies.filter(name=name) if name else policies, place, order=NEWEST_FIRST)


@router.get("/policies/{policy_id}", response=schemas.Policy)
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_policy(request: HttpRequest, policy_id: UUID) -> Any:
    return get_object_or_404(_policies(request), id=policy_id)


def _policies(request: HttpRequest) -> QuerySet[Policy]:
    """Policies that the owner may see; for a token of one project, those that were trained or used there."""
    policies, bound = model_access.policies_for(request), token_of(request).project
    if bound is None:
        return policies
    answered = Round.objects.filter(project=bound).values("policy")
    return policies.filter(Q(training_job__project=bound) | Q(id__in=answered) | Q(id=bound.policy_id))
