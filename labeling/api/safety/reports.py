"""Operations on reports: report an output, read one's own reports and what became of them; reviewers read all."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from labeling import models
from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import Page, Place, page_of
from labeling.models import ApiToken, Completion, Lease, Message, Project
from labeling.safety import reports
from labeling.safety.reports import LONGEST_NOTE, ReportError
from labeling.web import access

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
Kind = Literal["harmful", "false", "biased", "refused wrongly", "other", "blocked wrongly", "let through"]
router = Router()


class NewReport(schemas.Given):
    """What is wrong with a message of one's own chat, or with a completion that one was given to rank."""

    message_id: UUID | None = None
    completion_id: UUID | None = None
    kind: Kind
    note: str = Field("", max_length=LONGEST_NOTE)


class Report(Schema):
    """A report, and what became of it. `state` is open, agreed or not agreed; `reporter` is a pseudonym."""

    id: UUID
    message_id: UUID | None
    completion_id: UUID | None
    case_id: UUID | None
    kind: str
    note: str
    content: str
    reporter: str | None
    state: str
    action: str
    why: str
    created_at: datetime
    decided_at: datetime | None

    @staticmethod
    def resolve_reporter(row: models.Report) -> str | None:
        return row.reporter.pseudonym if row.reporter else None

    @staticmethod
    def resolve_state(row: models.Report) -> str:
        return str(row.case.state if row.case else row.state)

    @staticmethod
    def resolve_action(row: models.Report) -> str:
        return row.case.action if row.case else ""

    @staticmethod
    def resolve_why(row: models.Report) -> str:
        return row.case.why if row.case else ""

    @staticmethod
    def resolve_decided_at(row: models.Report) -> datetime | None:
        return row.case.decided_at if row.case else None


@router.get("/projects/{slug}/reports", response=Page[Report])
@scope_required(READ)
@access.signed_in
def list_reports(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """The owner's reports; for reviewers all of the project. Newest first."""
    rows = reports.readable_reports(access.project_for(request, slug), by=access.person(request))
    return page_of(rows, place, order=("-created_at", "-id"))


@router.get("/projects/{slug}/reports/{report_id}", response=Report)
@scope_required(READ)
@access.signed_in
def get_report(request: HttpRequest, slug: str, report_id: UUID) -> Any:
    rows = reports.readable_reports(access.project_for(request, slug), by=access.person(request))
    return get_object_or_404(rows, id=report_id)


@router.post("/projects/{slug}/reports", response={200: Report, 201: Report})
@scope_required(WRITE)
@access.signed_in
def send_report(request: HttpRequest, slug: str, given: NewReport) -> Any:
    """Report an output. A second report of the same one changes the first, until it is decided on."""
    project, user = access.project_for(request, slug), access.person(request)
    try:
        row, is_new = reports.report(
            project, by=user, kind=given.kind, note=given.note, **_output(request, project, given)
        )
    except ReportError as error:
        raise ApiError(
            422, where="body", what=str(error), what_to_do="Read your reports to see what stands."
        ) from error
    return Status(201 if is_new else 200, row)


def _output(request: HttpRequest, project: Project, given: NewReport) -> dict[str, Any]:
    """The message or completion, one of which is named, if this person may read it."""
    user = access.person(request)
    if (given.message_id is None) == (given.completion_id is None):
        raise ApiError(
            422,
            where="body",
            what="Name either a message or a completion.",
            what_to_do="Send one of “message_id” and “completion_id”.",
        )
    if given.message_id is not None:
        said = Message.objects.filter(dialogue__project=project, dialogue__author=user)
        return {"message": get_object_or_404(said.select_related("dialogue", "completion"), id=given.message_id)}
    held = Lease.objects.filter(trainer=user).values("comparison")
    shown = Completion.objects.filter(comparison__project=project, comparison__in=held)
    return {"completion": get_object_or_404(shown.select_related("comparison"), id=given.completion_id)}
