"""Reporting a message of one's own chat or a completion on the board, and reading what became of one's reports."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from labeling.dialogues.views.fragments import dialogue_url
from labeling.models import Completion, Lease, Message
from labeling.rankings.views import board
from labeling.safety import reports
from labeling.safety.reports import ReportError
from labeling.safety.triage_forms import ReportForm
from labeling.web import access
from labeling.web.access import RANKERS, WRITERS


@access.role_required(*WRITERS)
@require_POST
def report_message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Report a message of one's own chat; a second report changes the first."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    message = access.message_of(dialogue, message_id)
    context, problem = file_report(request, message)
    if not request.headers.get("HX-Request"):
        _say(request, problem)
        return redirect(f"{dialogue_url(dialogue)}#message-{message.pk}")
    return render(request, "labeling/safety/_report.html", context, status=422 if problem else 200)


def file_report(request: HttpRequest, message: Message, *, may_train: bool = True) -> tuple[dict[str, Any], str]:
    """Report the message as the form says; what the form then shows, and why it could not be."""
    form, user, made = ReportForm(request.POST), access.person(request), None
    problem = form.problems()
    if not problem:
        try:
            project, values = message.dialogue.project, form.cleaned_data
            made, _is_new = reports.report(project, by=user, message=message, may_train=may_train, **values)
        except ReportError as error:
            problem = str(error)
    context = {
        "subject": message.pk,
        "report_url": request.path,
        "report": made or reports.own_report(user, message=message),
        "is_just_reported": made is not None,
        "report_error": problem,
    }
    return context, problem


@access.role_required(*RANKERS)
@require_POST
def report_completion(request: HttpRequest, slug: str, lease_id: uuid.UUID, completion_id: uuid.UUID) -> HttpResponse:
    """Say that a completion is harmful, false or broken. It changes no ranking; reviewers read it."""
    held = access.own_lease(request, lease_id, slug=slug)
    completion = access.completion_of(held, completion_id)
    given = {name: request.POST.get(f"report_{name}:{completion_id}", "") for name in ("kind", "note")}
    form = ReportForm(given)
    problem = form.problems()
    if not problem:
        try:
            project = held.comparison.project
            reports.report(project, by=access.person(request), completion=completion, **form.cleaned_data)
        except ReportError as error:
            problem = str(error)
    return _answer_board(request, held, completion, problem)


@access.role_required(*WRITERS)
@require_GET
def my_reports(request: HttpRequest) -> HttpResponse:
    """One's own reports, newest first, and what became of each."""
    context = {"section": "history", "outcomes": reports.outcomes_for(access.person(request))}
    return render(request, "labeling/safety/my_reports.html", context)


def _answer_board(request: HttpRequest, held: Lease, completion: Completion, problem: str) -> HttpResponse:
    """The form on the board again; without scripts a page of its own, in another tab, so that the board stays."""
    context: dict[str, Any] = {
        "project": held.comparison.project,
        "lease": held,
        "completion": {"id": completion.id, "letter": board.letters(held.shown_order)[str(completion.id)]},
        "report_error": problem,
        "reported": not problem,
        "board_url": reverse("lease", args=(held.comparison.project.slug, held.id)),
    }
    is_fragment = request.headers.get("HX-Request")
    template = "labeling/rankings/_report.html" if is_fragment else "labeling/safety/reported.html"
    return render(request, template, context, status=422 if problem else 200)


def _say(request: HttpRequest, problem: str) -> None:
    if problem:
        messages.error(request, problem)
    else:
        messages.success(request, _("Reported. Thank you; a reviewer will read it."))
