"""Chatting with the policy: adding the trainer's message, requesting answers, choosing one of them.

A single answer is added to the dialogue when it arrives (labeling.dialogues.answers). Of several drafts the trainer
chooses one, and the choice is stored as a ranking: the chosen draft is better than each of the others, which are
not compared with each other.
"""

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.dialogues.editing import add_message, add_policy_message, delete_from
from labeling.dialogues.rules import WritingError, require_unblocked
from labeling.dialogues.suggestions import current_run, stop_runs
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Message, Ranking, SamplingRun, User
from labeling.models.content_hash import fingerprint
from labeling.sampling import runs, screenings

MOST_DRAFTS = 4
CHOICE_SOURCE = "chat choice"


def say(dialogue: Dialogue, *, content: str, num_drafts: int, by: User, seconds: float = 0.0) -> SamplingRun:
    """Add the trainer's message to the dialogue and request `num_drafts` answers to it."""
    with transaction.atomic():
        add_message(dialogue, role=Message.Role.USER, content=content, by=by, seconds=seconds)
        return ask_for_answers(dialogue, num_drafts=num_drafts, by=by)


def regenerate(dialogue: Dialogue, *, num_drafts: int, by: User) -> SamplingRun:
    """Request other answers to the last user message. The present answer is removed; its completion is kept."""
    with transaction.atomic():
        last = dialogue.messages.order_by("-position").first()
        if last is not None and last.role == Message.Role.ASSISTANT:
            last.dialogue = dialogue
            delete_from(last, by=by)
        return ask_for_answers(dialogue, num_drafts=num_drafts, by=by)


def ask_for_answers(dialogue: Dialogue, *, num_drafts: int, by: User) -> SamplingRun:
    """Request answers to the dialogue from the project's policy. Raises WritingError or SamplingError."""
    messages = list(dialogue.messages.order_by("position"))
    if not messages or messages[-1].role != Message.Role.USER:
        raise WritingError(_("Say something first; then the policy answers."))
    require_unblocked(messages)
    stop_runs(dialogue, by=by)
    return runs.request_completions(
        dialogue.project,
        purpose=SamplingRun.Purpose.CHAT,
        messages=[one.plain for one in messages],
        num_completions=max(1, min(num_drafts, MOST_DRAFTS)),
        by=by,
        dialogue=dialogue,
        position=len(messages),
        streams=True,
    )


def choose(dialogue: Dialogue, completion: Completion, *, by: User) -> Message:
    """Continue the dialogue with this answer. Choosing among different drafts also stores a ranking.

    Choosing the same answer twice adds one message. One of which the filter blocked the rest is no choice.
    """
    if screenings.is_blocked_answer(completion):
        raise WritingError(_("The filter blocked this answer, so it cannot be chosen."))
    with transaction.atomic():
        message = add_policy_message(dialogue, completion)
        drafts = list(
            Completion.objects.filter(run_id=completion.run_id)
            .exclude(finish_reason=screenings.FILTERED)
            .order_by("index")
        )
        if len({draft.content for draft in drafts}) > 1:
            _keep_choice(dialogue, completion, drafts, by=by)
    return message


def answer_run(dialogue: Dialogue, messages: list[Message]) -> SamplingRun | None:
    """The run whose answers are being sampled or wait to be chosen from; None unless the last message is the user's."""
    if not messages or messages[-1].role != Message.Role.USER:
        return None
    return current_run(dialogue, messages, purpose=SamplingRun.Purpose.CHAT)


def _keep_choice(dialogue: Dialogue, chosen: Completion, drafts: list[Completion], *, by: User) -> None:
    run = chosen.run
    assert run is not None
    key = uuid.uuid5(run.id, CHOICE_SOURCE)
    if Ranking.objects.filter(submission_key=key).exists():
        return
    comparison = Comparison.objects.create(
        project_id=dialogue.project_id,
        round=dialogue.project.current_round,
        state=Comparison.State.DONE,
        messages=run.messages,
        prompt_sha256=fingerprint(run.messages),
        dialogue=dialogue,
        topic=dialogue.topic,
        source=CHOICE_SOURCE,
        num_rankings=1,
    )
    Completion.objects.filter(pk__in=[draft.pk for draft in drafts]).update(comparison=comparison)
    best = [str(draft.pk) for draft in drafts if draft.content == chosen.content]
    others = [str(draft.pk) for draft in drafts if draft.content != chosen.content]
    ranking = Ranking.objects.create(
        comparison=comparison,
        trainer=by,
        submission_key=key,
        tiers=[best, others],
        is_choice=True,
        shown_order=[str(draft.pk) for draft in drafts],
        guideline_version=dialogue.project.guidelines,
        layout="chat",
    )
    AuditEvent.note("choose answer", ranking, by=by, completion=str(chosen.pk))
