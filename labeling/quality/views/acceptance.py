"""Undoing that a dialogue was accepted, after reading what that touches."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from labeling.dialogues import review
from labeling.dialogues.rules import WritingError
from labeling.exports.holding import holding_of
from labeling.models import Dialogue
from labeling.web import access
from labeling.web.access import REVIEWERS


@access.role_required(*REVIEWERS)
@require_http_methods(["GET", "POST"])
def undo_acceptance(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """GET says what it touches, POST undoes it."""
    dialogue = access.readable_dialogue(request, dialogue_id, slug=slug)
    if request.method == "GET":
        return _confirmation(request, dialogue)
    try:
        review.undo_acceptance(dialogue, by=access.person(request))
    except WritingError as error:
        return _confirmation(request, dialogue, problem=str(error))
    messages.success(request, _("It is accepted no more, and waits for review again."))
    return redirect("review_dialogue", slug, dialogue.pk)


def _confirmation(request: HttpRequest, dialogue: Dialogue, *, problem: str = "") -> HttpResponse:
    first = dialogue.messages.filter(role="user").order_by("position").first()
    context = {
        "project": dialogue.project,
        "section": "review",
        "dialogue": dialogue,
        "opening": first.content if first else "",
        "holding": holding_of(dialogue),
        "may_undo": review.may_undo_acceptance(dialogue, access.person(request)),
        "problem": problem,
    }
    return render(request, "labeling/quality/undo_acceptance.html", context, status=422 if problem else 200)
