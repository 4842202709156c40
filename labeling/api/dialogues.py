"""Prompts and dialogues: what there is, and what is brought in, by the same reader that imports files."""

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
from labeling.api.authentication import needs
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
@needs(READ)
@access.role_required(*ENGINEERS)
def list_prompts(request: HttpRequest, slug: str, place: Query[Place], topic: str | None = None) -> Any:
    """The project's pool of prompts."""
    prompts = models.Prompt.objects.filter(project=access.project_for(request, slug))
    return page_of(prompts.filter(topic=topic) if topic else prompts, place)


@router.post("/projects/{slug}/prompts", response={201: schemas.Imported})
@needs(WRITE)
@access.role_required(*ENGINEERS)
def add_prompts(request: HttpRequest, slug: str, given: schemas.NewPrompts) -> Any:
    """Add prompts to the pool; what is there already is not added again."""
    project = access.project_for(request, slug)
    _require_each(given.prompts, "prompts", answered=False)
    return _taken_in(project, given.prompts, "prompts", given.on_error, by=access.person(request))


@router.get("/projects/{slug}/dialogues", response=Page[schemas.Dialogue])
@needs(READ)
@access.signed_in
def list_dialogues(request: HttpRequest, slug: str, place: Query[Place], state: str | None = None) -> Any:
    """One's own; for reviewers also what was handed in, for engineers what is accepted."""
    dialogues = _dialogues(request, access.project_for(request, slug))
    return page_of(dialogues.filter(state=state) if state else dialogues, place)


@router.get("/projects/{slug}/dialogues/{dialogue_id}", response=schemas.Dialogue)
@needs(READ)
@access.signed_in
def get_dialogue(request: HttpRequest, slug: str, dialogue_id: UUID) -> Any:
    return get_object_or_404(_dialogues(request, access.project_for(request, slug)), id=dialogue_id)


@router.post("/projects/{slug}/dialogues", response={201: schemas.Imported})
@needs(WRITE)
@access.role_required(*ENGINEERS)
def add_dialogues(request: HttpRequest, slug: str, given: schemas.NewDialogues) -> Any:
    """Bring dialogues in, accepted as they are; what is there already is not added again."""
    project = access.project_for(request, slug)
    _require_each(given.dialogues, "dialogues", answered=True)
    return _taken_in(project, given.dialogues, "dialogues", given.on_error, by=access.person(request))


def _dialogues(request: HttpRequest, project: Project) -> QuerySet[models.Dialogue]:
    dialogues = access.dialogues_for(request, project).select_related("author")
    return dialogues.prefetch_related("messages__policy")


def _require_each(said: Sequence[schemas.NewSaid], what: str, *, answered: bool) -> None:
    """A prompt waits for an answer, and a dialogue has one: else one would come in as the other."""
    wrong = [num for num, one in enumerate(said) if (one.messages[-1].role == "user") == answered]
    if wrong:
        wanted = "end with an answer" if answered else "end with the message of a user"
        raise ApiError(
            422,
            where=f"body.{what}.{wrong[0]}.messages",
            what=f"Here it must {wanted}.",
            what_to_do="Send prompts to …/prompts and dialogues to …/dialogues.",
            others=[{"where": f"body.{what}.{num}.messages", "what": f"Here it must {wanted}."} for num in wrong[1:20]],
        )


def _taken_in(
    project: Project, said: Sequence[schemas.NewSaid], what: str, on_error: str, *, by: User
) -> Status[schemas.Imported]:
    """Through the importer, by way of a file: it is what knows a bad line from a good one."""
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
    refused = [schemas.Problem(where=f"body.{what}.{one.line - 1}", what=one.reason) for one in report.refused]
    if report.stopped and refused:
        raise _refusal_of(refused)
    return Status(201, schemas.Imported(imported=report.imported, repeated=report.repeated, refused=refused))


def _refusal_of(refused: list[schemas.Problem]) -> ApiError:
    return ApiError(
        422,
        where=refused[0].where,
        what=refused[0].what,
        what_to_do="Nothing was imported. Mend it, or send “on_error”: “skip” to leave such ones out.",
        others=[one.dict() for one in refused[1:20]],
    )


def _line(num: int, said: schemas.NewSaid) -> str:
    return json.dumps({"id": str(num), **said.dict(exclude_none=True)}, ensure_ascii=False) + "\n"
