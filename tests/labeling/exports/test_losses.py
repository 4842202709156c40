"""Every field of a record is in the lines of each format, or among what the format says it loses."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from labeling.exports.formats import FORMATS
from records import Completion, LabelledText, Message, Prompt, Ranking, Rating, SamplingParams, Thumb
from tests.labeling.exports.test_formats import DEMONSTRATION, ranking

FULL_MESSAGE = {"authorship": "taken", "policy": "p", "reasoning": "r"}
FULL_COMPLETION = {"policy": "p", "sampling": SamplingParams(), "finish_reason": "stop", "num_tokens": 3, "logprob": -1}
FULL_DEMONSTRATION = {"topic": "x", "trainer": "t", "guideline_version": 2, "source": "y"}
FULL_PROMPT = {"topic": "x", "source": "y"}
FULL_RANKING = {
    "unacceptable_from": 1, "choice": True, "shown_order": ("a", "b", "c"), "trainer_kind": "simulated", "seconds": 3.0,
    "ratings": (Rating(completion_id="a", overall=2, flags={"rude": True}, note="so"),), "round": 1,
    "adjudication": "taste", "note": "hard to say", "strengths": (2,), "ranked_at": "2026-01-01T00:00:00+00:00",
    **FULL_DEMONSTRATION,
}  # fmt: skip
FULL_THUMB = {
    "reason": "r", "trainer": "t", "trainer_kind": "imported", "given_at": "2026-01-01T00:00:00+00:00", **FULL_PROMPT,
}  # fmt: skip
THUMB_RECORD = Thumb(
    id="t",
    messages=(Message(role="user", content="Why?"),),
    completion=Completion(id="t", content="So."),
    up=True,
)
PROMPT_RECORD = Prompt(id="p", messages=(Message(role="user", content="Why?"),))
LABELLED_TEXT = LabelledText(id="l", text="They fight.", labels={"V": 1}, side="said", came_by="report")
FULL_LABELS = {"inclusion": 0.5, "num_labels": 2, "guideline_version": 2}
BARE: dict[str, tuple[Any, dict[str, Any]]] = {
    "rankings": (ranking("A", "B", "C", tiers=(("a",), ("b", "c"))), FULL_RANKING),
    "demonstrations": (DEMONSTRATION, FULL_DEMONSTRATION),
    "prompts": (PROMPT_RECORD, FULL_PROMPT),
    "thumbs": (THUMB_RECORD, FULL_THUMB),
    "labels": (LABELLED_TEXT, FULL_LABELS),
}


def with_one_more(record: Any, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The record again and again, each time with one more of its fields set, then with one of its parts'."""
    for name, value in values.items():
        yield name, replace(record, **{name: value})
    for name, of_part in (("messages", FULL_MESSAGE), ("completions", FULL_COMPLETION)):
        if parts := getattr(record, name, ()):
            for field, part in with_one_more(parts[0], of_part):
                yield f"{name}.{field}", replace(record, **{name: (part, *parts[1:])})
    if answer := getattr(record, "completion", None):
        for field, part in with_one_more(answer, FULL_COMPLETION):
            yield f"completion.{field}", replace(record, completion=part)


@pytest.mark.parametrize("output", FORMATS, ids=lambda output: f"{output.kind}-{output.name}")
def test_what_is_in_no_line_is_counted_as_lost(output: Any) -> None:
    record, values = BARE[output.kind]
    full = (
        (Ranking, FULL_RANKING),
        (Completion, FULL_COMPLETION),
        (Message, FULL_MESSAGE),
        (Thumb, FULL_THUMB),
        (LabelledText, FULL_LABELS),
    )
    for cls, known in full:
        optional = {field.name for field in fields(cls) if field.default is not MISSING}
        assert optional - set(known) <= {"split", "abstained"}, "the test knows every field"
    richer = dict(with_one_more(record, values))
    assert len(richer) >= len(values) + hasattr(record, "messages"), "messages have fields of their own"
    held = {name for name, one in richer.items() if list(output.lines(one)) != list(output.lines(record))}
    lost = {name for name, one in richer.items() if any(loss.count(one) > loss.count(record) for loss in output.losses)}
    assert held | lost == richer.keys()
