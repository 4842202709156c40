"""Suggestions for the next message of a dialogue. All completions of all runs are kept, taken or not.

A run is current while its prompt equals the dialogue's messages; after an edit it is not.
"""

from dataclasses import replace
from typing import Literal

from django.utils.translation import gettext as _

from labeling.dialogues.editing import save_composer
from labeling.dialogues.rules import WritingError, require_unblocked
from labeling.models import AuditEvent, Completion, Dialogue, Message, Project, SamplingRun, User
from labeling.sampling import runs as sampling_runs
from labeling.sampling import screenings
from records import SamplingParams

_NONE_FITS = "none fits"


def next_role(messages: list[Message]) -> Literal["user", "assistant"]:
    """The role of the next message, since user and assistant take turns."""
    last = messages[-1].role if messages else None
    return "assistant" if last == Message.Role.USER else "user"


def current_run(dialogue: Dialogue, messages: list[Message], *, purpose: str) -> SamplingRun | None:
    """The newest run for the message after these, if these are still its prompt."""
    runs = SamplingRun.objects.filter(dialogue=dialogue, purpose=purpose, position=len(messages), replaces=None)
    newest = runs.filter(as_role=next_role(messages)).select_related("policy").order_by("-created_at").first()
    if newest is None or newest.messages != [one.plain for one in messages]:
        return None
    return newest


def why_no_suggestions(dialogue: Dialogue) -> str:
    """Why this dialogue offers no suggestions, as a sentence for its author; empty if it offers them."""
    if reason := dialogue.project.why_no_new_work:
        return reason
    if dialogue.project.policy is None:
        return _("No policy answers in this project yet, so there is nobody to suggest anything.")
    if dialogue.project.num_suggestions == 0:
        return _("This project is written without suggestions.")
    if not dialogue.offers_suggestions:
        return _("This dialogue is written without suggestions, so that their influence on others can be measured.")
    return ""


def suggest(dialogue: Dialogue, *, again: bool, by: User) -> SamplingRun:
    """The current run of suggestions for the next message; a new run if there is none, or with `again`.

    Older runs that are still being sampled are cancelled. Raises WritingError or SamplingError.
    """
    if reason := why_no_suggestions(dialogue):
        raise WritingError(reason)
    messages = list(dialogue.messages.order_by("position"))
    require_unblocked(messages)
    present = current_run(dialogue, messages, purpose=SamplingRun.Purpose.SUGGESTION)
    if present is not None and not again:
        return present
    stop_runs(dialogue, by=by)
    return sampling_runs.request_completions(
        dialogue.project,
        purpose=SamplingRun.Purpose.SUGGESTION,
        messages=[one.plain for one in messages],
        num_completions=dialogue.project.num_suggestions,
        by=by,
        as_role=next_role(messages),
        dialogue=dialogue,
        position=len(messages),
        sampling=suggestion_sampling(dialogue.project),
        streams=True,
    )


def suggestion_sampling(project: Project) -> SamplingParams:
    """The project's sampling settings for suggestions, which differ from those for comparisons."""
    return replace(
        sampling_runs.default_sampling(project),
        temperature=project.suggestion_temperature,
        top_p=project.suggestion_top_p,
        max_new_tokens=project.suggestion_max_new_tokens,
    )


def take(dialogue: Dialogue, completion: Completion, *, by: User) -> None:
    """Put a suggestion into the composer, where it can be edited and added. Raises WritingError."""
    assert completion.run is not None
    if screenings.is_blocked_answer(completion):
        raise WritingError(_("The filter blocked this suggestion, so it cannot be taken."))
    save_composer(
        dialogue,
        role=completion.run.as_role,
        content=completion.content,
        completion=completion.pk,
        version=dialogue.version,
        by=by,
    )


def stop_runs(dialogue: Dialogue, *, by: User) -> None:
    """Cancel the runs for this dialogue's next message, since nobody waits for them any more."""
    for run in SamplingRun.objects.filter(dialogue=dialogue, replaces=None, state__in=sampling_runs.UNDER_WAY):
        sampling_runs.cancel(run, by=by)


def note_none_fits(run: SamplingRun, *, by: User) -> None:
    """Record that none of these suggestions was of use, as a judgement of the policy. Repeating it adds nothing."""
    if not none_fitted(run):
        AuditEvent.note(_NONE_FITS, run, by=by)


def none_fitted(run: SamplingRun) -> bool:
    return AuditEvent.objects.filter(
        subject_type=SamplingRun._meta.model_name, subject_id=str(run.pk), verb=_NONE_FITS
    ).exists()
