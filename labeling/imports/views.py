"""A file that is brought in from the browser: chosen, looked at, taken in or discarded.

The form that chooses it stands on the data page too, which is an export's neighbour; nothing here knows that page.
"""

import uuid
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling.imports import FileRefused, uploads
from labeling.imports.detection import Kind
from labeling.imports.forms import ConfirmImportForm, ReadDifferentlyForm, UploadForm
from labeling.models import Import, Project
from labeling.web import access
from labeling.web.access import ENGINEERS
from records import Message, Ranking, Thumb


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def new_import(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep a file, of which nothing is imported yet; where it is not taken, say why and ask for another."""
    project = access.project_for(request, slug)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid() and (brought := _bring(request, project, form)):
        return redirect("import", project.slug, brought.id)
    context = {"project": project, "section": "data", "upload_form": form}
    return render(request, "labeling/imports/upload.html", context, status=422 if form.is_bound else 200)


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def import_page(request: HttpRequest, slug: str, import_id: uuid.UUID) -> HttpResponse:
    """A file that was brought: its first records and the question whether to take it in; then how that goes."""
    brought = access.import_for(request, import_id, slug=slug)
    # An unticked box posts nothing, so the method decides, not whether something was sent.
    form = ConfirmImportForm(request.POST if request.method == "POST" else None)
    seen = _seen(brought)
    if request.method == "POST" and form.is_valid() and "problem" not in seen:
        uploads.confirm(brought, by=access.person(request), **form.cleaned_data)
        return redirect("import", slug, brought.id)
    context = {"project": brought.project, "section": "data", "import": brought, "form": form, **seen}
    return render(request, "labeling/imports/import.html", context, status=422 if form.is_bound else 200)


@access.role_required(*ENGINEERS)
@require_POST
def read_import_differently(request: HttpRequest, slug: str, import_id: uuid.UUID) -> HttpResponse:
    """Take a file that was brought for another format, or its names for other ones, and look at it again."""
    brought = access.import_for(request, import_id, slug=slug)
    form = _reading_form(brought, request.POST)
    if form is not None and not form.is_valid():
        context = {"project": brought.project, "section": "data", "import": brought, "form": ConfirmImportForm()}
        return render(request, "labeling/imports/import.html", context | _seen(brought, reading=form), status=422)
    if form is not None:
        uploads.read_differently(
            brought, format=form.cleaned_data["format"], columns=form.columns(), by=access.person(request)
        )
    return redirect("import", slug, brought.id)


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


def _bring(request: HttpRequest, project: Project, form: UploadForm) -> Import | None:
    """The file of a form that holds; none where it is not taken, which the form then says."""
    file = form.cleaned_data["file"]
    try:
        return uploads.bring(
            project,
            name=file.name or "",
            content=file.chunks(),
            kind=cast(Kind, str(form.kind)),
            into_prompts=form.cleaned_data["into"] == "prompts",
            by=access.person(request),
        )
    except uploads.UploadError as error:
        form.add_error("file", str(error))
        return None


def _reading_form(brought: Import, data: QueryDict | None = None) -> ReadDifferentlyForm | None:
    """How the file is read now, to be changed. None where it does not wait for a word, or is gone."""
    if brought.state != Import.State.PREVIEWED:
        return None
    try:
        first = uploads.columns_in(brought)
    except (FileRefused, OSError):
        return None
    initial = {
        f"column-{number}": brought.columns[name] for number, name in enumerate(first) if name in brought.columns
    }
    initial["format"] = brought.format or "auto"
    return ReadDifferentlyForm(data, initial=initial, kind=brought.kind, first=first)


def _seen(brought: Import, *, reading: ReadDifferentlyForm | None = None) -> dict[str, Any]:
    """The first records of a file that waits for a word, as the page shows them, and how it is read."""
    if brought.state != Import.State.PREVIEWED:
        return {}
    reading = reading or _reading_form(brought)
    try:
        preview = uploads.look_at(brought)
    except (FileRefused, OSError) as error:
        problem = str(error).replace(uploads.path_of(brought).name, brought.file_name)
        return {"problem": problem, "reading": reading}
    return {
        "reading": reading,
        "format": preview.format.label,
        "examples": [_example(record) for record in preview.records],
        "refused": preview.refused,
        "unread": preview.unread,
    }


def _example(record: Any) -> dict[str, Any]:
    if isinstance(record, Thumb):
        answer = Message(role="assistant", content=record.completion.content)
        thumb = {"up": record.up, "reason": record.reason}
        return {"messages": (*record.messages, answer), "thumb": thumb, "topic": record.topic}
    if not isinstance(record, Ranking):
        return {"messages": record.messages, "topic": record.topic}
    contents = {completion.id: completion.content for completion in record.completions}
    tiers = [[contents[name] for name in tier] for tier in record.tiers]
    said = {"abstained": record.abstained, "note": record.note, "topic": record.topic}
    return {"messages": record.messages, "tiers": tiers, **said}
