"""Visitors' chats: what is said, the answer of one model or of two side by side, and the choice between the two.

A choice is a ranking in a comparison of use PREVIEW, which stands in no queue and no figure. The chat's own words are
those of labeling.dialogues; limits are counted before anything is written.
"""

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.dialogues.editing import add_message, add_policy_message
from labeling.dialogues.rules import WritingError
from labeling.dialogues.suggestions import current_run, stop_runs
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Message, Preview, Ranking, SamplingRun, User
from labeling.models.content_hash import fingerprint
from labeling.preview import limits
from labeling.sampling import runs
from records.sides import drawn

SOURCE = "preview"


def begin(preview: Preview, *, content: str, with_two: bool, by: User) -> Dialogue:
    """Start a chat with its first message. Raises LimitReached, WritingError or SamplingError, and leaves nothing."""
    with transaction.atomic():
        dialogue = Dialogue.objects.create(project=preview.project, author=by, kind=Dialogue.Kind.VISITOR)
        say(preview, dialogue, content=content, with_two=with_two, by=by)
    return dialogue


def say(preview: Preview, dialogue: Dialogue, *, content: str, with_two: bool, by: User) -> None:
    """Add the visitor's message, and request the answer of the project's policy, or one of each of two."""
    with transaction.atomic():
        limits.require_room(preview, by, num_runs=2 if with_two else 1)
        add_message(dialogue, role=Message.Role.USER, content=content, by=by)
        _ask(preview, dialogue, with_two=with_two, by=by)


def ask_again(preview: Preview, dialogue: Dialogue, *, by: User) -> None:
    """Request another answer to the last message, where the one before failed or was stopped."""
    with transaction.atomic():
        limits.require_room(preview, by, num_runs=1)
        _ask(preview, dialogue, with_two=False, by=by)


def stop(dialogue: Dialogue, *, by: User) -> None:
    """Stop what is being sampled for this chat; of a single answer the text so far stays."""
    stop_runs(dialogue, by=by)


def choose(dialogue: Dialogue, completion: Completion, *, by: User) -> Message:
    """Go on with one of two answers. Choosing twice adds one message, and one ranking."""
    comparison = completion.comparison
    if comparison is None or comparison.use != Comparison.Use.PREVIEW:
        raise WritingError(_("There is nothing to choose here."))
    with transaction.atomic():
        message = add_policy_message(dialogue, completion)
        both = list(comparison.completions.all())
        if len({one.content for one in both}) == 2:
            _keep_choice(comparison, completion, both, by=by)
    return message


def answer_run(dialogue: Dialogue, thread: list[Message]) -> SamplingRun | None:
    """The run whose single answer is under way or did not come; None unless the last message is the visitor's."""
    if not thread or thread[-1].role != Message.Role.USER:
        return None
    run = current_run(dialogue, thread, purpose=SamplingRun.Purpose.CHAT)
    return run if run is not None and run.comparison_id is None else None


def two_runs(dialogue: Dialogue, thread: list[Message]) -> list[SamplingRun]:
    """The two runs that are to be chosen between, in the order that was drawn for the screen; empty if there are none.

    The draw is by the comparison's random id, so that it stays what it was on every look.
    """
    newest = current_run(dialogue, thread, purpose=SamplingRun.Purpose.CHAT)
    if newest is None or newest.comparison_id is None:
        return []
    pair = newest.comparison.sampling_runs.select_related("policy").order_by("created_at", "id")  # type: ignore[union-attr]
    return list(pair)[:: -1 if _is_turned(newest.comparison_id) else 1]


def _ask(preview: Preview, dialogue: Dialogue, *, with_two: bool, by: User) -> None:
    messages = list(dialogue.messages.order_by("position"))
    if not messages or messages[-1].role != Message.Role.USER:
        raise WritingError(_("Say something first."))
    stop_runs(dialogue, by=by)
    said = [one.plain for one in messages]
    policies = [preview.project.policy]
    comparison = None
    if with_two:
        if preview.second_policy is None:
            raise WritingError(_("There is only one model to try here."))
        policies.append(preview.second_policy)
        comparison = Comparison.objects.create(
            project=preview.project,
            round=preview.project.current_round,
            use=Comparison.Use.PREVIEW,
            messages=said,
            prompt_sha256=fingerprint(said),
            dialogue=dialogue,
            source=SOURCE,
            rankings_wanted=0,
        )
    asked = [
        runs.request_completions(
            preview.project,
            purpose=SamplingRun.Purpose.CHAT,
            messages=said,
            num_completions=1,
            by=by,
            policy=policy,
            dialogue=dialogue,
            position=len(messages),
            comparison=comparison,
            streams=True,
        )
        for policy in policies
    ]
    limits.count(preview, by, asked)


def _keep_choice(comparison: Comparison, chosen: Completion, both: list[Completion], *, by: User) -> None:
    key = uuid.uuid5(comparison.id, SOURCE)
    if Ranking.objects.filter(submission_key=key).exists():
        return
    order = sorted(both, key=lambda one: (one.run.created_at, one.run_id))  # type: ignore[union-attr]
    ids = [str(one.pk) for one in order][:: -1 if _is_turned(comparison.id) else 1]
    ranking = Ranking.objects.create(
        comparison=comparison,
        trainer=by,
        submission_key=key,
        tiers=[[str(chosen.pk)], [one for one in ids if one != str(chosen.pk)]],
        is_choice=True,
        shown_order=ids,
        layout=SOURCE,
    )
    comparison.state, comparison.num_rankings = Comparison.State.DONE, 1
    comparison.save(update_fields=["state", "num_rankings"])
    AuditEvent.note("choose answer", ranking, by=by, completion=str(chosen.pk))


def _is_turned(comparison_id: uuid.UUID) -> bool:
    return drawn(f"preview: {comparison_id}") % 2 == 1
