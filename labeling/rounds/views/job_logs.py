"""What a training job's program said: the end of a log while it grows, and a whole log as a file."""

import uuid

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from labeling.rounds.job_logs import end_of, log_of, logs_of
from labeling.rounds.log_downloads import log_response
from labeling.web import access
from labeling.web.access import ENGINEERS


@access.role_required(*ENGINEERS)
@require_GET
def job_log(request: HttpRequest, slug: str, job_id: uuid.UUID) -> HttpResponse:
    """The end of the newest log, or for htmx the part of the page that grows with it."""
    job = access.training_job_for(request, job_id, slug=slug)
    logs = logs_of(job)
    context = {"project": job.project, "job": job, "logs": logs, "text": end_of(logs[0]) if logs else ""}
    template = "labeling/rounds/_job_log.html" if request.headers.get("HX-Request") else "labeling/rounds/job_log.html"
    return render(request, template, {"section": "rounds", **context})


@access.role_required(*ENGINEERS)
@require_GET
def job_log_file(request: HttpRequest, slug: str, job_id: uuid.UUID, attempt: int) -> HttpResponseBase:
    """The log of one attempt, to be kept."""
    job = access.training_job_for(request, job_id, slug=slug)
    log = log_of(job, attempt)
    if log is None:
        raise Http404
    return log_response(request, log, name=f"{job.output_name}-attempt-{attempt}.log")
