"""Operations on imports: bring a file, follow it, read its report. A program says at once what it wants of the file."""

from base64 import b64decode
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router, Status

from labeling.api import import_schemas as schemas
from labeling.api.authentication import scope_required
from labeling.api.errors import ApiError
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.imports import uploads
from labeling.models import ApiToken, Import
from labeling.web import access
from labeling.web.access import ENGINEERS

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
router = Router()


@router.get("/projects/{slug}/imports", response=Page[schemas.Import])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_imports(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """Imports of a project, newest first."""
    return page_of(Import.objects.filter(project=access.project_for(request, slug)), place, order=NEWEST_FIRST)


@router.post("/projects/{slug}/imports", response={201: schemas.Import})
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def import_file(request: HttpRequest, slug: str, given: schemas.NewImport) -> Any:
    """Take a file in; a worker does it. What a file holds that is there already is added no second time."""
    project = access.project_for(request, slug)
    by = access.person(request)
    kind = "dialogues" if given.into == "prompts" else given.into
    try:
        brought = uploads.bring(
            project,
            name=given.name,
            content=[_content_of(given)],
            kind=kind,
            into_prompts=given.into == "prompts",
            by=by,
        )
    except uploads.UploadError as error:
        raise _refused("body.content", str(error)) from error
    if not brought.format:
        uploads.discard(brought, by=by)
        raise _refused("body.content", "No format is recognised that holds this; import it on the data page.")
    with transaction.atomic():
        uploads.confirm(brought, by=by, skips_bad_lines=given.skips_bad_lines)
    brought.refresh_from_db()
    return Status(201, brought)


@router.get("/projects/{slug}/imports/{import_id}", response=schemas.Import)
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_import(request: HttpRequest, slug: str, import_id: UUID) -> Any:
    """How far an import is and, once it is over, its report."""
    return access.import_for(request, import_id, slug=slug)


def _content_of(given: schemas.NewImport) -> bytes:
    try:
        return b64decode(given.content, validate=True)
    except ValueError as error:  # binascii.Error, or a character that is not ASCII
        raise _refused("body.content", "This is no base64.") from error


def _refused(where: str, what: str) -> ApiError:
    return ApiError(422, where=where, what=what, what_to_do="Send another file, or the same with its name's ending.")
