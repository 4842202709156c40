"""What withdrawals touched in a project, and making it anew."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from labeling.rounds.training_inputs import JobError
from labeling.web import access
from labeling.web.access import ENGINEERS, TRACERS
from labeling.withdrawals import renewal
from labeling.withdrawals.affected import MOST_LOOKED_AT, affected_by_withdrawals


@access.role_required(*TRACERS)
@require_GET
def affected(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    found = affected_by_withdrawals(project)
    context = {"project": project, "section": "quality", "affected": found, "most": MOST_LOOKED_AT}
    return render(request, "labeling/withdrawals/affected.html", context)


@access.role_required(*ENGINEERS)
@require_POST
def rebuild_export(request: HttpRequest, slug: str, export_id: uuid.UUID) -> HttpResponse:
    """The same filters as a new export; several with `more`, those that a model waits for."""
    first = access.export_for(request, export_id, slug=slug)
    others = [access.export_for(request, one, slug=slug) for one in _ids(request.POST.getlist("more"))]
    for export in [first, *others]:
        renewal.rebuild(export, by=access.person(request))
    num = len({first.id, *(other.id for other in others)})
    said = ngettext("The export is being rebuilt.", "%(n)d exports are being rebuilt.", num)
    messages.success(request, said % {"n": num})
    return redirect("affected", slug)


@access.role_required(*ENGINEERS)
@require_POST
def retrain_job(request: HttpRequest, slug: str, job_id: uuid.UUID) -> HttpResponse:
    """The same training, with the same options, on what was rebuilt."""
    job = access.training_job_for(request, job_id, slug=slug)
    try:
        started = renewal.retrain(job, by=access.person(request))
    except JobError as error:
        messages.error(request, str(error))
        return redirect("affected", slug)
    messages.success(request, _("%(name)s is being trained.") % {"name": started.output_name})
    return redirect("training_job", slug, started.id)


def _ids(texts: list[str]) -> list[uuid.UUID]:
    found = []
    for text in texts:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found
