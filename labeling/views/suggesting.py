"""The panel of suggestions: ask for them, stop them, take one, say that none fits."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from labeling import access, sampling, suggesting
from labeling.access import WRITERS
from labeling.models import Dialogue
from labeling.views import desk
from labeling.writing_rules import WritingError


@access.role_required(*WRITERS)
@require_GET
def suggestions(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """The panel as it stands: what was sampled for the side whose turn it is."""
    return _panel(request, access.own_dialogue(request, dialogue_id, slug=slug))


@access.role_required(*WRITERS)
@require_POST
def suggest(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    try:
        suggesting.suggest(dialogue, again=request.POST.get("again") == "yes", by=access.person(request))
    except (WritingError, sampling.SamplingError) as error:
        return _panel(request, dialogue, problem=str(error))
    return _panel(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def stop_suggestions(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, run_id: uuid.UUID) -> HttpResponse:
    """Stop sampling; what is there already comes with the end of the stream."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    sampling.cancel(access.own_run(request, run_id), by=access.person(request))
    return desk.stopped_response(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def none_fit(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, run_id: uuid.UUID) -> HttpResponse:
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    suggesting.note_none_fits(access.own_run(request, run_id), by=access.person(request))
    return _panel(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def take_suggestion(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, completion_id: uuid.UUID) -> HttpResponse:
    """Put a suggestion into the composer, for a browser without scripts; with them the page does it itself."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    completion = access.suggestion_for(dialogue, completion_id)
    suggesting.take(dialogue, completion, by=access.person(request))
    return redirect(desk.dialogue_url(dialogue))


def _panel(request: HttpRequest, dialogue: Dialogue, *, problem: str = "") -> HttpResponse:
    if not request.headers.get("HX-Request"):
        if problem:
            messages.warning(request, problem)
        return redirect(desk.dialogue_url(dialogue))
    thread = list(dialogue.messages.order_by("position"))
    context = desk.suggestions_context(dialogue, thread, problem=problem)
    return render(request, "labeling/_suggestions.html", context)
