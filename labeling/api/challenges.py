"""Operations on feedback contests: those of a project, and one's own entries. Nobody's marks before the results."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema

from labeling import models
from labeling.api.authentication import scope_required
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.models import ApiToken
from labeling.web import access

READ = ApiToken.Scope.READ
router = Router()


class Challenge(Schema):
    """`state` is planned, open, marking, objections or settled."""

    id: UUID
    slug: str
    title: str
    state: str
    opens_at: datetime
    closes_at: datetime
    objections_until: datetime | None
    criteria: list[dict[str, Any]]
    prizes: str
    num_prizes: int
    most_entries: int
    rules_version: int | None
    agreement: dict[str, float] | None

    @staticmethod
    def resolve_state(row: models.Challenge) -> str:
        return str(row.state)

    @staticmethod
    def resolve_rules_version(row: models.Challenge) -> int | None:
        return row.rules.version if row.rules else None

    @staticmethod
    def resolve_agreement(row: models.Challenge) -> dict[str, float] | None:
        return row.agreement or None


class Entry(Schema):
    """`state` is draft, sent, withdrawn or disqualified; `place` is there once the results are published."""

    id: UUID
    title: str
    text: str
    report_ids: list[UUID]
    state: str
    rules_version: int | None
    created_at: datetime
    sent_at: datetime | None
    place: int | None

    @staticmethod
    def resolve_report_ids(row: models.Entry) -> list[UUID]:
        return [report.pk for report in row.reports.all()]

    @staticmethod
    def resolve_rules_version(row: models.Entry) -> int | None:
        return row.rules.version if row.rules else None

    @staticmethod
    def resolve_place(row: models.Entry) -> int | None:
        found = getattr(row, "result", None)
        return found.place if found else None


@router.get("/projects/{slug}/challenges", response=Page[Challenge])
@scope_required(READ)
@access.signed_in
def list_challenges(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """Feedback contests of a project, newest first."""
    return page_of(
        models.Challenge.objects.filter(project=access.project_for(request, slug)), place, order=NEWEST_FIRST
    )


@router.get("/projects/{slug}/challenges/{challenge_id}/entries", response=Page[Entry])
@scope_required(READ)
@access.signed_in
def list_own_entries(request: HttpRequest, slug: str, challenge_id: UUID, place: Query[Place]) -> Any:
    """One's own entries to a contest, newest first. A juror or an admin reads others' on the pages alone."""
    project = access.project_for(request, slug)
    challenge = get_object_or_404(models.Challenge, pk=challenge_id, project=project)
    mine = challenge.entries.filter(author=access.person(request)).select_related("rules", "result")
    return page_of(mine.prefetch_related("reports"), place, order=NEWEST_FIRST)
