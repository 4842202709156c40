"""The dialogue editor: the page, and the actions on messages and on the whole dialogue."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect, retarget

from labeling.dialogues import comments, editing, regeneration, review
from labeling.dialogues.forms import ComposerForm, EditForm, MessageForm
from labeling.dialogues.review import undo_until
from labeling.dialogues.rules import StaleVersion, WritingError, content_digest
from labeling.dialogues.suggestions import stop_runs
from labeling.dialogues.views import fragments
from labeling.models import Completion, Dialogue, Message, Snippet, User
from labeling.web import access
from labeling.web.access import WRITERS


@access.role_required(*WRITERS)
@require_GET
def dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    if found.kind == Dialogue.Kind.CHAT and found.state in fragments.EDITABLE:
        return redirect(fragments.dialogue_url(found))
    if request.headers.get("HX-Request"):
        return fragments.thread_response(request, found, changed=True)
    return _page(request, found) if found.state in fragments.EDITABLE else _handed_in(request, found)


@access.role_required(*WRITERS)
@require_POST
def add_message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    if problem := _add_posted(request, found):
        return _refused(request, found, problem)
    return fragments.thread_response(request, found, changed=True, added=True)


@access.role_required(*WRITERS)
@require_POST
def save_composer(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """Autosave of the composer; 409 with the saved text if the dialogue was changed elsewhere."""
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    form = ComposerForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"problem": form.problems()}, status=422)
    try:
        version = editing.save_composer(found, **form.cleaned_data, by=user)
    except StaleVersion as stale:
        return JsonResponse({"version": stale.version, "saved": stale.saved}, status=409)
    except WritingError as error:
        return JsonResponse({"problem": str(error)}, status=422)
    return JsonResponse({"version": version, "saved_at": fragments.saved_at()})


@access.role_required(*WRITERS)
@require_http_methods(["GET", "POST"])
def edit_message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """GET shows the edit form in place of the message, POST saves it; 409 with both texts on a conflict."""
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    message = access.message_of(found, message_id)
    form = EditForm(request.POST if request.method == "POST" else None)
    if request.method == "GET" or not form.is_valid():
        return _edit_form(request, message, form, status=422 if form.errors else 200)
    try:
        problem = _edit(message, **form.cleaned_data, by=user)
    except StaleVersion as stale:
        theirs = stale.saved["content"]
        return _edit_form(request, message, form, seen=content_digest(theirs), saved_elsewhere=theirs, status=409)
    except WritingError as error:
        return _refused(request, found, str(error))
    answer = fragments.thread_response(request, message.dialogue, changed=True)
    return fragments.say_problem(request, answer, problem) if problem else answer


@access.role_required(*WRITERS)
@require_POST
def still_fits(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    """Remove the mark for a second look without changing the message."""
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    message = access.message_of(found, message_id)
    editing.edit_message(message, content=message.content, by=user, later="keep")
    return fragments.thread_response(request, found, changed=True)


@access.role_required(*WRITERS)
@require_POST
def answer_comment(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, comment_id: uuid.UUID) -> HttpResponse:
    """Mark a reviewer's comment as answered without an edit."""
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    try:
        comments.answer(access.comment_of(found, comment_id), by=access.person(request))
    except WritingError as error:
        return _refused(request, found, str(error))
    return fragments.thread_response(request, found, changed=True)


@access.role_required(*WRITERS)
@require_POST
def delete_message(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    try:
        editing.delete_from(access.message_of(found, message_id), by=user)
    except WritingError as error:
        return _refused(request, found, str(error))
    return fragments.thread_response(request, found, changed=True)


@access.role_required(*WRITERS)
@require_POST
def branch_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID, message_id: uuid.UUID) -> HttpResponse:
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    access.require_at_work(found.project)
    made = editing.branch(access.message_of(found, message_id), by=user)
    messages.info(request, _("This is the branch. The dialogue that it came from is as it was."))
    return redirect(fragments.dialogue_url(made))


@access.role_required(*WRITERS)
@require_POST
def submit_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    """Submit the dialogue. Text that is still in the composer is added as its last message first."""
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    has_text = bool(request.POST.get("content", "").strip())
    if has_text and (problem := _add_posted(request, found)):
        return _refused(request, found, problem)
    try:
        review.submit_dialogue(found, by=user)
    except WritingError as error:
        return _refused(request, found, str(error), emptied=has_text)
    stop_runs(found, by=user)
    regeneration.stop_regenerating(found, by=user)
    url = fragments.dialogue_url(found)
    return HttpResponseClientRedirect(url) if request.headers.get("HX-Request") else redirect(url)


