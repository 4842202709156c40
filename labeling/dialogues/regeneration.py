"""Regeneration: after an earlier message was edited, the marked answers are sampled again, one after the other.

Each new answer is sampled from the dialogue as it is by then. It stays marked for a second look, and the old text is
kept, until the author decides. While the sampler is slow, or where it fails, the old text stays in place.
"""

from collections.abc import Sequence
from typing import Literal

from django.db import transaction
from django.db.models import QuerySet

from labeling.dialogues import answers
from labeling.dialogues.editing import edit_message
from labeling.models import Dialogue, Message, SamplingRun, User
from labeling.sampling import runs as sampling_runs

# With a reason in `error`; a run that is done has one where the filter blocked what it sampled.
_WITHOUT_ANSWER = (SamplingRun.State.FAILED, SamplingRun.State.BLOCKED, SamplingRun.State.DONE)

RegenerationState = Literal["writing", "waiting", "failed", "written", ""]


def edit_and_regenerate(message: Message, *, content: str, by: User, seen: str | None = None) -> str:
    """Edit a message and regenerate the answers after it. Returns why that is impossible, or an empty string.

    The edit is saved and later messages are marked, whether or not the policy can answer.
    """
    with transaction.atomic():
        edit_message(message, content=content, by=by, later="mark", seen=seen)
    return regenerate_from(message.dialogue, after=message.position, by=by)


def regenerate_from(dialogue: Dialogue, *, after: int, by: User) -> str:
    """Regenerate the marked answers after this position. Returns why that is impossible, or an empty string."""
    stop_regenerating(dialogue, by=by)
    try:
        answers.regenerate_next(dialogue, after=after, by=by)
    except sampling_runs.SamplingError as error:
        return str(error)
    return ""


def stop_regenerating(dialogue: Dialogue, *, by: User) -> None:
    """Cancel the runs that regenerate. The old texts stay, marked."""
    for run in _runs(dialogue).filter(state__in=sampling_runs.UNDER_WAY):
        sampling_runs.cancel(run, by=by)


def annotate_regeneration(dialogue: Dialogue, thread: Sequence[Message]) -> None:
    """Set `regeneration_state` and `run`, the newest run that replaces it, on each marked message of the thread."""
    marked = [message for message in thread if message.needs_second_look]
    if not marked:
        return
    runs = {run.replaces_id: run for run in _runs(dialogue).select_related("policy").order_by("created_at")}
    under_way = [run.position for run in runs.values() if run.state in sampling_runs.UNDER_WAY]
    first = min((position for position in under_way if position is not None), default=None)
    for message in marked:
        run = runs.get(message.pk)
        message.run = run  # type: ignore[attr-defined]
        message.regeneration_state = _state_of(message, run, first)  # type: ignore[attr-defined]


def _state_of(message: Message, run: SamplingRun | None, first: int | None) -> RegenerationState:
    if run is not None and run.state in sampling_runs.UNDER_WAY:
        return "writing"
    if message.role == Message.Role.ASSISTANT and first is not None and message.position > first:
        return "waiting"
    if message.before is not None:
        return "written"
    return "failed" if run is not None and run.error and run.state in _WITHOUT_ANSWER else ""


def _runs(dialogue: Dialogue) -> QuerySet[SamplingRun]:
    return SamplingRun.objects.filter(dialogue=dialogue, replaces__isnull=False)
