"""One export: its progress, contents and files, and the models trained on it."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from labeling.exports import cancel_export as stop_export
from labeling.exports.comparison import Differences, compare_exports
from labeling.exports.downloads import export_file_response
from labeling.exports.files import directory_of, files_of
from labeling.exports.forms import OtherExportForm
from labeling.exports.lineage import Registry
from labeling.exports.retractions import retractions_in
from labeling.models import Export
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.permissions import model_access
from labeling.web.proof import recently_proven
from records import read_manifest
from records.methods import methods_section

CARD = "card.md"


@access.role_required(*ENGINEERS)
@require_GET
def export(request: HttpRequest, slug: str, export_id: uuid.UUID) -> HttpResponse:
    found = access.export_for(request, export_id, slug=slug)
    return render(request, "labeling/exports/export.html", {"section": "data", **_context(found, request)})


@access.role_required(*ENGINEERS)
@require_GET
def export_state(request: HttpRequest, slug: str, export_id: uuid.UUID) -> HttpResponse:
    """The part of the page that changes while the export is built."""
    found = access.export_for(request, export_id, slug=slug)
    return render(request, "labeling/exports/_export_state.html", _context(found, request))


@access.role_required(*ENGINEERS)
@require_GET
def export_row(request: HttpRequest, slug: str, export_id: uuid.UUID) -> HttpResponse:
    """The export's row in the table of the data page."""
    found = access.export_for(request, export_id, slug=slug)
    return render(request, "labeling/exports/_export_row.html", {"project": found.project, "export": found})


@access.role_required(*ENGINEERS)
@require_GET
def export_differences(request: HttpRequest, slug: str, export_id: uuid.UUID) -> HttpResponse:
    """Records added, removed and changed since an earlier export, which the query names."""
    found = access.export_for(request, export_id, slug=slug)
    form = OtherExportForm(request.GET, export=found)
    context: dict[str, Any] = {"section": "data", "project": found.project, "export": found, "other_form": form}
    if not form.is_valid():
        return render(request, "labeling/exports/export_differences.html", context, status=422)
    other = form.cleaned_data["other"]
    try:
        differences = compare_exports(other, found)
    except ValueError as error:
        form.add_error("other", str(error))
        return render(request, "labeling/exports/export_differences.html", context, status=422)
    context |= {"other": other, "differences": differences, "kinds": _kinds_of(differences)}
    return render(request, "labeling/exports/export_differences.html", context)


@access.role_required(*ENGINEERS)
@require_POST
def cancel_export(request: HttpRequest, slug: str, export_id: uuid.UUID) -> HttpResponse:
    """Stop it, if it is not done yet. The scripts of its page are led to its state, everybody else to the page."""
    found = access.export_for(request, export_id, slug=slug)
    stop_export(found, by=access.person(request))
    return redirect("export_state" if request.headers.get("HX-Request") else "export", slug, found.id)


@access.role_required(*ENGINEERS)
@recently_proven
@require_safe
def export_file(request: HttpRequest, slug: str, export_id: uuid.UUID, name: str) -> HttpResponseBase:
    """One file of a finished export; 404 for a name that is not in its manifest."""
    found = access.export_for(request, export_id, slug=slug)
    return export_file_response(request, found, name, by=access.person(request))


def _context(found: Export, request: HttpRequest) -> dict[str, Any]:
    files, seen = files_of(found), model_access.visible_models(request)
    return {
        "project": found.project,
        "export": found,
        "files": files,
        "is_missing": found.state == Export.State.DONE and not files,
        "card": _card(found) if files else "",
        "methods": _methods(found) if files else "",
        "models": [one for one in Registry().models_after(found) if one.id in seen] if files else [],
        "taken_back": retractions_in(found) if files else None,
        "other_form": OtherExportForm(export=found) if files else None,
    }


def _kinds_of(found: Differences) -> list[tuple[Any, int, list[dict[str, Any]]]]:
    """(label, number, first records) of each kind of difference."""
    changed = [{**_shown(record), "fields": fields} for record, fields in found.changed]
    return [
        (_("Came"), found.num_added, list(map(_shown, found.added))),
        (_("Went"), found.num_removed, list(map(_shown, found.removed))),
        (_("Changed"), found.num_changed, changed),
    ]


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    """What a person recognises a record by."""
    return {"id": record["id"], "text": record["messages"][-1]["content"], "trainer": record.get("trainer")}


def _card(found: Export) -> str:
    """The card without its title, since the page has one."""
    return (directory_of(found) / CARD).read_text(encoding="utf-8").partition("\n")[2]


def _methods(found: Export) -> str:
    """The methods section, from the frozen manifest and nothing else."""
    return methods_section(read_manifest(directory_of(found)), manifest_sha256=found.manifest_sha256)
