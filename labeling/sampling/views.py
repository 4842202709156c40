"""The sampling page: progress of a project's comparisons, and retrying or withdrawing those that failed."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from labeling.sampling.failures import failed_comparisons, leave_out, retry_all, retry_comparison
from labeling.sampling.mixtures import mixture_of
from labeling.sampling.progress import sampling_progress
from labeling.web import access
from labeling.web.access import ENGINEERS


@access.role_required(*ENGINEERS)
@require_GET
def sampling(request: HttpRequest, slug: str) -> HttpResponse:
    """The page, or for htmx the fragment that the page polls every few seconds."""
    project = access.project_for(request, slug)
    round_ = project.rounds.filter(closed_at=None).first()
    context = {
        "project": project,
        "section": "rounds",
        "round": round_,
        "progress": sampling_progress(project),
        "failed": failed_comparisons(round_) if round_ else [],
        "mixture": mixture_of(project),
    }
    template = (
        "labeling/sampling/_sampling.html" if request.headers.get("HX-Request") else "labeling/sampling/sampling.html"
    )
    return render(request, template, context)


@access.role_required(*ENGINEERS)
@require_POST
def retry_sampling(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> HttpResponse:
    project = access.project_for(request, slug)
    comparison = get_object_or_404(project.comparisons, id=comparison_id)
    if retry_comparison(comparison, by=access.person(request)):
        messages.success(request, _("It is sampled again."))
    return redirect("sampling", slug)


@access.role_required(*ENGINEERS)
@require_POST
def retry_all_sampling(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    round_ = project.rounds.filter(closed_at=None).first()
    num = retry_all(round_, by=access.person(request)) if round_ else 0
    if num:
        messages.success(request, ngettext("%(n)d is sampled again.", "%(n)d are sampled again.", num) % {"n": num})
    return redirect("sampling", slug)


@access.role_required(*ENGINEERS)
@require_POST
def leave_out_comparison(request: HttpRequest, slug: str, comparison_id: uuid.UUID) -> HttpResponse:
    project = access.project_for(request, slug)
    comparison = get_object_or_404(project.comparisons, id=comparison_id)
    if leave_out(comparison, by=access.person(request)):
        messages.success(request, _("It is left out; another takes its place where one can be made."))
    return redirect("sampling", slug)
