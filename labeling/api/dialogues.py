"""Operations on prompts and dialogues: list them, and add new ones through the importer of files."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from labeling import models
from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import Page, Place, page_of
from labeling.imports import import_dialogues
from labeling.models import ApiToken, Project, User
from labeling.web import access
from labeling.web.access import ENGINEERS

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
SOURCE = "api"
router = Router()


@router.get("/projects/{slug}/prompts", response=Page[schemas.Prompt])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_prompts(request: HttpRequest, slug: str, place: Query[Place], topic: str | None = None) -> Any:
    """The project's pool of prompts."""
    prompts = models.Prompt.objects.filter(project=access.project_for(request, slug))
    return page_of(prompts.filter(topic=topic) if topic else prompts, place)


@router.post("/projects/{slug}/prompts", response={201: schemas.Imported})
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def add_prompts(request: HttpRequest, slug: str, given: schemas.NewPrompts) -> Any:
    """Add prompts to the pool; those that are in it already are not added again."""
    project = access.project_for(request, slug)
    _require_each(given.prompts, "prompts", answered=False)
    return _import(project, given.prompts, "prompts", given.on_error, by=access.person(request))


@router.get("/projects/{slug}/dialogues", response=Page[schemas.Dialogue])
@scope_required(READ)
@access.signed_in
def list_dialogues(request: HttpRequest, slug: str, place: Query[Place], state: str | None = None) -> Any:
    """The owner's dialogues; for reviewers also submitted ones, for engineers accepted ones."""
    dialogues = _dialogues(request, access.project_for(request, slug))
    return page_of(dialogues.filter(state=state) if state else dialogues, place)


@router.get("/projects/{slug}/dialogues/{dialogue_id}", response=schemas.Dialogue)
@scope_required(READ)
@access.signed_in
def get_dialogue(request: HttpRequest, slug: str, dialogue_id: UUID) -> Any:
    return get_object_or_404(_dialogues(request, access.project_for(request, slug)), id=dialogue_id)


@router.post("/projects/{slug}/dialogues", response={201: schemas.Imported})
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def add_dialogues(request: HttpRequest, slug: str, given: schemas.NewDialogues) -> Any:
    """Add dialogues as accepted; those that are there already are not added again."""
    project = access.project_for(request, slug)
    _require_each(given.dialogues, "dialogues", answered=True)
    return _import(project, given.dialogues, "dialogues", given.on_error, by=access.person(request))


def _dialogues(request: HttpRequest, project: Project) -> QuerySet[models.Dialogue]:
    dialogues = access.dialogues_for(request, project).select_related("author", "project")
    return dialogues.prefetch_related("messages__policy")


def _require_each(said: Sequence[schemas.NewSaid], what: str, *, answered: bool) -> None:
    """Require that prompts end with the user and dialogues with an answer, since the importer tells them apart by that.

    Raises ApiError.
    """
    wrong = [num for num, one in enumerate(said) if (one.messages[-1].role == "user") == answered]
    if wrong:
        wanted = "end with an answer" if answered else "end with the message of a user"
        raise ApiError(
            422,
            where=f"body.{what}[{wrong[0]}].messages",
            what=f"It must {wanted}.",
            what_to_do="Send prompts to …/prompts and dialogues to …/dialogues.",
            others=[{"where": f"body.{what}[{num}].messages", "what": f"It must {wanted}."} for num in wrong[1:20]],
        )


def _import(
    project: Project, said: Sequence[schemas.NewSaid], what: str, on_error: str, *, by: User
) -> Status[schemas.Imported]:
    """Import through a temporary file: the importer's checks and reports are those of files."""
    with tempfile.TemporaryDirectory(prefix="parley-api-") as folder:
        path = Path(folder) / "body.jsonl"
        path.write_text("".join(map(_line, range(len(said)), said)), encoding="utf-8")
        report = import_dialogues(
            path,
            project=project,
            by=by,
            format="records",
            on_error="skip" if on_error == "skip" else "stop",
            source=SOURCE,
        )
    refused = [schemas.Problem(where=f"body.{what}[{one.line - 1}]", what=one.reason) for one in report.refused]
    if report.stopped and refused:
        raise _error_of(refused)
    return Status(201, schemas.Imported(imported=report.imported, repeated=report.repeated, refused=refused))


def _error_of(refused: list[schemas.Problem]) -> ApiError:
    return ApiError(
        422,
        where=refused[0].where,
        what=refused[0].what,
        what_to_do="Nothing was imported. Mend it, or send “on_error”: “skip” to leave such ones out.",
        others=[one.dict() for one in refused[1:20]],
    )


def _line(num: int, said: schemas.NewSaid) -> str:
    """A line of the records format."""
    record = {"id": str(num), **said.dict(exclude_none=True)}
    return json.dumps(record, ensure_ascii=False) + "\n"
