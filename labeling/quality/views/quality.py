"""The quality page of a project, with its reports of outputs."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from labeling.dialogues.control_arm import arm_figures, has_control_arm
from labeling.models import AuditEvent, Report, User
from labeling.quality.report import quality_figures
from labeling.web import access
from labeling.web.access import WATCHERS

MOST_REPORTS = 50  # shown at once; the others follow as these are handled


@access.role_required(*WATCHERS)
@require_GET
def quality(request: HttpRequest, slug: str) -> HttpResponse:
    """Figures with intervals, trainers one by one, and the reports that nobody has handled."""
    project = access.project_for(request, slug)
    context = {
        "project": project,
        "section": "quality",
        "figures": quality_figures(project),
        "arms": arm_figures(project) if has_control_arm(project) else None,
        "reports": project.reports.filter(state=Report.State.OPEN).select_related("completion__policy")[:MOST_REPORTS],
    }
    return render(request, "labeling/quality/quality.html", context)


@access.role_required(User.Role.ADMIN)
@require_POST
def handle_report(request: HttpRequest, slug: str, report_id: uuid.UUID) -> HttpResponse:
    """Mark a report as handled."""
    project = access.project_for(request, slug)
    report = get_object_or_404(Report, id=report_id, project=project)
    report.state = Report.State.HANDLED
    report.save(update_fields=["state"])
    AuditEvent.note("handle report", report, by=access.person(request))
    return redirect("quality", slug)
