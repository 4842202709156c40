"""Reviewing: the queue of submitted dialogues, the page of one dialogue, accepting and returning it, comments on it."""

import uuid
from collections import Counter
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from labeling.dialogues import comments
from labeling.dialogues import review as dialogues_review
from labeling.dialogues.forms import CommentForm, ReturnForm
from labeling.dialogues.listing import with_opening
from labeling.dialogues.rules import WritingError
from labeling.dialogues.suggested import annotate_suggested
from labeling.dialogues.views import fragments
from labeling.models import Dialogue, Message, Project, User
from labeling.web import access
from labeling.web.access import REVIEWERS
from labeling.web.times import duration

MOST_SHOWN = 50
LAST_SHOWN = 10


@access.role_required(*REVIEWERS)
@require_GET
def review(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request, slug)
    user = access.person(request)
    waiting = _waiting(project, user)
    num = waiting.count()
    reviewed = Dialogue.objects.filter(project=project, state__in=Dialogue.DECIDED, reviewed_at__isnull=False)
    context = {
        "project": project,
        "section": "review",
        "waiting": with_opening(waiting.select_related("author", "project"))[:MOST_SHOWN],
        "num_more": max(0, num - MOST_SHOWN),
        "own_waiting": not num and project.dialogues.filter(state=Dialogue.State.SUBMITTED).exists(),
        "reviewed": with_opening(reviewed.select_related("author", "project")).order_by("-reviewed_at")[:LAST_SHOWN],
    }
    return render(request, "labeling/dialogues/review.html", context)


@access.role_required(*REVIEWERS)
@require_GET
def review_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    return _page(request, access.readable_dialogue(request, dialogue_id, slug=slug))


@access.role_required(*REVIEWERS)
@require_POST
def accept_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    dialogue = access.readable_dialogue(request, dialogue_id, slug=slug)
    try:
        dialogues_review.accept(dialogue, by=access.person(request))
    except WritingError as error:
        return _page(request, dialogue, problem=str(error))
    again = reverse("review_dialogue", args=(slug, dialogue.pk))
    messages.success(
        request, format_html('{} <a href="{}">{}</a>', _("Accepted."), again, _("Look at it again, or undo"))
    )
    return _next(request, dialogue)


@access.role_required(*REVIEWERS)
@require_POST
def return_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    dialogue = access.readable_dialogue(request, dialogue_id, slug=slug)
    form = ReturnForm(request.POST)
    if not form.is_valid():
        return _page(request, dialogue, form=form)
    try:
        dialogues_review.return_dialogue(dialogue, comment=form.cleaned_data["comment"], by=access.person(request))
    except WritingError as error:
        return _page(request, dialogue, form=form, problem=str(error))
    messages.success(request, _("Returned to its author."))
    return _next(request, dialogue)


@access.role_required(*REVIEWERS)
@require_POST
def comment_on_message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    dialogue = access.readable_dialogue(request, dialogue_id, slug=slug)
    message = access.message_of(dialogue, message_id)
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _commented(request, dialogue, message_id, problem=form.problems())
    try:
        comments.comment_on(message, text=form.cleaned_data["text"], by=access.person(request))
    except WritingError as error:
        return _commented(request, dialogue, message_id, problem=str(error))
    return _commented(request, dialogue, message_id)


@access.role_required(*REVIEWERS)
@require_POST
def take_back_comment(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, comment_id: uuid.UUID) -> HttpResponse:
    dialogue = access.readable_dialogue(request, dialogue_id, slug=slug)
    comment = access.comment_of(dialogue, comment_id)
    try:
        comments.take_back(comment, by=access.person(request))
    except WritingError as error:
        return _commented(request, dialogue, comment.message_id, problem=str(error))
    return _commented(request, dialogue, comment.message_id)


