"""A thumb on an answer of one's own chat: given, changed, taken back."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from labeling.dialogues.reactions import annotate_reactions
from labeling.dialogues.rules import WritingError
from labeling.dialogues.views.fragments import dialogue_url
from labeling.models import Message, User
from labeling.safety import thumbs
from labeling.safety.triage_forms import ThumbForm
from labeling.web import access
from labeling.web.access import WRITERS


@access.role_required(*WRITERS)
@require_POST
def thumb_message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Give, change or take back a thumb; with it go reasons and a better answer, if there are some."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    message = access.message_of(dialogue, message_id)
    form = ThumbForm(request.POST)
    problem = form.problems() or give(message, form, by=access.person(request))
    if not request.headers.get("HX-Request"):
        if problem:
            messages.error(request, problem)
        return redirect(f"{dialogue_url(dialogue)}#message-{message.pk}")
    context = {"project": dialogue.project, "dialogue": dialogue} | after_thumb(request, message, form, problem)
    return render(request, "labeling/safety/_reaction_in_chat.html", context, status=422 if problem else 200)


def after_thumb(request: HttpRequest, message: Message, form: ThumbForm, problem: str) -> dict[str, Any]:
    """What is shown of a message once its thumb was sent."""
    annotate_reactions([message], person_id=access.person(request).pk)
    return {
        "message": message,
        "thumb_error": problem,
        "posted_better": form.data.get("better", "") if problem else "",
        "is_why_open": "why" in request.POST,
        "is_saved": "why" in request.POST and not problem,
    }


def give(message: Message, form: ThumbForm, *, by: User, may_train: bool = True) -> str:
    """Do what the form says; returns why that cannot be."""
    values = form.cleaned_data
    try:
        if values["thumb"] == "none":
            thumbs.take_back(message, by=by)
        else:
            is_up, reasons = values["thumb"] == "up", values["reasons"]
            thumbs.give(message, by=by, up=is_up, reasons=reasons, better=values["better"], may_train=may_train)
    except WritingError as error:
        return str(error)
    return ""
