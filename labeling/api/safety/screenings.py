"""Operations on the content filter: what it saw, a project's rules, the filters, and texts of programs outside.

What was withheld is in no answer, and the texts that were screened are not either: a screening names its message or
completion.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from labeling.api.authentication import scope_required, token_of
from labeling.api.errors import ApiError
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.api.safety import schemas
from labeling.models import ApiToken, Filter, FilterRules, Screening, User
from labeling.safety import filters, moderations
from labeling.safety import rules as safety_rules
from labeling.safety.rules import Rule
from labeling.web import access
from labeling.web.access import ENGINEERS, REVIEWERS, TRACERS

READ, WRITE, PROMOTE = ApiToken.Scope.READ, ApiToken.Scope.WRITE, ApiToken.Scope.PROMOTE
router = Router()


@router.get("/projects/{slug}/screenings", response=Page[schemas.Screening])
@scope_required(READ)
@access.role_required(*REVIEWERS)
def list_screenings(request: HttpRequest, slug: str, place: Query[Place], wanted: Query[schemas.Wanted]) -> Any:
    """What the filter saw, newest first; without the texts."""
    rows = Screening.objects.filter(project=access.project_for(request, slug)).select_related("filter")
    narrowed = rows.filter(**{name: value for name, value in wanted.dict().items() if value is not None})
    return page_of(narrowed, place, order=NEWEST_FIRST)


@router.get("/projects/{slug}/rules", response=schemas.Rules)
@scope_required(READ)
@access.role_required(*TRACERS)
def get_rules(request: HttpRequest, slug: str) -> Any:
    """The rules in force. Version 0: the project never made any, and the filter's own thresholds hold."""
    project = access.project_for(request, slug)
    newest = FilterRules.objects.in_force(project)
    return {
        "version": newest.version if newest else 0,
        "is_on": newest is None or newest.is_on,
        "note": newest.note if newest else "",
        "filter": Filter.objects.in_force().name,
        "rules": [schemas.Rule.of(rule) for rule in safety_rules.current(project)],
    }


@router.post("/projects/{slug}/rules", response=schemas.Rules)
@scope_required(WRITE)
@access.role_required(User.Role.ADMIN)
def change_rules(request: HttpRequest, slug: str, given: schemas.NewRules) -> Any:
    """Make a new version: `rules` change those of their category and side, the others stay as they were read."""
    project = access.project_for(request, slug)
    changed: dict[tuple[str, str], Rule] = {(one.category, one.side): Rule(**one.dict()) for one in given.rules}
    wanted = [changed.get((one.category, one.side), one) for one in safety_rules.current(project)]
    try:
        by = access.person(request)
        safety_rules.save(project, wanted, is_on=given.is_on, note=given.note, seen=given.version, by=by)
    except safety_rules.StaleRules as error:
        raise ApiError(
            409, where="body.version", what=str(error), what_to_do="Read the rules again, then send what to change."
        ) from error
    except safety_rules.RulesError as error:
        raise ApiError(422, where="body.rules", what=str(error), what_to_do="Send rules that can be kept.") from error
    return get_rules(request, slug)


@router.get("/filters", response=Page[schemas.Filter])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_filters(request: HttpRequest, place: Query[Place]) -> Any:
    """All filters, newest first."""
    Filter.objects.in_force()  # the bundled one has a row from here on
    return page_of(Filter.objects.all(), place, order=NEWEST_FIRST)


@router.post("/filters/{filter_id}/promote", response=schemas.Filter)
@scope_required(PROMOTE)
@access.role_required(*ENGINEERS)
def promote_filter(request: HttpRequest, filter_id: UUID, given: schemas.FilterPromotion) -> Any:
    """Put a filter in shadow or in force, or retire it. It acts on every project."""
    if token_of(request).project_id is not None:
        raise ApiError(
            403,
            where="header.Authorization",
            what="This token is for one project, and a filter is for all.",
            what_to_do="Use a token that is bound to no project.",
        )
    found = get_object_or_404(Filter, id=filter_id)
    try:
        return filters.promote(found, to=given.to, why=given.why, by=access.person(request))
    except filters.FilterError as error:
        raise ApiError(
            409, where="body.to", what=str(error), what_to_do="Do what the sentence says, then ask again."
        ) from error


@router.post("/moderations", response=schemas.Moderation)
@scope_required(READ)
@access.role_required(*ENGINEERS)
def moderate(request: HttpRequest, given: schemas.NewModeration) -> Any:
    """Judge texts by the filter in force, in the shape of OpenAI's /v1/moderations. Nothing of it is kept."""
    texts = [given.input] if isinstance(given.input, str) else given.input
    try:
        return moderations.judge(texts)
    except moderations.FilterAway as error:
        raise ApiError(
            503, where="body.input", what=str(error), what_to_do="Ask again later; the page Workers says who is there."
        ) from error
