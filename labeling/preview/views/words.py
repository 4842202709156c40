"""What a visitor says of what they were answered: reports, thumbs, and appeals against the filter."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from labeling.models import Dialogue, Message, Preview
from labeling.preview import consent, lookup
from labeling.preview.views.public import public_page
from labeling.safety.lookup import own_screening
from labeling.safety.triage_forms import ThumbForm
from labeling.safety.views.appeals import FOUND, appeal_form
from labeling.safety.views.reports import file_report
from labeling.safety.views.thumbs import after_thumb, give
from labeling.web import access


@access.visitor_required
@require_POST
def visit_report(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    preview, dialogue, message = _message(request, slug, dialogue_id, message_id)
    context, problem = file_report(request, message, may_train=_may_train(request, preview))
    if not request.headers.get("HX-Request"):
        return _back(request, preview, dialogue, message, problem or _("Reported. Thank you; a person will read it."))
    return render(request, "labeling/safety/_report.html", context, status=422 if problem else 200)


@access.visitor_required
@require_POST
def visit_thumb(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    preview, dialogue, message = _message(request, slug, dialogue_id, message_id)
    form = ThumbForm(request.POST)
    may_train = _may_train(request, preview)
    if not (problem := form.problems()) and form.cleaned_data["better"].strip() and not may_train:
        problem = _("A better answer is for models to learn from. Say under Mine that they may, then send it.")
    problem = problem or give(message, form, by=access.person(request), may_train=may_train)
    if not request.headers.get("HX-Request"):
        return _back(request, preview, dialogue, message, problem)
    context = {"preview": preview, "dialogue": dialogue} | after_thumb(request, message, form, problem)
    return render(request, "labeling/preview/_message_actions.html", context, status=422 if problem else 200)


@access.visitor_required
@require_http_methods(["GET", "POST"])
def visit_appeal(request: HttpRequest, slug: str, screening_id: uuid.UUID) -> HttpResponse:
    """The form with which a visitor appeals, and what became of it. 409 where they have appealed before."""
    preview = lookup.visited_preview(request, slug)
    screening = own_screening(request, screening_id, slug=preview.project.slug)
    context, status = appeal_form(request, screening)
    if status == FOUND:
        return redirect("visit_appeal", preview.slug, screening.id)
    return public_page(request, preview, "labeling/preview/appeal.html", context, status=status)


def _message(
    request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID
) -> tuple[Preview, Dialogue, Message]:
    preview = lookup.visited_preview(request, slug)
    dialogue = lookup.own_visit(request, dialogue_id, preview=preview)
    return preview, dialogue, access.message_of(dialogue, message_id)


def _may_train(request: HttpRequest, preview: Preview) -> bool:
    given = consent.consent_of(access.person(request), preview)
    return given is not None and given.training


def _back(request: HttpRequest, preview: Preview, dialogue: Dialogue, message: Message, said: str) -> HttpResponse:
    if said:
        messages.info(request, said)
    response = redirect("visit_dialogue", preview.slug, dialogue.pk)
    response["Location"] += f"#message-{message.pk}"
    return response
