"""Answers sampled anew after an earlier message changed: one after the other, each in its place.

Each answers the dialogue as it stands by then. Until its author has decided, a new answer is marked for a
second look and the text before it is kept. Where the sampler fails or is slow, the old text simply stays.
"""

from collections.abc import Sequence
from typing import Literal

from django.db import transaction
from django.db.models import QuerySet

from labeling.dialogues import answers
from labeling.dialogues.editing import edit_message
from labeling.models import Dialogue, Message, SamplingRun, User
from labeling.sampling import runs as sampling_runs

Standing = Literal["writing", "waiting", "failed", "written", ""]


def edit_and_regenerate(message: Message, *, content: str, by: User, seen: str | None = None) -> str:
    """Change a message and have the policy answer anew after it; returns why it cannot, or nothing.

    The change is kept and what follows is marked, whether the policy can answer or not.
    """
    with transaction.atomic():
        edit_message(message, content=content, by=by, later="mark", seen=seen)
    return regenerate_from(message.dialogue, after=message.position, by=by)


def regenerate_from(dialogue: Dialogue, *, after: int, by: User) -> str:
    """Have the marked answers after this position sampled anew; returns why that cannot be, or nothing."""
    stop_regenerating(dialogue, by=by)
    try:
        answers.regenerate_next(dialogue, after=after, by=by)
    except sampling_runs.SamplingError as error:
        return str(error)
    return ""


def stop_regenerating(dialogue: Dialogue, *, by: User) -> None:
    """Ask for no more: what stands there stays, marked."""
    for run in _runs(dialogue).filter(state__in=sampling_runs.UNDER_WAY):
        sampling_runs.cancel(run, by=by)


def note_standings(dialogue: Dialogue, thread: Sequence[Message]) -> None:
    """Leave on each marked message how its regeneration stands, and the run that failed where one did."""
    marked = [message for message in thread if message.needs_second_look]
    if not marked:
        return
    runs = {run.replaces_id: run for run in _runs(dialogue).select_related("policy").order_by("created_at")}
    under_way = [run.position for run in runs.values() if run.state in sampling_runs.UNDER_WAY]
    first = min((position for position in under_way if position is not None), default=None)
    for message in marked:
        run = runs.get(message.pk)
        message.run = run  # type: ignore[attr-defined]
        message.standing = _standing(message, run, first)  # type: ignore[attr-defined]


def _standing(message: Message, run: SamplingRun | None, first: int | None) -> Standing:
    if run is not None and run.state in sampling_runs.UNDER_WAY:
        return "writing"
    if message.role == Message.Role.ASSISTANT and first is not None and message.position > first:
        return "waiting"
    if message.before is not None:
        return "written"
    failed = run is not None and run.state == SamplingRun.State.FAILED
    return "failed" if failed else ""


def _runs(dialogue: Dialogue) -> QuerySet[SamplingRun]:
    return SamplingRun.objects.filter(dialogue=dialogue, replaces__isnull=False)
