"""Operations on withdrawals of a person's work, by an admin: see what one would touch, make, follow and undo it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from labeling import models
from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import Page, Place, page_of
from labeling.models import ApiToken, Project, User
from labeling.web import access
from labeling.withdrawals import batches
from labeling.withdrawals.preview import Preview, preview_of
from labeling.withdrawals.selection import Wanted, people_with_work

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
ADMINS = (User.Role.ADMIN,)
Kind = Literal["rankings", "dialogues", "better", "thumbs"]
router = Router()


class Withdrawal(Schema):
    """`state` is running, done, undoing or undone; `num_rows` were taken out so far."""

    id: UUID
    person_id: UUID | None
    outside_person: str
    kinds: list[str]
    since: datetime | None
    reason: str
    text: str
    state: str
    at: datetime
    undone_at: datetime | None
    num_rows: int

    @staticmethod
    def resolve_num_rows(row: models.Withdrawal) -> int:
        return row.rows.count()


def _every_kind() -> list[Kind]:
    return ["rankings", "dialogues", "better", "thumbs"]


class Span(schemas.Given):
    """Whose work, an account's or that of a name from outside, of which kinds, made since when."""

    person_id: UUID | None = None
    outside_person: str = Field("", max_length=80)
    kinds: list[Kind] = Field(default_factory=_every_kind, min_length=1)
    since: datetime | None = None


class NewWithdrawal(Span):
    reason: Literal["fraud", "consent", "error", "other"]
    text: str = Field("", max_length=batches.LONGEST_TEXT)


class Undoing(schemas.Given):
    reason: str = Field(min_length=1, max_length=batches.LONGEST_TEXT)


class HeldRows(Schema):
    export_id: UUID
    num: int
    share: float
    is_whole: bool


class Touched(Schema):
    """What a withdrawal would touch: rows by kind, exports, models, verdicts of people and promotions."""

    counts: dict[str, int]
    exports: list[HeldRows]
    models: list[str]
    verdicts: list[str]
    promotions: list[str]


@router.get("/projects/{slug}/withdrawals", response=Page[Withdrawal])
@scope_required(READ)
@access.role_required(*ADMINS)
def list_withdrawals(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """Withdrawals in a project, newest first."""
    found = models.Withdrawal.objects.filter(project=access.project_for(request, slug))
    return page_of(found, place, order=("-at", "-id"))


@router.post("/projects/{slug}/withdrawals", response={201: Withdrawal})
@scope_required(WRITE)
@access.role_required(*ADMINS)
def withdraw_for_person(request: HttpRequest, slug: str, given: NewWithdrawal) -> Any:
    """Take out what a person made in the project until now. It goes on by itself where it is not done at once."""
    project = access.project_for(request, slug)
    made = batches.begin(
        project,
        by=access.person(request),
        person=_person(project, given),
        outside_person=given.outside_person,
        kinds=given.kinds,
        since=given.since,
        reason=given.reason,
        text=given.text,
    )
    return Status(201, made)


@router.post("/projects/{slug}/withdrawals/preview", response=Touched)
@scope_required(READ)
@access.role_required(*ADMINS)
def preview_withdrawal(request: HttpRequest, slug: str, given: Span) -> Any:
    """What a withdrawal would touch. Nothing is changed."""
    project = access.project_for(request, slug)
    wanted = Wanted(
        project=project,
        person=_person(project, given),
        outside_person=given.outside_person,
        kinds=tuple(given.kinds),
        since=given.since,
    )
    return _touched(preview_of(wanted))


@router.get("/projects/{slug}/withdrawals/{withdrawal_id}", response=Withdrawal)
@scope_required(READ)
@access.role_required(*ADMINS)
def get_withdrawal(request: HttpRequest, slug: str, withdrawal_id: UUID) -> Any:
    """A withdrawal as it stands."""
    return access.withdrawal_for(request, withdrawal_id, slug=slug)


@router.post("/projects/{slug}/withdrawals/{withdrawal_id}/undo", response=Withdrawal)
@scope_required(WRITE)
@access.role_required(*ADMINS)
def undo_withdrawal(request: HttpRequest, slug: str, withdrawal_id: UUID, given: Undoing) -> Any:
    """Put back what can count again, as a whole; one that is undone is unchanged."""
    found = access.withdrawal_for(request, withdrawal_id, slug=slug)
    batches.undo(found, by=access.person(request), reason=given.reason)
    return found


def _person(project: Project, given: Span) -> User | None:
    if given.person_id is None:
        return None
    person = people_with_work(project).filter(id=given.person_id).first()
    if person is None:
        raise ApiError(
            422,
            where="body.person_id",
            what="Nobody with this id made anything in this project.",
            what_to_do="Ids of people stand in the choices of the form on the withdrawals page.",
        )
    return person


def _touched(found: Preview) -> Touched:
    return Touched(
        counts=found.counts,
        exports=[
            HeldRows(export_id=one.export.id, num=one.num, share=one.share, is_whole=one.is_whole)
            for one in found.exports
        ],
        models=[model.name for model in found.models],
        verdicts=[str(candidate) for candidate, _ in found.verdicts],
        promotions=[str(promotion) for promotion in found.promotions],
    )
