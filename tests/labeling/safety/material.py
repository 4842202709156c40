"""Screenings as a filter's workers leave them, and what people say of them: material for tests."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from labeling.models import (
    Completion,
    Dialogue,
    DrawnText,
    Filter,
    Label,
    Message,
    Project,
    SamplingRun,
    Screening,
    User,
    Withheld,
)
from labeling.models.content_hash import text_sha256
from labeling.models.safety.categories import CATEGORIES
from labeling.models.safety.labels import NO
from tests.labeling.factories import make_chat, make_run

SAID, ANSWERED = Screening.Side.SAID, Screening.Side.ANSWERED


def make_screening(
    *,
    project: Project,
    person: User | None = None,
    text: str = "They walked on.",
    withheld: str = "",
    side: str = ANSWERED,
    probabilities: dict[str, float] | None = None,
    verdict: str = "block",
    category: str = "V",
    days_ago: float = 0.01,
    **fields: Any,
) -> Screening:
    """One text of a chat of this person's, and what the filter in force made of it. `text` is what was shown."""
    chat = make_chat(project=project, author=person, num_turns=1)
    is_said = side == SAID
    state = SamplingRun.State.BLOCKED if is_said and verdict == "block" else SamplingRun.State.DONE
    run = make_run(project=project, requested_by=person, dialogue=chat, state=state, purpose="chat")
    message = chat.messages.get(role="user" if is_said else "assistant")
    completion = None
    if not is_said:
        completion = Completion.objects.create(run=run, index=0, content=text, policy=project.policy)
    Message.objects.filter(id=message.id).update(content=text, completion=completion)
    made = Screening.objects.create(
        project=project,
        filter=fields.pop("filter", None) or Filter.objects.in_force(),
        run=run,
        message=message if is_said else None,
        completion=completion,
        side=side,
        text_sha256=text_sha256(text + withheld),
        probabilities=dict.fromkeys(CATEGORIES, 0.01) | (probabilities or {category: 0.9}),
        verdict=verdict,
        category=category if verdict in ("warn", "block") else "",
        **{"acted": verdict in ("warn", "block"), "milliseconds": 12.0, **fields},
    )
    if withheld:
        Withheld.objects.create(screening=made, content=withheld)
    Screening.objects.filter(id=made.id).update(created_at=timezone.now() - timedelta(days=days_ago))
    return again(made)


def again(screening: Screening) -> Screening:
    """The row as a request finds it, nothing of it remembered."""
    return Screening.objects.get(id=screening.id)


def make_stream(*, project: Project, probabilities: list[dict[str, float]], days_ago: float = 1) -> list[Screening]:
    """Many texts that passed, at once: one completion each, of one run and nobody's dialogue."""
    run = make_run(project=project, state="done", purpose="comparison")
    completions = Completion.objects.bulk_create(
        Completion(run=run, index=number, content=f"Text {number}.", policy=project.policy)
        for number in range(len(probabilities))
    )
    in_force = Filter.objects.in_force()
    made = Screening.objects.bulk_create(
        Screening(
            project=project, filter=in_force, run=run, completion=completion, side=ANSWERED, verdict="pass",
            text_sha256=text_sha256(completion.content), probabilities=dict.fromkeys(CATEGORIES, 0.01) | found,
        )
        for completion, found in zip(completions, probabilities, strict=True)
    )  # fmt: skip
    Screening.objects.filter(run=run).update(created_at=timezone.now() - timedelta(days=days_ago))
    return made


def make_drawn(*, screening: Screening, came_by: str = "random", inclusion: float | None = 0.5) -> DrawnText:
    by_lot = came_by in ("random", "near")
    return DrawnText.objects.create(
        project_id=screening.project_id,
        screening=screening,
        text_sha256=text_sha256(screening.whole_text),
        came_by=came_by,
        inclusion=inclusion if by_lot else None,
        frame_until=timezone.now() if by_lot else None,
    )


def settle(drawn: DrawnText, *, num: int = 2, **answers: str) -> DrawnText:
    """As if so many people had labelled it alike: no, but for what `answers` says."""
    Label.objects.bulk_create(
        Label(project_id=drawn.project_id, drawn=drawn, answers=dict.fromkeys(CATEGORIES, NO) | answers)
        for _ in range(num)
    )
    drawn.num_labels = num
    drawn.save(update_fields=["num_labels"])
    return drawn


def chat_of(screening: Screening) -> Dialogue:
    assert screening.run is not None
    assert screening.run.dialogue is not None
    return screening.run.dialogue
