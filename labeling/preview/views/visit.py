"""A visitor's chat: the page, what is said, answers that stream, and the choice between two."""

import uuid
from typing import Any

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import reswap, trigger_client_event

from labeling.dialogues.reactions import annotate_reactions
from labeling.dialogues.rules import WritingError
from labeling.models import Dialogue, Message, Preview, SamplingRun
from labeling.preview import chatting, lookup
from labeling.preview.forms import VisitorSayForm
from labeling.preview.limits import LimitReached
from labeling.preview.views.public import public_page
from labeling.sampling import screenings, streaming
from labeling.sampling.runs import UNDER_WAY, SamplingError
from labeling.web import access

_REFUSALS = (WritingError, SamplingError, LimitReached)


@access.visitor_required
@require_http_methods(["GET", "POST"])
def visit(request: HttpRequest, slug: str) -> HttpResponse:
    """A new chat: nothing is kept of it before the first message."""
    preview = lookup.visited_preview(request, slug)
    if request.method == "GET":
        return _page(request, preview, None)
    form = VisitorSayForm(request.POST, longest=preview.longest_message)
    if not form.is_valid():
        return _refused(request, preview, None, form.problems())
    by, with_two = access.person(request), _wants_two(request)
    try:
        dialogue = chatting.begin(preview, content=form.cleaned_data["content"], with_two=with_two, by=by)
    except _REFUSALS as error:
        return _refused(request, preview, None, str(error))
    return redirect("visit_dialogue", preview.slug, dialogue.pk)


@access.visitor_required
@require_GET
def visit_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    preview = lookup.visited_preview(request, slug)
    dialogue = lookup.own_visit(request, dialogue_id, preview=preview)
    if request.headers.get("HX-Request"):
        return _thread(request, preview, dialogue)
    return _page(request, preview, dialogue)


@access.visitor_required
@require_POST
def visit_say(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    preview = lookup.visited_preview(request, slug)
    dialogue = lookup.own_visit(request, dialogue_id, preview=preview)
    form = VisitorSayForm(request.POST, longest=preview.longest_message)
    if not form.is_valid():
        return _refused(request, preview, dialogue, form.problems())
    content, with_two = form.cleaned_data["content"], _wants_two(request)
    try:
        chatting.say(preview, dialogue, content=content, with_two=with_two, by=access.person(request))
    except _REFUSALS as error:
        return _refused(request, preview, dialogue, str(error))
    return _changed(request, preview, dialogue, said=True)


@access.visitor_required
@require_POST
def visit_again(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """Ask again where no answer came."""
    preview = lookup.visited_preview(request, slug)
    dialogue = lookup.own_visit(request, dialogue_id, preview=preview)
    try:
        chatting.ask_again(preview, dialogue, by=access.person(request))
    except _REFUSALS as error:
        return _refused(request, preview, dialogue, str(error))
    return _changed(request, preview, dialogue)


@access.visitor_required
@require_POST
def visit_stop(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    preview = lookup.visited_preview(request, slug)
    dialogue = lookup.own_visit(request, dialogue_id, preview=preview)
    chatting.stop(dialogue, by=access.person(request))
    return _changed(request, preview, dialogue)


@access.visitor_required
@require_POST
def visit_choose(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, completion_id: uuid.UUID) -> HttpResponse:
    """Go on with one of two answers; then their models' names are said."""
    preview = lookup.visited_preview(request, slug)
    dialogue = lookup.own_visit(request, dialogue_id, preview=preview)
    try:
        chatting.choose(dialogue, access.suggestion_for(dialogue, completion_id), by=access.person(request))
    except _REFUSALS as error:
        return _refused(request, preview, dialogue, str(error))
    return _changed(request, preview, dialogue)


@access.visitor_required
@require_GET
async def visit_stream(request: HttpRequest, slug: str, run_id: uuid.UUID) -> HttpResponseBase:
    find = lambda: lookup.own_visits_run(request, run_id, slug=slug)  # noqa: E731 (called in another thread)
    return await streaming.stream_run(request, run_id, find)


def _wants_two(request: HttpRequest) -> bool:
    return request.POST.get("with_two") == "yes"


def _changed(request: HttpRequest, preview: Preview, dialogue: Dialogue, *, said: bool = False) -> HttpResponse:
    if not request.headers.get("HX-Request"):
        return redirect("visit_dialogue", preview.slug, dialogue.pk)
    response = _thread(request, preview, dialogue)
    return trigger_client_event(response, "parley:said", {}) if said else response


def _thread(request: HttpRequest, preview: Preview, dialogue: Dialogue) -> HttpResponse:
    return render(request, "labeling/preview/_thread.html", _context(preview, dialogue))


def _page(
    request: HttpRequest, preview: Preview, dialogue: Dialogue | None, *, problem: str = "", status: int = 200
) -> HttpResponse:
    context = _context(preview, dialogue) | {"problem": problem, "content": request.POST.get("content", "")}
    return public_page(request, preview, "labeling/preview/visit.html", context, status=status)


def _refused(request: HttpRequest, preview: Preview, dialogue: Dialogue | None, problem: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return trigger_client_event(reswap(HttpResponse(status=422), "none"), "parley:problem", problem)  # type: ignore[arg-type]
    return _page(request, preview, dialogue, problem=problem, status=422)


def _context(preview: Preview, dialogue: Dialogue | None) -> dict[str, Any]:
    """The thread, and what is under way at its end."""
    context: dict[str, Any] = {"preview": preview, "project": preview.project, "dialogue": dialogue, "thread": []}
    if dialogue is None:
        return context | {"say_url": reverse("visit", args=(preview.slug,))}
    said = dialogue.messages.order_by("position").select_related("policy", "completion")
    thread: list[Message] = list(said.annotate(finish_reason=F("completion__finish_reason")))
    run, both = chatting.answer_run(dialogue, thread), chatting.two_runs(dialogue, thread)
    sides = [_side(one) for one in ([run] if run else both)]
    seen = screenings.of_completions([side["completion"] for side in sides if side["completion"]])
    for side in sides:
        side["screening"] = seen.get(side["completion"].pk) if side["completion"] else None
    is_blocked = any(side["run"].state == SamplingRun.State.BLOCKED for side in sides)
    here = reverse("visit_dialogue", args=(preview.slug, dialogue.pk))
    screenings.annotate_messages(thread)
    annotate_reactions(thread, person_id=dialogue.author_id)
    return context | {
        "thread": thread,
        "say_url": f"{here}say/",
        "thread_url": here,
        "sides": sides,
        "is_choice": bool(both),
        "may_choose": bool(both) and all(one.state not in UNDER_WAY for one in both),
        "goes_on": any(one.state in UNDER_WAY for one in [*both, *([run] if run else [])]),
        # An appeal may have been won meanwhile: then it can be asked again.
        "is_blocked": is_blocked and screenings.blocks(thread) is not None,
        "awaits_answer": bool(thread) and thread[-1].role == Message.Role.USER,
    }


def _side(run: SamplingRun) -> dict[str, Any]:
    return {"run": run, "goes_on": run.state in UNDER_WAY, "completion": run.completions.first()}
