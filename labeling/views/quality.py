"""The quality page: how far trainers agree, and what beside quality moves their hands; and reports of outputs."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from labeling import access
from labeling.access import WATCHERS
from labeling.control_arm import arm_figures, has_control_arm
from labeling.models import AuditEvent, Report, User
from labeling.quality import quality_figures


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
        "reports": project.reports.filter(state=Report.State.OPEN).select_related("completion__policy")[:50],
    }
    return render(request, "labeling/quality.html", context)


@access.role_required(User.Role.ADMIN)
@require_POST
def handle_report(request: HttpRequest, slug: str, report_id: uuid.UUID) -> HttpResponse:
    """Mark a report as read and dealt with."""
    project = access.project_for(request, slug)
    report = get_object_or_404(Report, id=report_id, project=project)
    report.state = Report.State.HANDLED
    report.save(update_fields=["state"])
    AuditEvent.note("handle report", report, by=access.person(request))
    return redirect("quality", slug)
