"""The data page: what there is, what was taken out of it, what was brought in.

What becomes of a file that is brought in is in labeling.imports.views.
"""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from labeling.exports import FilterError, request_export
from labeling.exports.forms import ExportForm
from labeling.exports.inventory import inventory
from labeling.exports.retractions import marked
from labeling.imports.forms import UploadForm
from labeling.models import Export, Import, Project
from labeling.web import access
from labeling.web.access import ENGINEERS
from labeling.web.proof import recently_proven

MOST_SHOWN = 20  # of exports and of imports; labeling.projects.views.lists has all


@access.role_required(*ENGINEERS)
@require_GET
def data(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, access.project_for(request, slug))


@access.role_required(*ENGINEERS)
@recently_proven
@require_POST
def new_export(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    form = ExportForm(request.POST, project=project)
    if not form.is_valid():
        return _page(request, project, export_form=form)
    chosen = {name: form.cleaned_data[name] for name in ("kind", "format")}
    try:
        asked = request_export(project, **chosen, filters=form.filters, by=access.person(request))
    except FilterError as error:
        form.add_error(None, str(error))
        return _page(request, project, export_form=form)
    messages.success(request, _("The export is being built; you may leave this page."))
    return redirect("export", project.slug, asked.id)


def _page(request: HttpRequest, project: Project, *, export_form: ExportForm | None = None) -> HttpResponse:
    context = {
        "project": project,
        "section": "data",
        "holdings": inventory(project),
        "export_form": export_form or ExportForm(project=project, initial=_asked_for(request)),
        "upload_form": UploadForm(),
        "exports": marked(project.exports.select_related("requested_by")[:MOST_SHOWN]),
        "imports": project.imports.exclude(state=Import.State.DISCARDED).select_related("requested_by")[:MOST_SHOWN],
    }
    return render(request, "labeling/exports/data.html", context, status=422 if export_form else 200)


def _asked_for(request: HttpRequest) -> dict[str, str]:
    """The kind of export in the query, which another page proposes."""
    kind = request.GET.get("kind", "")
    return {"kind": kind} if kind in Export.Kind.values else {}
