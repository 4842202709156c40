"""The page of workers: which are alive, the models they have loaded, their work, and the command to start one."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from labeling.jobs.workers import COMMANDS, worker_groups
from labeling.web import access
from labeling.web.access import ENGINEERS


@access.role_required(*ENGINEERS)
@require_GET
def workers(request: HttpRequest) -> HttpResponse:
    """The page, or for htmx its changing part, which the page polls every few seconds."""
    template = "labeling/jobs/_workers.html" if request.headers.get("HX-Request") else "labeling/jobs/workers.html"
    context = {"section": "workers", "groups": worker_groups(access.person(request)), "commands": COMMANDS}
    return render(request, template, context)
