"""Whatever JSON stands where, a reader gives records that can be stored, or a refusal; never a traceback."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import models
from labeling.imports.detection import FORMATS
from labeling.imports.dialogues import store_dialogues_and_prompts
from labeling.imports.formats import chat
from labeling.imports.importer import read_records
from labeling.imports.rankings import store_rankings
from labeling.imports.reader import Entry, Refusal
from labeling.imports.thumbs import store_thumbs
from labeling.models import Project
from records import Demonstration, Prompt, Ranking, Thumb
from tests.labeling.imports.files import (
    assistant,
    hh_pair,
    oasst_message,
    oasst_tree,
    open_webui_feedback,
    ranking_record,
    user,
)

Path = tuple[str | int, ...]
MESSAGE_KEYS = ("role", "content", "text", "sender", "message_id", "rank", "messages")
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-2, 10**12)
    | st.sampled_from([10**400, 2**64, -(2**31), 1e308, -1e308, "9" * 400, "1e999"])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "user", "assistant", "a", "rank", "2026-01-01", "0001-01-01T00:00:00+14:00"])
)
JUNK = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*MESSAGE_KEYS, "value", "user_id", "status", "score", "result", "type", "ranker", "annotations", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
KEYS = sorted(
    {"message_tree_id", "message_id", "parent_id", "text", "role", "replies", "id", "comparison_id", "tiers"}
    | {"messages", "conversations", "instruction", "output", "instances", "response", "context", "turns", "prompt"}
    | {"chosen", "rejected", "completion", "completions", "category", "trainer", "seconds", "ratings", "shown_order"}
    | {"fields", "responses", "data", "annotations", "lead_time", "rank", "rank.responses", "scores", "source"}
    | {"input", "preferred_output", "non_preferred_output", "system", "question", "history", "label", "feedback"}
    | {
        "winner",
        "preference",
        "margin",
        "score_chosen",
        "score_rejected",
        "response_a",
        "response_b",
        "model_a",
        "tstamp",
    }
    | {"response_0", "response_1", "better_response_id", "conversation_a", "conversation_b", "overall_preference"}
    | {"human_ref_A", "human_ref_B", "labels", "score", "helpfulness", "answers", "answer", "chat", "from", "ancestors"}
)
FIELDS = {"prompt": "Q", "r-1": "A", "r-2": "B"}
RANKS = [{"value": "r-1", "rank": 1}, {"value": "r-2", "rank": 2}]
FLAT = {"message_tree_id": "t", "parent_id": None}
SHAPES: list[dict[str, Any]] = [
    ranking_record(
        num_completions=2,
        ratings=[{"completion_id": "k-0-0", "overall": 5, "flags": {"rude": True}, "note": "n"}],
        shown_order=["k-0-0", "k-0-1"],
        trainer="t",
        seconds=1.5,
        ranked_at="2026-01-01T00:00:00Z",
        topic="x",
        source="s",
    ),
    ranking_record(
        completions=[
            {
                "id": name,
                "content": name,
                "policy": "p",
                "sampling": {"temperature": 0.5, "top_p": 0.5, "top_k": 1, "max_new_tokens": 9, "seed": 1},
                "finish_reason": "stop",
                "num_tokens": 3,
                "logprob": -1.5,
            }
            for name in ("a", "b")
        ],
        tiers=[],
        abstained="unclear",
    ),
    {"id": "d", "messages": [user("Q"), {**assistant("A"), "policy": "p", "authorship": "typed"}], "topic": "x"},
    oasst_tree(*(oasst_message(f"a{rank}", "assistant", rank=rank, synthetic=True, model_name="m") for rank in (0, 1))),
    {**oasst_message("root", "prompter"), **FLAT},
    hh_pair() | {"system": "S"},
    {"system": "S", "instruction": "Q", "input": "I", "chosen": "A", "rejected": "B"},
    {"prompt": [user("Q")], "chosen": [assistant("A")], "rejected": [assistant("B")]},
    {"question": "Q", "chosen": [user("Q"), assistant("A")], "rejected": [user("Q"), assistant("B")]},
    {"chosen": '{"messages": [null]}', "rejected": "[1]"},
    {
        "input": {"messages": [user("Q")]},
        "preferred_output": [assistant("A")],
        "non_preferred_output": [assistant("B")],
    },
    {
        "data": {"prompt": "Q", "items": [{"id": "a", "body": "A"}, {"id": "b", "body": "B"}]},
        "annotations": [
            {
                "completed_by": {"id": 5},
                "lead_time": 1.5,
                "result": [{"type": "ranker", "value": {"ranker": {"rank": ["a", "b"]}}}],
            }
        ],
    },
    {
        "data": {"prompt": "Q", "left": "A", "right": "B"},
        "annotations": [
            {"result": [{"type": "pairwise", "to_name": "left,right", "value": {"selected": "left"}}]},
        ],
    },
    {
        "annotation_id": 1,
        "lead_time": 2,
        "prompt": "Q",
        "items": [{"id": 1, "text": "A"}, {"id": 2, "html": "B"}],
        "rank": {"tier_1": [1], "tier_2": [2]},
    },
    {"fields": FIELDS, "responses": [{"user_id": "u", "values": {"q": {"value": RANKS}}, "status": "submitted"}]},
    {"fields": FIELDS, "responses": {"q": [{"user_id": "u", "value": {"rank": [1, 2], "value": ["r-1", "r-2"]}}]}},
    {**FIELDS, "q.responses": [["r-1", "r-2"]], "q.responses.users": ["u"], "q.responses.status": ["submitted"]},
    {**FIELDS, "q": [{"user_id": "u", "value": RANKS, "status": "submitted"}]},
    {
        "instruction": "Q",
        "source": "s",
        "completions": [
            {"response": "A", "model": "m", "annotations": {"h": {"Rating": "1"}}},
            {"response": "B", "fine-grained_score": 2.5, "overall_score": 3},
        ],
    },
    {"prompt": [user("Q")], "responses": ["A", "B"], "scores": [1, 2]},
    {"query": "Q", "answers": ["A", {"text": "B"}], "tiers": [0, 1]},
    {"prompt": "Q", "candidates": [{"text": "A", "score": 1}, {"output": "B", "rating": "2"}]},
    {"messages": [[{"text": "Q", "sender": "a"}], [{"text": "A", "sender": "b"}]]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "Q"}]}, {**assistant("A"), "weight": 1}]},
    {"text": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n", "label": True},
    {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A", "feedback": {"rating": 1}}]},
    {"instruction": "Q", "input": "I", "output": "A", "rating": [5]},
    {"instruction": "Q", "instances": [{"input": "I", "output": "A"}]},
    {"instruction": "Q", "context": "C", "response": "A", "metadata": {"annotations": [{"rating": 1}]}},
    {"prompt": [user("Q")], "completion": [assistant("A")], "label": True},
    {"prompt": "Q", "completion": "A"},
    {"messages": [user("Q"), assistant("A")], "rating": -1, "model": "m", "reason": "r", "comment": "c"},
    {
        "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}],
        "kto_tag": False,
        "system": "S",
    },
    open_webui_feedback(),
    {
        "id": "t",
        "messages": [user("Q")],
        "completion": {"id": "t", "content": "A", "policy": "p", "sampling": {"seed": 1}},
        "up": False,
        "reason": "r",
        "trainer": "t",
        "given_at": "2026-01-01T00:00:00Z",
    },
    {"turns": ["Q", "R"], "category": "x"},
    {"question": "Q", "context": "C", "answer": "A", "history": [["P", "R"]]},
    {"messages": [user("Q")], "chosen": assistant("A"), "rejected": {"from": "gpt", "value": "B"}, "margin": 0.5},
    {"prompt": "Q", "response_a": "A", "response_b": "B", "winner": "model_a", "model_a": "m", "score_a": 1},
    {"prompt": '["Q"]', "response_a": '["A"]', "response_b": '["B"]', "winner_model_a": 1, "tstamp": 1e9},
    {"model_a": "m", "winner": "tie (bothbad)", "judge": "j", "conversation_a": [user("Q"), assistant("A")]}
    | {"conversation_b": [user("Q"), assistant("B")]},
    {"prompt": "Q", "response_0": "A", "response_1": "B", "is_response_0_safe": True, "better_response_id": 0},
    {"context": [user("Q")], "response1": "A", "response2": "B", "overall_preference": -1},
    {"history": "Q", "human_ref_A": "A", "human_ref_B": "B", "labels": 1},
    {"question": {"full_text": "Q"}, "answer_0": "A", "answer_1": "B", "score_0": 1, "score_1": -1},
    {"text": ["## Human:\nQ\n\n## Assistant:\nA", "## Human:\nQ\n\n## Assistant:\nB"], "score": [0, 1]},
    {"prompt": "P\n<extra_id_1>Assistant\nR\n<extra_id_1>User\nQ", "response": "A", "helpfulness": 1},
    {"prompt": "Q", "answers": [{"answer": "A", "model": "m", "rank": 1}, {"answer": "B", "rank": 2}]},
    {"chat": {"history": {"messages": {"q": {**user("Q"), "parentId": None}}, "currentId": "q"}, "system": "S"}},
    {
        "messages": [
            {"from": "user", "content": "Q", "id": "q"},
            {"from": "assistant", "content": "A", "ancestors": ["q"]},
        ]
    },
]


@st.composite
def bent(draw: st.DrawFn) -> dict[str, Any]:
    """A row in the shape of some format, in which a few places hold, lack or are joined by anything whatever."""
    row = copy.deepcopy(draw(st.sampled_from(SHAPES)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(places_in(row))
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        inner: Any = row
        for step in way:
            inner = inner[step]
        act = draw(st.sampled_from(["replace", "nullify", "remove", "join"]))
        if act == "remove":
            del inner[last]
        elif act == "join" and isinstance(inner, list) and isinstance(last, int):
            inner.insert(last, draw(JUNK))
        else:
            inner[last] = None if act == "nullify" else draw(JUNK)
    return row


def places_in(value: Any, way: Path = ()) -> Iterator[Path]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield (*way, step)
        yield from places_in(inner, (*way, step))


def records_of(row: dict[str, Any]) -> list[Any]:
    """What every reader makes of the row, whichever format it is in."""
    found: list[Any] = []
    for known in FORMATS:
        for kind in ("dialogues", "rankings", "thumbs"):
            if getattr(known, kind) is not None:
                for one in read_records(iter([Entry(1, row)]), known, kind):  # type: ignore[arg-type]
                    if isinstance(one, Refusal):
                        assert one.reason
                        assert len(one.reason) < 1_000
                    else:
                        found += one.records
    return found


@pytest.mark.parametrize("row", SHAPES, ids=lambda row: ",".join(row))
def test_every_shape_is_one_that_some_reader_knows(row: dict[str, Any]) -> None:
    assert any(known.recognises(Entry(1, row)) for known in FORMATS)


@given(st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=8))
def test_no_value_whatever_breaks_a_format(value: dict[str, Any]) -> None:
    assert {type(record) for record in records_of(value)} <= {Demonstration, Prompt, Ranking, Thumb}


@given(bent())
@settings(max_examples=600)
def test_no_value_inside_a_known_shape_breaks_its_reader(row: dict[str, Any]) -> None:
    assert {type(record) for record in records_of(row)} <= {Demonstration, Prompt, Ranking, Thumb}


@pytest.mark.django_db
@given(bent())
@settings(max_examples=100)
def test_what_was_read_can_be_stored(row: dict[str, Any]) -> None:
    records = records_of(row)
    with transaction.atomic():  # and away again, so that no example meets the rows of another
        project = Project.objects.create(slug="any-shape", name="Any shape")
        num = store_rankings(project, [one for one in records if isinstance(one, Ranking)], source="file.jsonl")
        assert models.Ranking.objects.count() == num
        num = store_thumbs(project, [one for one in records if isinstance(one, Thumb)], source="file.jsonl", by=None)
        assert models.Thumb.objects.count() == num
        said = [one for one in records if not isinstance(one, Ranking | Thumb)]
        num = store_dialogues_and_prompts(project, said, source="file.jsonl", by=None)
        assert models.Dialogue.objects.count() + models.Prompt.objects.count() == num
        transaction.set_rollback(True)


def test_a_value_too_deep_to_be_shown_is_refused() -> None:
    deep: Any = []
    for _ in range(1_000):
        deep = [deep]
    for row in ({**SHAPES[4], "message_id": deep}, {**SHAPES[4], "role": deep}, {"messages": deep}):
        records_of(row)
    (refused,) = read_records(
        iter([Entry(1, {"messages": [{"role": deep, "content": "Q"}]})]), chat.FORMAT, "dialogues"
    )
    assert refused == Refusal(1, "nested too deeply")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Q", "scores": [None, 0], "responses": [None, None]},
        {"prompt": "Q", "scores": [1, 0], "responses": [3, ["A"]]},
        {"prompt": "Q", "tiers": [1, 0], "completions": [True, {"text": "A"}]},
    ],
)
def test_an_answer_that_is_neither_text_nor_object_is_refused_where_it_stands(row: dict[str, Any]) -> None:
    (known,) = (known for known in FORMATS if known.name == "rated")
    (refused,) = read_records(iter([Entry(1, row)]), known, "rankings")
    assert isinstance(refused, Refusal)
    assert "must be text or an object, not" in refused.reason
