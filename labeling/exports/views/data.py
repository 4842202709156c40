"""The data page: what there is, what was taken out of it, what was brought in."""

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.exports import request_export
from labeling.exports.forms import ConfirmImportForm, ExportForm, UploadForm
from labeling.exports.inventory import inventory
from labeling.imports import FileRefused, uploads
from labeling.imports.detection import Kind
from labeling.models import Import, Project
from labeling.web import access
from labeling.web.access import ENGINEERS
from records import Ranking

MOST_SHOWN = 20  # of exports and of imports; labeling.projects.views.lists has all


@access.role_required(*ENGINEERS)
@require_GET
def data(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, access.project_for(request, slug))


@access.role_required(*ENGINEERS)
@require_POST
def new_export(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    form = ExportForm(request.POST, project=project)
    if not form.is_valid():
        return _page(request, project, export_form=form)
    chosen = {name: form.cleaned_data[name] for name in ("kind", "format")}
    asked = request_export(project, **chosen, filters=form.filters, by=access.person(request))
    messages.success(request, _("The export is being built; you may leave this page."))
    return redirect("export", project.slug, asked.id)


@access.role_required(*ENGINEERS)
@require_POST
def new_import(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep a file and show what Parley makes of it. Nothing is imported yet."""
    project = access.project_for(request, slug)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, project, upload_form=form)
    file = form.cleaned_data["file"]
    try:
        brought = uploads.bring(
            project,
            name=file.name or "",
            content=file.chunks(),
            kind=cast(Kind, str(form.kind)),
            into_prompts=form.cleaned_data["into"] == "prompts",
            by=access.person(request),
        )
    except uploads.UploadError as error:
        form.add_error("file", str(error))
        return _page(request, project, upload_form=form)
    return redirect("import", project.slug, brought.id)


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def import_page(request: HttpRequest, slug: str, import_id: uuid.UUID) -> HttpResponse:
    """A file that was brought: its first records and the question whether to take it in; then how that goes."""
    brought = access.import_for(request, import_id, slug=slug)
    # An unticked box posts nothing, so the method decides, not whether something was sent.
    form = ConfirmImportForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        uploads.confirm(brought, by=access.person(request), **form.cleaned_data)
        return redirect("import", slug, brought.id)
    context = {"project": brought.project, "section": "data", "import": brought, "form": form, **_seen(brought)}
    return render(request, "labeling/imports/import.html", context)


@access.role_required(*ENGINEERS)
@require_GET
def import_state(request: HttpRequest, slug: str, import_id: uuid.UUID) -> HttpResponse:
    brought = access.import_for(request, import_id, slug=slug)
    return render(request, "labeling/imports/_import_state.html", {"project": brought.project, "import": brought})


@access.role_required(*ENGINEERS)
@require_POST
def discard_import(request: HttpRequest, slug: str, import_id: uuid.UUID) -> HttpResponse:
    brought = access.import_for(request, import_id, slug=slug)
    if uploads.discard(brought, by=access.person(request)):
        messages.info(request, _("Discarded; nothing was imported."))
    return redirect("data", slug)


def _page(
    request: HttpRequest,
    project: Project,
    *,
    export_form: ExportForm | None = None,
    upload_form: UploadForm | None = None,
) -> HttpResponse:
    context = {
        "project": project,
        "section": "data",
        "holdings": inventory(project),
        "export_form": export_form or ExportForm(project=project),
        "upload_form": upload_form or UploadForm(),
        "exports": project.exports.select_related("requested_by")[:MOST_SHOWN],
        "imports": project.imports.exclude(state=Import.State.DISCARDED).select_related("requested_by")[:MOST_SHOWN],
    }
    return render(request, "labeling/exports/data.html", context, status=422 if export_form or upload_form else 200)


def _seen(brought: Import) -> dict[str, Any]:
    """The first records of a file that waits for a word, as the page shows them."""
    if brought.state != Import.State.PREVIEWED:
        return {}
    try:
        preview = uploads.look_at(brought)
    except (FileRefused, OSError) as error:
        return {"problem": str(error)}
    return {
        "format": preview.format.label,
        "examples": [_example(record) for record in preview.records],
        "refused": preview.refused,
    }


def _example(record: Any) -> dict[str, Any]:
    if not isinstance(record, Ranking):
        return {"messages": record.messages, "topic": record.topic}
    contents = {completion.id: completion.content for completion in record.completions}
    tiers = [[contents[name] for name in tier] for tier in record.tiers]
    return {"messages": record.messages, "tiers": tiers, "abstained": record.abstained, "topic": record.topic}
