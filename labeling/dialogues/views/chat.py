"""Chatting: the list of chats, one chat, and its actions except editing (labeling.dialogues.views.editor)."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from labeling.accounts import users
from labeling.dialogues import chat as dialogues_chat
from labeling.dialogues import editing
from labeling.dialogues.forms import DraftsForm, SayForm
from labeling.dialogues.listing import own_dialogues
from labeling.dialogues.rules import WritingError
from labeling.dialogues.views import fragments
from labeling.models import Dialogue, User
from labeling.sampling import runs
from labeling.web import access
from labeling.web.access import WRITERS

MOST_SHOWN = 40
_REFUSALS = (WritingError, runs.SamplingError)


@access.role_required(*WRITERS)
@require_GET
def chat(request: HttpRequest, slug: str) -> HttpResponse:
    """One's own chats, newest first."""
    project = access.project_for(request, slug)
    chats = own_dialogues(project, by=access.person(request), kind=Dialogue.Kind.CHAT)
    context = {"project": project, "section": "chat", "dialogues": chats[:MOST_SHOWN]}
    return render(request, "labeling/dialogues/chats.html", context)


@access.role_required(*WRITERS)
@require_POST
def start_chat(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_at_work(request, slug)
    dialogue = editing.start_chat(project, by=access.person(request))
    return redirect("chat_dialogue", project.slug, dialogue.pk)


@access.role_required(*WRITERS)
@require_GET
def chat_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    if dialogue.kind != Dialogue.Kind.CHAT or dialogue.state not in fragments.EDITABLE:
        return redirect("dialogue", slug, dialogue.pk)
    if request.headers.get("HX-Request"):
        return fragments.thread_response(request, dialogue, changed=True)
    return _page(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def say(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """Add the trainer's message and request one answer or several."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    form = SayForm(request.POST)
    if not form.is_valid():
        return _refused(request, dialogue, form.problems())
    num_drafts = _remembered_drafts(user, form.cleaned_data["num_drafts"])
    try:
        dialogues_chat.say(
            dialogue,
            content=form.cleaned_data["content"],
            num_drafts=num_drafts,
            seconds=form.cleaned_data["seconds"],
            by=user,
        )
    except _REFUSALS as error:
        return _refused(request, dialogue, str(error))
    return fragments.thread_response(request, dialogue, changed=True, added=True)


@access.role_required(*WRITERS)
@require_POST
def regenerate(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """Request other answers to the last user message."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    form = DraftsForm(request.POST)
    wanted = form.cleaned_data["num_drafts"] if form.is_valid() else None
    try:
        dialogues_chat.regenerate(dialogue, num_drafts=_remembered_drafts(user, wanted), by=user)
    except _REFUSALS as error:
        return _refused(request, dialogue, str(error))
    return fragments.thread_response(request, dialogue, changed=True)


@access.role_required(*WRITERS)
@require_POST
def stop_answer(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, run_id: uuid.UUID) -> HttpResponse:
    """Stop sampling; the text sampled so far arrives at the end of the stream."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    runs.cancel(access.own_run(request, run_id), by=access.person(request))
    return fragments.stopped_response(request, dialogue)


@access.role_required(*WRITERS)
@require_POST
def choose_answer(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, completion_id: uuid.UUID) -> HttpResponse:
    """Continue with one of the answers; the choice is stored as a ranking."""
    dialogue = access.own_dialogue(request, dialogue_id, slug=slug)
    try:
        dialogues_chat.choose(dialogue, access.suggestion_for(dialogue, completion_id), by=access.person(request))
    except WritingError as error:
        return _refused(request, dialogue, str(error))
    return fragments.thread_response(request, dialogue, changed=True)


def _remembered_drafts(user: User, wanted: int | None) -> int:
    """How many answers to sample: the number given, which is remembered, else the remembered one."""
    before = int(user.preferences.get("num_drafts", 1))
    if wanted is not None and wanted != before:
        users.set_preference(user, num_drafts=wanted)
    return wanted or before


def _refused(request: HttpRequest, dialogue: Dialogue, problem: str) -> HttpResponse:
    answer = fragments.problem_response(request, problem)
    if answer is not None:
        return answer
    if request.POST.get("content"):
        dialogue.composer = {"role": "user", "content": request.POST["content"]}
        return _page(request, dialogue, problem=problem, status=422)
    messages.error(request, problem)
    return redirect(fragments.dialogue_url(dialogue))


def _page(request: HttpRequest, dialogue: Dialogue, *, problem: str = "", status: int = 200) -> HttpResponse:
    context: dict[str, Any] = fragments.thread_context(dialogue, begins_at_comment=not problem)
    save_url = reverse("save_composer", args=(dialogue.project.slug, dialogue.pk))
    context |= fragments.composer_context(dialogue, context["thread"], save_url=save_url)
    context |= {
        "section": "chat",
        "problem": problem,
        "draft_choices": range(1, dialogues_chat.MOST_DRAFTS + 1),
        "num_drafts": int(access.person(request).preferences.get("num_drafts", 1)),
    }
    return render(request, "labeling/dialogues/chat.html", context, status=status)
