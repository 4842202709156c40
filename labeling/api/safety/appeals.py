"""Operations on appeals and labels: appeal against what a filter did to one's own text, and say what a text is."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from labeling import models
from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.models import ApiToken
from labeling.safety import appeals, labels, lookup
from labeling.safety.appeals import LONGEST_WORDS, AlreadyDone, AppealError
from labeling.safety.labels import LabelError
from labeling.web import access
from labeling.web.access import REVIEWERS

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
router = Router()


class Appeal(Schema):
    """`state` is open, upheld or overturned; `reply` is what the person who decided says. Never whose text it is."""

    id: UUID
    screening_id: UUID
    why: str
    state: str
    reply: str
    created_at: datetime
    decided_at: datetime | None


class NewAppeal(schemas.Given):
    screening_id: UUID
    why: str = Field("", max_length=LONGEST_WORDS)


class Label(Schema):
    """`num_labels` people have labelled the text; it is settled when `labels_wanted` have."""

    id: UUID
    screening_id: UUID
    answers: dict[str, str]
    num_labels: int
    labels_wanted: int
    created_at: datetime

    @staticmethod
    def resolve_screening_id(row: models.Label) -> UUID:
        return row.drawn.screening_id

    @staticmethod
    def resolve_num_labels(row: models.Label) -> int:
        return row.drawn.num_labels

    @staticmethod
    def resolve_labels_wanted(row: models.Label) -> int:
        return row.drawn.labels_wanted


class NewLabel(schemas.Given):
    screening_id: UUID
    answers: dict[str, Literal["yes", "no", "unsure"]] = Field(
        description="by category: S, H, V, HR, SH, S3, H2, V2; one that is left out stays unknown"
    )


@router.get("/projects/{slug}/appeals", response=Page[Appeal])
@scope_required(READ)
@access.signed_in
def list_appeals(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """One's own appeals in the project, newest first; for reviewers and admins all of them, without names."""
    project, person = access.project_for(request, slug), access.person(request)
    found = models.Appeal.objects.filter(project=project)
    return page_of(found if person.can_review else found.filter(person=person), place, order=NEWEST_FIRST)


@router.post("/projects/{slug}/appeals", response={201: Appeal})
@scope_required(WRITE)
@access.signed_in
def make_appeal(request: HttpRequest, slug: str, given: NewAppeal) -> Any:
    """Appeal once, within six months, against what a filter did to one's own text."""
    screening = lookup.own_screening(request, given.screening_id, slug=access.project_for(request, slug).slug)
    try:
        return Status(201, appeals.appeal(screening, access.person(request), given.why))
    except AppealError as error:
        raise ApiError(
            409 if isinstance(error, AlreadyDone) else 422,
            where="body.screening_id",
            what=str(error),
            what_to_do="Appeal once, against a screening that warned of or blocked a text of yours.",
        ) from error


@router.post("/projects/{slug}/labels", response={201: Label})
@scope_required(WRITE)
@access.role_required(*REVIEWERS)
def put_label(request: HttpRequest, slug: str, given: NewLabel) -> Any:
    """Say what a screened text is. One that no lot drew counts for training, and for no figure of quality."""
    screening = lookup.screening_of(access.project_for(request, slug), given.screening_id)
    by = access.person(request)
    try:
        answers = labels.checked(given.answers)
        label = labels.put_label(labels.point_at(screening), answers, by=by)
    except LabelError as error:
        raise ApiError(
            422,
            where="body",
            what=str(error),
            what_to_do="Label a text of others once, by the categories of the filter.",
        ) from error
    label.drawn.refresh_from_db()
    return Status(201, label)
