"""The panel of suggestions: requesting them, stopping, taking one, recording that none fits."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from labeling.dialogues import suggestions as dialogues_suggestions
from labeling.dialogues.rules import WritingError
from labeling.dialogues.views import fragments
from labeling.models import Dialogue
from labeling.sampling import runs
from labeling.web import access
from labeling.web.access import WRITERS


@access.role_required(*WRITERS)
@require_GET
def suggestions(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """The panel with the current suggestions for the next message."""
    return _panel(request, access.own_dialogue(request, dialogue_id, slug=slug))


@access.role_required(*WRITERS)
@require_POST
def suggest(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    try:
        dialogues_suggestions.suggest(dialogue, again=request.POST.get("again") == "yes", by=access.person(request))
    except (WritingError, runs.SamplingError) as error:
        return _panel(request, dialogue, problem=str(error))
    return _panel(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def stop_suggestions(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, run_id: uuid.UUID) -> HttpResponse:
    """Stop sampling; the text sampled so far arrives at the end of the stream."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    runs.cancel(access.own_run(request, run_id), by=access.person(request))
    return fragments.stopped_response(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def none_fit(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, run_id: uuid.UUID) -> HttpResponse:
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    dialogues_suggestions.note_none_fits(access.own_run(request, run_id), by=access.person(request))
    return _panel(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def take_suggestion(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, completion_id: uuid.UUID) -> HttpResponse:
    """Put a suggestion into the composer, for a browser without JavaScript; otherwise the page's script does it."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    completion = access.suggestion_for(dialogue, completion_id)
    try:
        dialogues_suggestions.take(dialogue, completion, by=access.person(request))
    except WritingError as error:
        messages.error(request, str(error))
    return redirect(fragments.dialogue_url(dialogue))


def _panel(request: HttpRequest, dialogue: Dialogue, *, problem: str = "") -> HttpResponse:
    if not request.headers.get("HX-Request"):
        if problem:
            messages.warning(request, problem)
        return redirect(fragments.dialogue_url(dialogue))
    thread = list(dialogue.messages.order_by("position"))
    context = fragments.suggestions_context(dialogue, thread, problem=problem)
    return render(request, "labeling/dialogues/_suggestions.html", context)
