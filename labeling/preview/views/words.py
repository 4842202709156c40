"""What a visitor says of what they were answered: reports, thumbs, and appeals against the filter."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from labeling.dialogues.reactions import annotate_reactions
from labeling.dialogues.rules import WritingError
from labeling.models import Appeal, Dialogue, Message, Preview
from labeling.models.safety.labels import CATEGORIES
from labeling.preview import consent, lookup
from labeling.preview.views.public import public_page
from labeling.safety import appeals, reports, thumbs
from labeling.safety.appeal_forms import AppealForm
from labeling.safety.appeals import AlreadyDone, AppealError
from labeling.safety.lookup import own_screening
from labeling.safety.reports import ReportError
from labeling.safety.triage_forms import ReportForm, ThumbForm
from labeling.web import access


@access.visitor_required
@require_POST
def visit_report(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    preview, dialogue, message = _message(request, slug, dialogue_id, message_id)
    form, user = ReportForm(request.POST), access.person(request)
    problem, made = form.problems(), None
    if not problem:
        may_train = _may_train(request, preview)
        try:
            values = form.cleaned_data
            made, _is_new = reports.report(preview.project, by=user, message=message, may_train=may_train, **values)
        except ReportError as error:
            problem = str(error)
    if not request.headers.get("HX-Request"):
        return _back(request, preview, dialogue, message, problem or _("Reported. Thank you; a person will read it."))
    context = {
        "subject": message.pk,
        "report_url": request.path,
        "report": made or reports.own_report(user, message=message),
        "is_just_reported": made is not None,
        "report_error": problem,
    }
    return render(request, "labeling/safety/_report.html", context, status=422 if problem else 200)


@access.visitor_required
@require_POST
def visit_thumb(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    preview, dialogue, message = _message(request, slug, dialogue_id, message_id)
    form = ThumbForm(request.POST)
    problem = form.problems() or _give(request, preview, message, form.cleaned_data)
    if not request.headers.get("HX-Request"):
        return _back(request, preview, dialogue, message, problem)
    annotate_reactions([message], person_id=access.person(request).pk)
    context = {
        "preview": preview,
        "dialogue": dialogue,
        "message": message,
        "thumb_error": problem,
        "posted_better": form.data.get("better", "") if problem else "",
        "is_why_open": "why" in request.POST,
        "is_saved": "why" in request.POST and not problem,
    }
    return render(request, "labeling/preview/_message_actions.html", context, status=422 if problem else 200)


@access.visitor_required
@require_http_methods(["GET", "POST"])
def visit_appeal(request: HttpRequest, slug: str, screening_id: uuid.UUID) -> HttpResponse:
    """The form with which a visitor appeals, and what became of it. 409 where they have appealed before."""
    preview = lookup.visited_preview(request, slug)
    screening = own_screening(request, screening_id, slug=preview.project.slug)
    form, status = AppealForm(request.POST or None), 200
    if request.method == "POST":
        try:
            if form.is_valid():
                appeals.appeal(screening, access.person(request), form.cleaned_data["why"])
                return redirect("visit_appeal", preview.slug, screening.id)
            status = 422
        except AppealError as error:
            form.add_error(None, str(error))
            status = 409 if isinstance(error, AlreadyDone) else 422
    made = Appeal.objects.filter(screening=screening).first()
    context = {
        "screening": screening,
        "category": CATEGORIES.get(screening.category, screening.category),
        "appeal": made,
        "form": form,
        "why_not": "" if made else appeals.why_not(screening, access.person(request)),
    }
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


def _give(request: HttpRequest, preview: Preview, message: Message, values: dict[str, Any]) -> str:
    """Do what the form says; returns why that cannot be. Without consent a better answer is not taken."""
    by, may_train = access.person(request), _may_train(request, preview)
    if values["better"].strip() and not may_train:
        return _("A better answer is for models to learn from. Say under Mine that they may, then send it.")
    try:
        if values["thumb"] == "none":
            thumbs.take_back(message, by=by)
        else:
            is_up, reasons = values["thumb"] == "up", values["reasons"]
            thumbs.give(message, by=by, up=is_up, reasons=reasons, better=values["better"], may_train=may_train)
    except WritingError as error:
        return str(error)
    return ""


def _back(request: HttpRequest, preview: Preview, dialogue: Dialogue, message: Message, said: str) -> HttpResponse:
    if said:
        messages.info(request, said)
    response = redirect("visit_dialogue", preview.slug, dialogue.pk)
    response["Location"] += f"#message-{message.pk}"
    return response
