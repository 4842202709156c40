"""Chatting with the policy: what the trainer says, the answers that are asked for, and the one that is chosen.

A lone answer goes into the dialogue when it is there (labeling.dialogues.answers). Of several, the trainer
chooses one, and the choice is kept as a ranking: the chosen above each other, and nothing of the others among
themselves.
"""

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.dialogues.editing import add_message, add_policy_message, delete_from
from labeling.dialogues.rules import WritingError
from labeling.dialogues.suggestions import current_run, stop_runs
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Message, Ranking, SamplingRun, User
from labeling.models.content_hash import fingerprint
from labeling.sampling import runs

MOST_DRAFTS = 4
CHOICE_SOURCE = "chat choice"


def say(dialogue: Dialogue, *, content: str, num_drafts: int, by: User, seconds: float = 0.0) -> SamplingRun:
    """Put what the trainer says into the dialogue and ask for `num_drafts` answers to it."""
    with transaction.atomic():
        add_message(dialogue, role=Message.Role.USER, content=content, by=by, seconds=seconds)
        return ask_for_answers(dialogue, num_drafts=num_drafts, by=by)


def regenerate(dialogue: Dialogue, *, num_drafts: int, by: User) -> SamplingRun:
    """Other answers to the last thing said. The answer there is taken out; its completion stays on record."""
    with transaction.atomic():
        last = dialogue.messages.order_by("-position").first()
        if last is not None and last.role == Message.Role.ASSISTANT:
            last.dialogue = dialogue
            delete_from(last, by=by)
        return ask_for_answers(dialogue, num_drafts=num_drafts, by=by)


def ask_for_answers(dialogue: Dialogue, *, num_drafts: int, by: User) -> SamplingRun:
    """Ask the project's policy to answer the dialogue as it stands. Raises WritingError or SamplingError."""
    messages = list(dialogue.messages.order_by("position"))
    if not messages or messages[-1].role != Message.Role.USER:
        raise WritingError(_("Say something first; then the policy answers."))
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
    """Go on with this answer. Chosen from several, it is also a ranking; chosen twice, it is one message."""
    with transaction.atomic():
        message = add_policy_message(dialogue, completion)
        drafts = list(Completion.objects.filter(run_id=completion.run_id).order_by("index"))
        if len({draft.content for draft in drafts}) > 1:
            _keep_choice(dialogue, completion, drafts, by=by)
    return message


def answer_run(dialogue: Dialogue, messages: list[Message]) -> SamplingRun | None:
    """The run whose answers are awaited or wait to be chosen from, if the last word is the trainer's."""
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
