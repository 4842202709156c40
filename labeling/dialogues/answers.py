"""The answers' way back into dialogues: what a policy wrote stands in its place though nobody watches.

A chat's lone answer goes to the end; one that was sampled anew goes where the old one stood, and the next that
is marked is asked for. Locks are taken in this order: dialogue, run, comparison. How a run ends is
labeling.sampling.runs, which knows nothing of dialogues' texts.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import Q

from labeling.dialogues.editing import add_policy_message, replace_message
from labeling.dialogues.rules import WritingError
from labeling.models import Dialogue, Message, SamplingRun, User
from labeling.sampling import runs
from records import SampleResult

Purpose = SamplingRun.Purpose
State = SamplingRun.State


def record_completions(result: SampleResult) -> bool:
    """Keep what a worker sampled, once, and place what answers a dialogue, in one transaction.

    Returns False for what is dropped: another attempt's, or a second copy.
    """
    with transaction.atomic(durable=True):
        _lock_dialogue_of(result.run_id)
        run = runs.record(result)
        if run is not None and run.state in (State.DONE, State.CANCELLED):
            _place(run)
    return run is not None


def regenerate_next(dialogue: Dialogue, *, after: int, by: User | None) -> SamplingRun | None:
    """Ask for the next answer after this position that is marked for a second look; None where there is none.

    It is sampled as answers in a chat are, so that whatever counts as wholly a policy's was drawn alike.
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
    """Lock the dialogue that an answer goes into. Before the run: who writes on in it stops its runs after it."""
    goes_in = Q(sampling_runs__purpose=Purpose.CHAT) | Q(sampling_runs__replaces__isnull=False)
    Dialogue.objects.select_for_update(of=("self",)).filter(goes_in, sampling_runs=UUID(str(run_id))).first()


def _place(run: SamplingRun) -> None:
    """Put a kept answer where it belongs. What was stopped half-way replaces nothing."""
    if run.replaces is not None and run.state == State.DONE:
        _place_anew(run, run.replaces)
    elif run.purpose == Purpose.CHAT and run.num_completions == 1:
        _place_reply(run)


def _place_reply(run: SamplingRun) -> None:
    """Put a chat's only answer into its dialogue, so that a closed tab loses nothing."""
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
        return  # the dialogue has moved on meanwhile; the completion stays with its run


def _place_anew(run: SamplingRun, replaced: Message) -> None:
    """Put an answer in the place of the one before it, and go on to the next that is marked."""
    try:
        with transaction.atomic():
            replace_message(replaced, run.completions.select_related("run").get())
        regenerate_next(replaced.dialogue, after=replaced.position, by=run.requested_by)
    except (WritingError, runs.SamplingError):
        return  # the dialogue has moved on, or nobody answers any more; what stands there stays, marked
