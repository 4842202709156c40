"""Regenerated answers: the state of one, trying again, stopping, restoring the old text."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from labeling.dialogues import editing, regeneration
from labeling.dialogues.rules import WritingError
from labeling.dialogues.views import fragments
from labeling.web import access
from labeling.web.access import WRITERS


@access.role_required(*WRITERS)
@require_GET
def message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """One message, polled while its answer is regenerated; once it is not, with the event that updates the page."""
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    asked = access.message_of(found, message_id)
    if not request.headers.get("HX-Request"):
        return redirect(fragments.dialogue_url(found))
    context = fragments.thread_context(found)
    (shown,) = (one for one in context["thread"] if one.pk == asked.pk)
    response = render(request, "labeling/dialogues/_written_message.html", {**context, "message": shown})
    if getattr(shown, "regeneration_state", "") not in ("writing", "waiting"):
        fragments.trigger_dialogue_changed(response, found, context["thread"])
    return response


@access.role_required(*WRITERS)
@require_POST
def regenerate_message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Regenerate this message and the marked answers after it."""
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    asked = access.message_of(found, message_id)
    problem = regeneration.regenerate_from(found, after=asked.position - 1, by=access.person(request))
    if problem:
        return _refused(request, fragments.dialogue_url(found), problem)
    return fragments.thread_response(request, found)


@access.role_required(*WRITERS)
@require_POST
def stop_regenerating(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    regeneration.stop_regenerating(found, by=access.person(request))
    return fragments.thread_response(request, found, changed=True)


@access.role_required(*WRITERS)
@require_POST
def put_back_message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Restore the text from before the regeneration."""
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    try:
        editing.put_back(access.message_of(found, message_id), by=access.person(request))
    except WritingError as error:
        return _refused(request, fragments.dialogue_url(found), str(error))
    return fragments.thread_response(request, found, changed=True)


def _refused(request: HttpRequest, url: str, problem: str) -> HttpResponse:
    answer = fragments.problem_response(request, problem)
    if answer is not None:
        return answer
    messages.error(request, problem)
    return redirect(url)
