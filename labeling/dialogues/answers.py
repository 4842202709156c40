"""Stores the completions of a sampling run and puts them into the dialogue that asked for them.

This happens on the server, whether or not the page is still open. The only answer of a chat turn is appended; a
regenerated answer replaces the old one, and the next marked answer is requested. Locks are taken in this order:
dialogue, run, comparison. labeling.sampling.runs ends the run and knows nothing of dialogues.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from labeling.dialogues.editing import add_policy_message, replace_message
from labeling.dialogues.rules import WritingError
from labeling.models import Dialogue, Message, SamplingRun, User
from labeling.sampling import runs, screenings
from records import SampleResult

Purpose = SamplingRun.Purpose
State = SamplingRun.State


def record_completions(result: SampleResult) -> bool:
    """Store what a worker sampled, and place it if it answers a dialogue, in one transaction.

    Returns False if the result is dropped: it belongs to another attempt, or was stored before.
    """
    with transaction.atomic(durable=True):
        _lock_dialogue_of(result.run_id)
        run = runs.record(result)
        if run is not None and run.state in (State.DONE, State.CANCELLED):
            _place(run)
    return run is not None


def regenerate_next(dialogue: Dialogue, *, after: int, by: User | None) -> SamplingRun | None:
    """Request a new answer in place of the next one after this position that is marked for a second look.

    Returns None if none is marked. It is sampled with the settings of a chat's answers, so that all messages whose
    authorship is "policy" are drawn from the same distribution.
    """
    messages = list(dialogue.messages.order_by("position"))
    marked = (one for one in messages[after + 1 :] if one.role == "assistant" and one.needs_second_look)
    found = next(marked, None)
    if found is None:
        return None
    return runs.request_completions(
        dialogue.project,
        purpose=Purpose.SUGGESTION,
        messages=[one.plain for one in messages[: found.position]],
        num_completions=1,
        by=by,
        dialogue=dialogue,
        position=found.position,
        replaces=found,
    )


def _lock_dialogue_of(run_id: str | UUID) -> None:
    """Lock the dialogue that the answer goes into, before the run is locked.

    A request that adds a message also locks the dialogue first and its runs after it; the opposite order here
    could deadlock with it.
    """
    goes_in = Q(sampling_runs__purpose=Purpose.CHAT) | Q(sampling_runs__replaces__isnull=False)
    Dialogue.objects.select_for_update(of=("self",)).filter(goes_in, sampling_runs=UUID(str(run_id))).first()


def _place(run: SamplingRun) -> None:
    """Put a stored answer into its dialogue. One that was stopped half-way replaces nothing, one to choose waits."""
    if run.replaces is not None and run.state == State.DONE:
        _place_regenerated(run, run.replaces)
    elif run.purpose == Purpose.CHAT and run.num_completions == 1 and run.comparison_id is None:
        _place_reply(run)


def _place_reply(run: SamplingRun) -> None:
    """Append a chat's only answer to its dialogue, so that a closed tab loses nothing."""
    if run.dialogue is None:
        return
    asked_again = SamplingRun.objects.filter(
        dialogue=run.dialogue, purpose=Purpose.CHAT, position=run.position, created_at__gt=run.created_at
    )
    if asked_again.exists():
        return
    try:
        with transaction.atomic():
            add_policy_message(run.dialogue, run.completions.select_related("run").get())
    except WritingError:
        return  # the dialogue has changed meanwhile; the completion stays with its run


def _place_regenerated(run: SamplingRun, replaced: Message) -> None:
    """Replace the old answer, and request the next marked one. One that the filter blocked replaces nothing."""
    completion = run.completions.select_related("run").get()
    if screenings.is_blocked_answer(completion):
        run.error = _("the content filter blocked the new answer.")
        run.save(update_fields=["error"])
        return
    try:
        with transaction.atomic():
            replace_message(replaced, completion)
        regenerate_next(replaced.dialogue, after=replaced.position, by=run.requested_by)
    except (WritingError, runs.SamplingError):
        return  # the dialogue has changed, or the project has no policy any more; the old text stays, marked
