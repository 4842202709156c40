"""What the pages of writing and chatting share: contexts for the thread and the composer, and responses to changes.

An htmx request gets the new thread and an event for the rest of the page; a browser without JavaScript is
redirected to the page.
"""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_htmx.http import reswap, trigger_client_event

from labeling.dialogues.chat import answer_run
from labeling.dialogues.comments import annotate_comments, first_open, num_open
from labeling.dialogues.forms import LATER_CHOICES, EditForm
from labeling.dialogues.reactions import annotate_reactions
from labeling.dialogues.regeneration import annotate_regeneration
from labeling.dialogues.rules import content_digest
from labeling.dialogues.suggestions import current_run, next_role, none_fitted, why_no_suggestions
from labeling.models import Completion, Dialogue, Message, SamplingRun
from labeling.sampling import screenings
from labeling.sampling.runs import UNDER_WAY
from labeling.web.times import clock

# Characters. The page carries the last message a second time, so that the script can tell whether text in the
# browser's storage has already been added; a longer one is left out.
LONGEST_REMEMBERED = 20_000
EDITABLE = (Dialogue.State.DRAFT, Dialogue.State.RETURNED)


def dialogue_url(dialogue: Dialogue) -> str:
    name = "chat_dialogue" if dialogue.kind == Dialogue.Kind.CHAT else "dialogue"
    return reverse(name, args=(dialogue.project.slug, dialogue.pk))


def thread_context(
    dialogue: Dialogue,
    *,
    editing: Message | None = None,
    edit_form: EditForm | None = None,
    reviews: bool = False,
    begins_at_comment: bool = False,
) -> dict[str, Any]:
    """Context of the thread: the messages, what may be done with them, and in a chat the run that answers.

    `reviews`: for a reviewer, who also sees comments that were not sent. `begins_at_comment`: the first message with
    an open comment is shown with its edit form.
    """
    said = dialogue.messages.order_by("position").annotate(finish_reason=F("completion__finish_reason"))
    thread: list[Message] = [*said]
    annotate_regeneration(dialogue, thread)
    # The run before what the filter saw: one that is blocked in between is then asked about again, and not shown
    # without the reason.
    is_chat = dialogue.kind == Dialogue.Kind.CHAT
    run = answer_run(dialogue, thread) if is_chat else None
    screenings.annotate_messages(thread)
    removed = []
    if reviews or dialogue.reviewed_at:  # before the first decision its author has no comments to read
        removed = annotate_comments(dialogue, thread, reviews=reviews)
    if begins_at_comment and dialogue.state == Dialogue.State.RETURNED:
        editing = first_open(thread)
    for message in thread[-1:]:
        message.is_last = True  # type: ignore[attr-defined]
    later = [message for message in thread if editing and message.position > editing.position]
    context = {
        "project": dialogue.project,
        "dialogue": dialogue,
        "dialogue_url": dialogue_url(dialogue),
        "thread": thread,
        "can_edit": dialogue.state in EDITABLE,
        "editing": editing,
        "seen": content_digest(editing.content) if editing else "",
        "num_open_comments": num_open(thread),
        "removed_comments": removed,
        "edit_form": edit_form,
        "num_later": len(later),
        "later_choices": _later_choices(dialogue, later),
    }
    if is_chat and not reviews:
        annotate_reactions(thread, person_id=dialogue.author_id)
    if is_chat:
        context |= _answer_context(dialogue, thread, run)
    return context


def thread_response(
    request: HttpRequest, dialogue: Dialogue, *, changed: bool = False, added: bool = False
) -> HttpResponse:
    """The thread as a fragment; after a change, with the event that updates the rest of the page."""
    if not request.headers.get("HX-Request"):
        return redirect(dialogue_url(dialogue))
    context = thread_context(dialogue)
    template = "_chat_thread.html" if dialogue.kind == Dialogue.Kind.CHAT else "_thread.html"
    response = render(request, f"labeling/dialogues/{template}", context)
    if changed:
        trigger_dialogue_changed(response, dialogue, context["thread"], added=added)
    return response


