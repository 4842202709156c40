"""Writing: the list of one's own dialogues, the pool of openings, and starting a dialogue."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from labeling.accounts import users
from labeling.dialogues import editing
from labeling.dialogues.forms import StartForm, TopicsForm
from labeling.dialogues.listing import own_dialogues
from labeling.models import Dialogue, Project, User
from labeling.prompts import pool
from labeling.prompts.pool import pool_topics
from labeling.web import access
from labeling.web.access import WRITERS

MOST_SHOWN = 40


@access.role_required(*WRITERS)
@require_GET
def write(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    user = access.person(request)
    dialogues = own_dialogues(project, by=user, kind=Dialogue.Kind.DEMONSTRATION)
    context = {"section": "write", "dialogues": dialogues[:MOST_SHOWN], **_pool_context(project, user)}
    return render(request, "labeling/dialogues/write.html", context)


@access.role_required(*WRITERS)
@require_POST
def start_dialogue(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_at_work(request, slug)
    form = StartForm(request.POST, project=project)
    if not form.is_valid():
        return HttpResponse(status=422)
    dialogue = editing.start_demonstration(project, by=access.person(request), prompt=form.cleaned_data["prompt"])
    return redirect("dialogue", project.slug, dialogue.pk)


@access.role_required(*WRITERS)
@require_POST
def not_my_topic(request: HttpRequest, slug: str, prompt_id: uuid.UUID) -> HttpResponse:
    """Pass over an opening; the next one is shown in its place."""
    project = access.project_for(request, slug)
    user = access.person(request)
    pool.pass_prompt(access.prompt_of(project, prompt_id), by=user)
    return _pool(request, project, user)


@access.role_required(*WRITERS)
@require_POST
def choose_topics(request: HttpRequest, slug: str) -> HttpResponse:
    """Save the preferred topics of this project; those of other projects stay."""
    project = access.project_for(request, slug)
    user = access.person(request)
    here = pool_topics(project)
    form = TopicsForm(request.POST, topics=here)
    if not form.is_valid():
        return HttpResponse(status=422)
    elsewhere = [topic for topic in user.topics if topic not in here]
    users.choose_topics(user, topics=[*elsewhere, *form.cleaned_data["topics"]])
    return _pool(request, project, user)


def _pool(request: HttpRequest, project: Project, user: User) -> HttpResponse:
    if not request.headers.get("HX-Request"):
        return redirect("write", project.slug)
    return render(request, "labeling/dialogues/_pool.html", _pool_context(project, user))


def _pool_context(project: Project, user: User) -> dict[str, Any]:
    here = pool_topics(project)
    chosen = [topic for topic in here if topic in user.topics]
    return {
        "project": project,
        "prompt": pool.next_prompt(project, by=user),
        "topics": {"choices": here, "chosen": chosen, "is_narrow": bool(chosen)},
    }
