"""Chatting: the list of chats, one chat, and what can be done in it besides editing (labeling.views.dialogues)."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from labeling import access, accounts, chatting, sampling, writing
from labeling.access import WRITERS
from labeling.dialogue_lists import own_dialogues
from labeling.forms.writing import DraftsForm, SayForm
from labeling.models import Dialogue, User
from labeling.views import desk
from labeling.writing_rules import WritingError

MOST_SHOWN = 40
_REFUSALS = (WritingError, sampling.SamplingError)


@access.role_required(*WRITERS)
@require_GET
def chat(request: HttpRequest, slug: str) -> HttpResponse:
    """One's own chats, newest first."""
    project = access.project_for(request, slug)
    chats = own_dialogues(project, by=access.person(request), kind=Dialogue.Kind.CHAT)
    context = {"project": project, "section": "chat", "dialogues": chats[:MOST_SHOWN]}
    return render(request, "labeling/chats.html", context)


@access.role_required(*WRITERS)
@require_POST
def start_chat(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_at_work(request, slug)
    dialogue = writing.start_chat(project, by=access.person(request))
    return redirect("chat_dialogue", project.slug, dialogue.pk)


@access.role_required(*WRITERS)
@require_GET
def chat_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    if dialogue.kind != Dialogue.Kind.CHAT or dialogue.state not in desk.EDITABLE:
        return redirect("dialogue", slug, dialogue.pk)
    if request.headers.get("HX-Request"):
        return desk.thread_response(request, dialogue, changed=True)
    return _page(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def say(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """Say something, and ask for one answer or several."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    form = SayForm(request.POST)
    if not form.is_valid():
        return _refused(request, dialogue, form.problems())
    num_drafts = _remembered_drafts(user, form.cleaned_data["num_drafts"])
    try:
        chatting.say(
            dialogue,
            content=form.cleaned_data["content"],
            num_drafts=num_drafts,
            seconds=form.cleaned_data["seconds"],
            by=user,
        )
    except _REFUSALS as error:
        return _refused(request, dialogue, str(error))
    return desk.thread_response(request, dialogue, changed=True, added=True)


@access.role_required(*WRITERS)
@require_POST
def regenerate(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """Another answer to the last thing said."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    form = DraftsForm(request.POST)
    wanted = form.cleaned_data["num_drafts"] if form.is_valid() else None
    try:
        chatting.regenerate(dialogue, num_drafts=_remembered_drafts(user, wanted), by=user)
    except _REFUSALS as error:
        return _refused(request, dialogue, str(error))
    return desk.thread_response(request, dialogue, changed=True)


@access.role_required(*WRITERS)
@require_POST
def stop_answer(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, run_id: uuid.UUID) -> HttpResponse:
    """Stop the answer; as much of it as there is comes with the end of the stream."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    sampling.cancel(access.own_run(request, run_id), by=access.person(request))
    return desk.stopped_response(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def choose_answer(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, completion_id: uuid.UUID) -> HttpResponse:
    """Go on with one of the answers; the choice over the others is kept as a ranking."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    try:
        chatting.choose(dialogue, access.suggestion_for(dialogue, completion_id), by=access.person(request))
    except WritingError as error:
        return _refused(request, dialogue, str(error))
    return desk.thread_response(request, dialogue, changed=True)


def _remembered_drafts(user: User, wanted: int | None) -> int:
    """How many answers: as asked, else as last time; what was asked is remembered."""
    before = int(user.preferences.get("num_drafts", 1))
    if wanted is not None and wanted != before:
        accounts.set_preference(user, num_drafts=wanted)
    return wanted or before


def _refused(request: HttpRequest, dialogue: Dialogue, problem: str) -> HttpResponse:
    answer = desk.problem_response(request, problem)
    if answer is not None:
        return answer
    if request.POST.get("content"):
        dialogue.composer = {"role": "user", "content": request.POST["content"]}
        return _page(request, dialogue, problem=problem, status=422)
    messages.error(request, problem)
    return redirect(desk.dialogue_url(dialogue))


def _page(request: HttpRequest, dialogue: Dialogue, *, problem: str = "", status: int = 200) -> HttpResponse:
    context: dict[str, Any] = desk.thread_context(dialogue)
    save_url = reverse("save_composer", args=(dialogue.project.slug, dialogue.pk))
    context |= desk.composer_context(dialogue, context["thread"], save_url=save_url)
    context |= {
        "section": "chat",
        "problem": problem,
        "draft_choices": range(1, chatting.MOST_DRAFTS + 1),
        "num_drafts": int(access.person(request).preferences.get("num_drafts", 1)),
    }
    return render(request, "labeling/chat.html", context, status=status)
