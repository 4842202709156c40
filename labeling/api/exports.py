"""Operations on exports: request, follow and cancel them, and download their files."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Status

from labeling.api import schemas
from labeling.api.authentication import scope_required
from labeling.api.pagination import NEWEST_FIRST, Page, Place, page_of
from labeling.exports import cancel_export, request_export
from labeling.exports.downloads import export_file_response
from labeling.exports.files import files_of
from labeling.models import ApiToken, Export
from labeling.web import access
from labeling.web.access import ENGINEERS

READ, WRITE = ApiToken.Scope.READ, ApiToken.Scope.WRITE
router = Router()


@router.get("/projects/{slug}/exports", response=Page[schemas.Export])
@scope_required(READ)
@access.role_required(*ENGINEERS)
def list_exports(request: HttpRequest, slug: str, place: Query[Place]) -> Any:
    """Exports of a project, newest first."""
    return page_of(Export.objects.filter(project=access.project_for(request, slug)), place, order=NEWEST_FIRST)


@router.post("/projects/{slug}/exports", response={201: schemas.Export})
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def build_export(request: HttpRequest, slug: str, given: schemas.NewExport) -> Any:
    """Request an export; a worker builds it."""
    project = access.project_for(request, slug)
    return Status(201, request_export(project, **given.dict(), by=access.person(request)))


@router.get("/projects/{slug}/exports/{export_id}", response=schemas.ExportWithFiles)
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_export(request: HttpRequest, slug: str, export_id: UUID) -> Any:
    """The progress of an export and, once it is done, its files."""
    found = access.export_for(request, export_id, slug=slug)
    shown = schemas.Export.from_orm(found).dict()
    return {**shown, "files": files_of(found)}


@router.post("/projects/{slug}/exports/{export_id}/cancel", response=schemas.Export)
@scope_required(WRITE)
@access.role_required(*ENGINEERS)
def cancel(request: HttpRequest, slug: str, export_id: UUID) -> Any:
    """Cancel an export; a finished one is unchanged."""
    found = access.export_for(request, export_id, slug=slug)
    cancel_export(found, by=access.person(request))
    return found


@router.get("/projects/{slug}/exports/{export_id}/files/{name}")
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_file(request: HttpRequest, slug: str, export_id: UUID, name: str) -> Any:
    """One file; with `Range` a part of it, to resume a broken download."""
    found = access.export_for(request, export_id, slug=slug)
    return export_file_response(request, found, name, by=access.person(request))


@router.api_operation(["HEAD"], "/projects/{slug}/exports/{export_id}/files/{name}", include_in_schema=False)
@scope_required(READ)
@access.role_required(*ENGINEERS)
def get_file_headers(request: HttpRequest, slug: str, export_id: UUID, name: str) -> Any:
    """The size and the hash of a file, which is no download."""
    return get_file(request, slug, export_id, name)
