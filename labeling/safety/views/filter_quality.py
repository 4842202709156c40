"""The quality page of a project's filter, and the form that trains another."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from labeling.models import Project, TrainingJob
from labeling.models.safety.categories import CATEGORIES, category_name
from labeling.rounds import training_jobs
from labeling.rounds.training_inputs import JobError
from labeling.safety.appeal_forms import FiguresForm, FilterTrainingForm
from labeling.safety.drifting import drift_chart, weeks_of
from labeling.safety.quality import (
    FEWEST,
    calibration_chart,
    filter_figures,
    judged_texts,
    precision_recall_chart,
)
from labeling.safety.thresholds import bounds_of
from labeling.web import access
from labeling.web.access import ENGINEERS, FIGURE_READERS

MOST_JOBS = 20


@access.role_required(*FIGURE_READERS)
@require_GET
def filter_quality(request: HttpRequest, slug: str) -> HttpResponse:
    """Figures by category with their intervals, curves of one, and what changed from week to week."""
    project = access.project_for(request, slug)
    form = FiguresForm(request.GET, project=project)
    found, side, category = (form.chosen(name) for name in ("filter", "side", "category"))
    weeks = weeks_of(project, found, side=side)
    context = {
        "project": project,
        "section": "quality",
        "form": form,
        "filter": found,
        "figures": filter_figures(project, found, side=side, span=form.span),
        "fewest": FEWEST,
        "weeks": weeks,
        "trend": drift_chart(weeks, title=str(form.fields["week"].label)) if len(weeks) > 1 else None,
        **_curves(project, form, category),
    }
    return render(request, "labeling/safety/filter_quality.html", context, status=200 if form.is_valid() else 422)


def _curves(project: Project, form: FiguresForm, category: str) -> dict[str, Any]:
    """The charts of one category; none where too few texts of it are known."""
    found, side = form.chosen("filter"), form.chosen("side")
    rows = judged_texts(project, found, side=side, span=form.span, category=category)[category]
    if sum(row.is_true for row in rows) < FEWEST:
        return {"category": CATEGORIES[category]}
    name = category_name(category)
    curve = precision_recall_chart(rows, bounds_of(project, side)[category], title=name)
    return {"category": name, "curve": curve, "calibration": calibration_chart(rows, title=name)}


@access.role_required(*ENGINEERS)
@require_http_methods(["GET", "POST"])
def filter_training(request: HttpRequest, slug: str) -> HttpResponse:
    """Start the training of a filter on an export of labels; the filter becomes a candidate."""
    project = access.project_for(request, slug)
    form = FilterTrainingForm(request.POST if request.method == "POST" else None, project=project)
    if form.is_valid():
        try:
            job = training_jobs.start_job(
                project,
                kind=TrainingJob.Kind.FILTER,
                export=form.cleaned_data["export"],
                output_name=form.cleaned_data["output_name"],
                options=form.options,
                by=access.person(request),
            )
            return redirect("training_job", slug, job.id)
        except JobError as error:
            form.add_error(None, str(error))
    jobs = project.training_jobs.filter(kind=TrainingJob.Kind.FILTER).select_related("export", "requested_by")
    context = {
        "project": project,
        "section": "rounds",
        "form": form,
        "jobs": jobs.order_by("-created_at")[:MOST_JOBS],
    }
    return render(request, "labeling/safety/filter_training.html", context, status=422 if form.is_bound else 200)