@access.role_required(*WRITERS)
@require_POST
def undo_submission(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    try:
        review.undo_submission(found, by=user)
    except WritingError as error:
        messages.error(request, str(error))
    return redirect(fragments.dialogue_url(found))


@access.role_required(*WRITERS)
@require_POST
def withdraw_dialogue(request: HttpRequest, slug: str, dialogue_id: uuid.UUID) -> HttpResponse:
    found = access.own_dialogue(request, dialogue_id, slug=slug)
    user = access.person(request)
    stop_runs(found, by=user)
    regeneration.stop_regenerating(found, by=user)
    review.withdraw(found, by=user)
    messages.info(request, _("The dialogue is deleted."))
    return redirect("chat" if found.kind == Dialogue.Kind.CHAT else "write", slug)


def _edit(message: Message, *, content: str, later: str, seen: str, keep: str, by: User) -> str:
    """Save the edit. Returns why later answers cannot be regenerated, if that was asked for, else an empty string."""
    if keep == "both":
        content = f"{message.content}\n\n{content}"
    if later == "regenerate":
        return regeneration.edit_and_regenerate(message, content=content, by=by, seen=seen or None)
    editing.edit_message(message, content=content, by=by, later=later, seen=seen or None)  # type: ignore[arg-type]
    return ""


def _edit_form(request: HttpRequest, message: Message, form: EditForm, *, status: int, **more: Any) -> HttpResponse:
    """The edit form in place of the message; `saved_elsewhere` is the other text after a conflict."""
    thread = fragments.thread_context(message.dialogue, editing=message, edit_form=form)
    shown = next((one for one in thread["thread"] if one.pk == message.pk), message)
    context = {**thread, "message": shown, **more}
    if request.headers.get("HX-Request"):
        answer = render(request, "labeling/dialogues/_edit_message.html", context, status=status)
        return retarget(answer, f"#message-{message.pk}")
    return _page(request, message.dialogue, thread=context, status=status)


def _add_posted(request: HttpRequest, dialogue: Dialogue) -> str:
    """Add the posted message. Returns what is wrong with it, or an empty string."""
    form = MessageForm(request.POST)
    if not form.is_valid():
        return form.problems()
    values = {name: form.cleaned_data[name] for name in ("role", "content", "seconds")}
    completion = form.cleaned_data["completion"]
    user = access.person(request)
    try:
        suggestion: Completion | None = access.suggestion_for(dialogue, completion) if completion else None
        editing.add_message(dialogue, **values, completion=suggestion, by=user)
    except WritingError as error:
        return str(error)
    stop_runs(dialogue, by=user)
    return ""


def _refused(request: HttpRequest, dialogue: Dialogue, problem: str, *, emptied: bool = False) -> HttpResponse:
    """Show the problem beside the composer; without JavaScript, the page again with the posted text."""
    if emptied:  # the text was added as a message, so the thread must be reloaded although the request failed
        messages.error(request, problem)
        url = fragments.dialogue_url(dialogue)
        return HttpResponseClientRedirect(url) if request.headers.get("HX-Request") else redirect(url)
    answer = fragments.problem_response(request, problem)
    if answer is not None:
        return answer
    posted = {name: request.POST.get(name, "") for name in ("role", "content", "completion")}
    if posted["content"]:
        dialogue.composer = posted
    return _page(request, dialogue, problem=problem, status=422)


def _page(
    request: HttpRequest,
    dialogue: Dialogue,
    *,
    thread: dict[str, Any] | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    context = thread or fragments.thread_context(dialogue, begins_at_comment=not problem)
    save_url = reverse("save_composer", args=(dialogue.project.slug, dialogue.pk))
    context |= fragments.composer_context(dialogue, context["thread"], save_url=save_url)
    context |= fragments.suggestions_context(dialogue, context["thread"])
    answers = [message for message in context["thread"] if message.role == Message.Role.ASSISTANT]
    context["answer_to_mend"] = answers[-1] if answers else None
    context["snippets"] = Snippet.objects.kept_by(access.person(request))
    context |= {"section": "write", "guidelines": dialogue.project.guidelines, "problem": problem}
    return render(request, "labeling/dialogues/dialogue.html", context, status=status)


def _handed_in(request: HttpRequest, dialogue: Dialogue) -> HttpResponse:
    until = undo_until(dialogue)
    is_chat = dialogue.kind == Dialogue.Kind.CHAT
    context = {
        **fragments.thread_context(dialogue),
        "section": "chat" if is_chat else "write",
        "list_url": reverse("chat" if is_chat else "write", args=(dialogue.project.slug,)),
        "list_name": _("Chat") if is_chat else _("Write"),
        "undo_until": until if until and until > timezone.now() else None,
    }
    return render(request, "labeling/dialogues/handed_in.html", context)