def _commented(
    request: HttpRequest, dialogue: Dialogue, message_id: uuid.UUID | None, *, problem: str = ""
) -> HttpResponse:
    """The message with its comments, in its place; without JavaScript the page, at the message."""
    refused: dict[str, Any] = {}
    if problem:
        refused = {"commented_id": message_id, "comment_problem": problem, "comment_text": request.POST.get("text", "")}
    if not request.headers.get("HX-Request"):
        if problem:
            return _page(request, dialogue, **refused)
        return redirect(f"{reverse('review_dialogue', args=(dialogue.project.slug, dialogue.pk))}#message-{message_id}")
    context = _thread(request, dialogue) | refused
    context["message"] = next((one for one in context["thread"] if one.pk == message_id), None)
    if context["message"] is None:
        return HttpResponse(status=204)
    status = 422 if problem else 200
    return render(request, "labeling/dialogues/_written_message.html", context, status=status)


def _waiting(project: Project, user: User) -> Any:
    return project.dialogues.awaiting_review_by(user).oldest_first()


def _next(request: HttpRequest, done: Dialogue) -> HttpResponse:
    """Redirect to the next dialogue that waits for review, or to the list."""
    following = _waiting(done.project, access.person(request)).exclude(pk=done.pk).first()
    if following is None:
        return redirect("review", done.project.slug)
    return redirect("review_dialogue", done.project.slug, following.pk)


def _thread(request: HttpRequest, dialogue: Dialogue) -> dict[str, Any]:
    """Context of the messages, with what the reviewer may do with them."""
    user = access.person(request)
    context = fragments.thread_context(dialogue, reviews=True)
    annotate_suggested(context["thread"])
    is_own = dialogue.author_id == user.pk and not user.is_admin
    may_return = dialogue.state in comments.COMMENTED_IN and not is_own
    return context | {"can_edit": False, "is_own": is_own, "may_return": may_return, "may_comment": may_return}


def _page(
    request: HttpRequest, dialogue: Dialogue, *, form: ReturnForm | None = None, problem: str = "", **more: Any
) -> HttpResponse:
    user = access.person(request)
    context = _thread(request, dialogue)
    is_own = context["is_own"]
    waiting = _waiting(dialogue.project, user).exclude(pk=dialogue.pk)
    num = waiting.count()
    context |= {
        "section": "review",
        "guidelines": dialogue.project.guidelines,
        "facts": _facts(dialogue, context["thread"]),
        "may_accept": dialogue.state == Dialogue.State.SUBMITTED and not is_own,
        "may_undo": not is_own and dialogues_review.may_undo_acceptance(dialogue, user),
        "why_not": _("Your own dialogue is for another reviewer.") if is_own else _("It is with its author now."),
        "return_form": form or ReturnForm(),
        "return_problem": problem if form else "",
        "next_dialogue": _after(waiting, dialogue),
        "num_waiting_sentence": ngettext("%(n)d more waits", "%(n)d more wait", num) % {"n": num} if num else "",
        "problem": problem,
        **more,
    }
    invalid = bool(problem or more or (form and form.errors))
    return render(request, "labeling/dialogues/review_dialogue.html", context, status=422 if invalid else 200)


def _after(waiting: Any, dialogue: Dialogue) -> Dialogue | None:
    """The next dialogue in the queue after this one; after the last, the first, so that skipped ones come up again."""
    found = waiting.filter(submitted_at__gt=dialogue.submitted_at).first() if dialogue.submitted_at else None
    first = found or waiting.first()
    assert first is None or isinstance(first, Dialogue)
    return first


def _facts(dialogue: Dialogue, thread: list[Message]) -> list[tuple[str, Any]]:
    """How the dialogue was made, for its reviewer: (label, value) pairs."""
    kinds = Counter(message.get_authorship_display() for message in thread)
    facts: list[tuple[str, Any]] = [(_("messages"), ", ".join(f"{num} {kind}" for kind, num in kinds.items()))]
    if dialogue.seconds:
        facts.append((_("time spent"), duration(dialogue.seconds)))
    if dialogue.guideline_version:
        facts.append((_("guidelines"), _("version %(n)d") % {"n": dialogue.guideline_version.version}))
    if dialogue.lease_id is not None:
        facts.append((_("written"), _("while ranking, beside the completions")))
    elif dialogue.kind == Dialogue.Kind.DEMONSTRATION:
        facts.append((_("suggestions"), _("offered") if dialogue.offers_suggestions else _("none (control)")))
    if dialogue.reviewed_by:
        facts.append((_("reviewed by"), dialogue.reviewed_by))
    return facts
