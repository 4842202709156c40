"""Operations on people, for tokens of admins with a scope of their own; knows no admin but to leave them alone.

An account outlives the token that opened it, so nothing here makes an admin or changes one, and a token that is bound
to a project changes its members only.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from labeling.accounts import users
from labeling.api import import_schemas as schemas
from labeling.api.authentication import scope_required, token_of
from labeling.api.errors import ApiError
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.models import ApiToken, User
from labeling.projects.administration import change_members
from labeling.web import access

PEOPLE = ApiToken.Scope.PEOPLE
router = Router()


@router.get("/people", response=Page[schemas.Person])
@scope_required(PEOPLE)
@access.role_required(User.Role.ADMIN)
def list_people(request: HttpRequest, place: Query[Place], username: str | None = None) -> Any:
    """All accounts, newest first."""
    _require_unbound(request)
    found = User.objects.exclude(role=User.Role.VISITOR)
    return page_of(found.filter(username__iexact=username) if username else found, place, order=NEWEST_FIRST)


@router.post("/people", response={200: schemas.PersonWithPassword, 201: schemas.PersonWithPassword})
@scope_required(PEOPLE)
@access.role_required(User.Role.ADMIN)
def open_account(request: HttpRequest, response: HttpResponse, given: schemas.NewPerson) -> Any:
    """Open an account. The same name with the same role again is the account that is there, without a password."""
    _require_unbound(request)
    response.headers["Cache-Control"] = "no-store"  # so that no answer is kept under an idempotency key
    there = User.objects.filter(username__iexact=given.username, role=given.role).first()
    if there is not None:
        return Status(200, _shown(there, password=None))
    try:
        made, password = users.create_account(username=given.username, role=given.role, by=access.person(request))
    except users.AccountError as error:
        raise _refused("body.username", error) from error
    return Status(201, _shown(made, password=password))


@router.post("/people/{user_id}", response=schemas.Person)
@scope_required(PEOPLE)
@access.role_required(User.Role.ADMIN)
def change_person(request: HttpRequest, user_id: UUID, given: schemas.Change) -> Any:
    """Give somebody another role, close an account, or open it again."""
    _require_unbound(request)
    by = access.person(request)
    with transaction.atomic():
        somebody = get_object_or_404(User.objects.select_for_update().exclude(role=User.Role.ADMIN), id=user_id)
        if given.role is not None and given.role != somebody.role:
            users.change_role(somebody, role=given.role, by=by)
        if given.is_active is not None and given.is_active != somebody.is_active:
            users.set_active(somebody, active=given.is_active, by=by)
    return somebody


@router.post("/projects/{slug}/members", response=list[schemas.Person])
@scope_required(PEOPLE)
@access.role_required(User.Role.ADMIN)
def change_project_members(request: HttpRequest, slug: str, given: schemas.NewMembers) -> Any:
    """Let people come to a project or leave it; returns its members. Whoever is there, or gone, already stays so."""
    project = access.project_for(request, slug)
    people = {
        user.id: user
        for user in User.objects.filter(id__in=[*given.add, *given.remove]).exclude(role=User.Role.VISITOR)
    }
    unknown = [str(identifier) for identifier in (*given.add, *given.remove) if identifier not in people]
    if unknown:
        raise _refused("body", f"There is nobody with the id {unknown[0]}.")
    added, removed = ([people[identifier] for identifier in ids] for ids in (given.add, given.remove))
    change_members(project, add=added, remove=removed, by=access.person(request))
    return list(User.objects.filter(memberships__project=project).order_by("username"))


def _require_unbound(request: HttpRequest) -> None:
    if token_of(request).project is not None:
        raise Http404


def _shown(user: User, *, password: str | None) -> dict[str, Any]:
    return {**schemas.Person.from_orm(user).dict(), "password": password}


def _refused(where: str, what: object) -> ApiError:
    return ApiError(422, where=where, what=str(what), what_to_do="Change the field that is named; ids are of `people`.")