def trigger_dialogue_changed(
    response: HttpResponse, dialogue: Dialogue, thread: list[Message], *, added: bool = False
) -> None:
    """Add the event by which the rest of the page learns the dialogue's new version and roles."""
    event = {"version": dialogue.version, "added": added, **composer_roles(thread)}
    trigger_client_event(response, "parley:dialogue-changed", event)


def problem_response(request: HttpRequest, sentence: str) -> HttpResponse | None:
    """A 422 that shows the problem and leaves the person's text alone; None for a browser without JavaScript."""
    if not request.headers.get("HX-Request"):
        return None
    return trigger_client_event(reswap(HttpResponse(status=422), "none"), "parley:problem", sentence)  # type: ignore[arg-type]


def say_problem(request: HttpRequest, response: HttpResponse, sentence: str) -> HttpResponse:
    """Add a problem to a response of something that worked: as an event, or without JavaScript on the next page."""
    if not request.headers.get("HX-Request"):
        messages.warning(request, sentence)
        return response
    return trigger_client_event(response, "parley:problem", sentence)  # type: ignore[arg-type]


def stopped_response(request: HttpRequest, dialogue: Dialogue) -> HttpResponse:
    """The response to stopping a run: 204, since the run's stream ends by itself and then updates the page."""
    return HttpResponse(status=204) if request.headers.get("HX-Request") else redirect(dialogue_url(dialogue))


def composer_roles(thread: list[Message]) -> dict[str, Any]:
    """The role that the composer starts with, and which roles the next message may have."""
    turn = next_role(thread)
    has_system = any(message.role == Message.Role.SYSTEM for message in thread)
    return {
        "composer_role": turn,
        "roles": {"system": not has_system, "user": turn == "user", "assistant": turn == "assistant"},
    }


def composer_context(dialogue: Dialogue, thread: list[Message], *, save_url: str) -> dict[str, Any]:
    """Context of the composer, with the facts that its script needs. Its words are sent from here to be translated."""
    roles = composer_roles(thread)
    kept_role = dialogue.composer.get("role")
    if roles["roles"].get(kept_role):
        roles["composer_role"] = kept_role
    last = thread[-1].content if thread else ""
    facts = {
        "dialogue": str(dialogue.pk),
        "version": dialogue.version,
        "last_message": last if len(last) <= LONGEST_REMEMBERED else "",
        "save_url": save_url,
        "dialogue_url": dialogue_url(dialogue),
        "sign_in_url": reverse(settings.LOGIN_URL),
        "words": _words(),
    }
    return {
        "composer_role": roles["composer_role"],
        "roles": [{"name": name, "fits": fits} for name, fits in roles["roles"].items()],
        "facts": facts,
    }


def suggestions_context(dialogue: Dialogue, thread: list[Message], *, problem: str = "") -> dict[str, Any]:
    """Context of the panel of suggestions for the next message."""
    reason = why_no_suggestions(dialogue)
    context: dict[str, Any] = {
        "project": dialogue.project,
        "dialogue": dialogue,
        "suggest_role": next_role(thread),
        "offers_suggestions": not reason,
        "why_no_suggestions": reason,
        "suggestion_problem": problem,
    }
    if reason:
        return context
    run = current_run(dialogue, thread, purpose=SamplingRun.Purpose.SUGGESTION)
    panel_url = reverse("suggestions", args=(dialogue.project.slug, dialogue.pk))
    context["suggests_at_once"] = run is None and bool(thread) and not problem
    if run is not None:
        context |= _run_context(run, dialogue, fragment_url=panel_url, target="#suggestions")
        context["stop_url"] = reverse("stop_suggestions", args=(dialogue.project.slug, dialogue.pk, run.pk))
        context["none_fitted"] = none_fitted(run)
    return context


