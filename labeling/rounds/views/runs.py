"""Training jobs of one kind beside each other: what differs, what they came to, and their curves on one chart."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from labeling.models import TrainingJob
from labeling.rounds.run_table import MOST_CURVES, newest_runs, overlays, run_table
from labeling.web import access
from labeling.web.access import ENGINEERS

DRAWN_AT_FIRST = 3  # the newest, until somebody chooses


@access.role_required(*ENGINEERS)
@require_GET
def runs(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    kinds = TrainingJob.Kind.values
    asked = request.GET.get("kind", "")
    newest = project.training_jobs.order_by("-created_at").values_list("kind", flat=True).first()
    kind = asked if asked in kinds else newest or kinds[0]
    jobs = newest_runs(project, kind)
    chosen = set(request.GET.getlist("job"))
    drawn = [job for job in jobs if str(job.id) in chosen][:MOST_CURVES] if chosen else jobs[:DRAWN_AT_FIRST]
    context = {
        "project": project,
        "section": "rounds",
        "kind": kind,
        "kinds": TrainingJob.Kind.choices,
        "most": MOST_CURVES,
        "table": run_table(jobs, kind, drawn=drawn),
        "charts": overlays(drawn, kind),
    }
    return render(request, "labeling/rounds/runs.html", context)