def saved_at() -> str:
    """The time of day in the person's own time zone, for the composer's state line."""
    return clock(timezone.now())


def _later_choices(dialogue: Dialogue, later: list[Message]) -> list[tuple[str, Any]]:
    """The choices for messages after an edited one; "regenerate" only if there are answers and a policy."""
    answers = dialogue.project.policy is not None and any(one.role == Message.Role.ASSISTANT for one in later)
    return [(name, label) for name, label in LATER_CHOICES if answers or name != "regenerate"]


def _answer_context(dialogue: Dialogue, thread: list[Message], run: SamplingRun | None) -> dict[str, Any]:
    editable = dialogue.state in EDITABLE and screenings.blocks(thread) is None
    context: dict[str, Any] = {
        "run": None,
        "awaits_answer": bool(thread) and thread[-1].role == Message.Role.USER,
        "may_regenerate": editable and bool(thread) and (run is None or run.state not in UNDER_WAY),
    }
    if run is not None:
        context |= _run_context(run, dialogue, fragment_url=dialogue_url(dialogue), target="#thread")
        context["stop_url"] = reverse("stop_answer", args=(dialogue.project.slug, dialogue.pk, run.pk))
    return context


def _run_context(run: SamplingRun, dialogue: Dialogue, *, fragment_url: str, target: str) -> dict[str, Any]:
    name = "choose_answer" if run.purpose == SamplingRun.Purpose.CHAT else "take_suggestion"
    completions = {completion.index: completion for completion in run.completions.all()}
    screened = screenings.of_completions(completions.values())
    offered = {index: one for index, one in completions.items() if not screenings.is_blocked_answer(one)}
    candidates: list[dict[str, Any]] = [
        {
            "completion": completions.get(index),
            "screening": screened.get(completions[index].pk) if index in completions else None,
            "take_url": _take_url(name, dialogue, offered.get(index)),
        }
        for index in range(run.num_completions if run.state != SamplingRun.State.BLOCKED else 0)
    ]
    return {
        "run": run,
        "run_goes_on": run.state in UNDER_WAY,
        "run_sentence": _sentence(run),
        "candidates": candidates,
        "num_candidates": run.num_completions,
        "completion_texts": {str(completion.pk): completion.content for completion in offered.values()},
        "fragment_url": fragment_url,
        "fragment_target": target,
    }


def _take_url(name: str, dialogue: Dialogue, completion: Completion | None) -> str:
    return reverse(name, args=(dialogue.project.slug, dialogue.pk, completion.pk)) if completion else ""


def _sentence(run: SamplingRun) -> str:
    """What the run is doing, or how it ended; empty when it is done."""
    name = run.policy.name
    if run.state in (SamplingRun.State.WAITING, SamplingRun.State.SENT):
        return _("Waiting for %(name)s …") % {"name": name}
    return {
        SamplingRun.State.RUNNING: _("%(name)s is writing …") % {"name": name},
        SamplingRun.State.FAILED: _("%(name)s could not answer.") % {"name": name},
        SamplingRun.State.CANCELLED: _("Stopped."),
        SamplingRun.State.BLOCKED: run.error,
    }.get(SamplingRun.State(run.state), "")


def _words() -> dict[str, str]:
    return {
        "saving": _("saving …"),
        "saved": _("saved {}"),
        "sending": _("sending …"),
        "offline": _("no connection: kept in this browser, sent when it is back"),
        "signed-out": _("signed out: kept in this browser."),
        "sign-in": _("Sign in in another tab"),
        "conflict": _("two texts: choose one"),
        "refused": _("not saved: {}"),
        "again": _("not submitted yet: press again in a moment for that"),
        "inserted": _("snippet inserted"),
        "taken": _("a suggestion, unchanged"),
        "edited": _("from a suggestion, changed"),
    }
