"""Formats of ranking projects and of rated lists: UltraFeedback, Label Studio, Argilla, each in small."""

from pathlib import Path
from typing import Any

import pytest

from labeling.imports import detect
from labeling.imports.importer import read_records
from labeling.imports.reader import EntryReader, Refusal
from records import Ranking
from tests.labeling.imports.files import assistant, user, write_lines


def read(tmp_path: Path, value: Any, *, kind: Any = "rankings") -> tuple[str, list[Any], list[str]]:
    path = write_lines(tmp_path / "file.jsonl", [value])
    known = detect(path, kind=kind)
    reads = list(read_records(EntryReader(path), known, kind))
    records = [record for one in reads if not isinstance(one, Refusal) for record in one.records]
    return known.name, records, [one.reason for one in reads if isinstance(one, Refusal)]


def preference(ranking: Ranking) -> list[set[str]]:
    contents = {completion.id: completion.content for completion in ranking.completions}
    return [{contents[name] for name in tier} for tier in ranking.tiers]


# Rated lists


def ultrafeedback(*ratings: Any, **scores: Any) -> dict[str, Any]:
    return {
        "source": "evol",
        "instruction": "Why?",
        "completions": [
            {
                "model": f"model-{index}",
                "response": f"Answer {index}.",
                "annotations": {
                    aspect: {"Rating": str(given), "Rationale": "…"}
                    for aspect, given in (("honesty", one), ("truth", one))
                },
                **{name: values[index] for name, values in scores.items()},
            }
            for index, one in enumerate(ratings)
        ],
    }


def test_ratings_become_tiers_and_ties_are_kept(tmp_path: Path) -> None:
    name, (ranking,), _ = read(tmp_path, ultrafeedback(3, 5, 3, 1))
    assert name == "rated"
    assert preference(ranking) == [{"Answer 1."}, {"Answer 0.", "Answer 2."}, {"Answer 3."}]
    assert [completion.policy for completion in ranking.completions] == [f"model-{index}" for index in range(4)]
    assert (ranking.messages[0].content, ranking.source) == ("Why?", "evol")


def test_the_mean_of_the_aspects_counts_before_the_overall_score(tmp_path: Path) -> None:
    _, (ranking,), _ = read(tmp_path, ultrafeedback(2, 4, overall_score=[10, 1]))
    assert preference(ranking) == [{"Answer 1."}, {"Answer 0."}]
    value = ultrafeedback("N/A", "N/A", overall_score=[7, 1])
    assert preference(read(tmp_path, value)[1][0]) == [{"Answer 0."}, {"Answer 1."}]
    value = ultrafeedback(2, 4, **{"fine-grained_score": [5.0, 4.0]})
    assert preference(read(tmp_path, value)[1][0]) == [{"Answer 0."}, {"Answer 1."}]


def test_an_unrated_answer_is_left_out_and_one_alone_is_no_ranking(tmp_path: Path) -> None:
    _, (ranking,), _ = read(tmp_path, ultrafeedback(1, "N/A", 2))
    assert preference(ranking) == [{"Answer 2."}, {"Answer 0."}]
    assert read(tmp_path, ultrafeedback(1, "N/A")) == ("rated", [], [])


@pytest.mark.parametrize(
    "value",
    [
        {"prompt": "Q", "responses": ["A", "B", "C"], "scores": [1, 2.5, 1]},
        {"prompt": [user("Q")], "completions": ["A", "B", "C"], "tiers": [1, 0, 1]},
        {
            "prompt": "Q",
            "responses": [{"text": "A", "score": 0}, {"text": "B", "score": "3"}, {"text": "C", "rating": 0}],
        },
    ],
)
def test_lists_with_their_numbers_inside_or_beside(tmp_path: Path, value: Any) -> None:
    name, (ranking,), _ = read(tmp_path, value)
    assert (name, preference(ranking)) == ("rated", [{"B"}, {"A", "C"}])


def test_a_rated_list_as_a_dialogue_is_its_best_answer(tmp_path: Path) -> None:
    _, (demonstration,), _ = read(tmp_path, ultrafeedback(3, 5), kind="dialogues")
    assert [message.content for message in demonstration.messages] == ["Why?", "Answer 1."]


# Label Studio


def task(**result: Any) -> dict[str, Any]:
    answers = [{"id": f"a{index}", "title": f"Answer {index}", "body": f"Text {index}."} for index in range(3)]
    annotation = {
        "id": 7,
        "completed_by": 4,
        "lead_time": 12.5,
        "was_cancelled": False,
        "result": [
            {"type": "textarea", "from_name": "why", "value": {"text": ["…"]}},
            {"type": "ranker", "from_name": "rank", "to_name": "answers", "value": {"ranker": result}},
        ],
    }
    return {"id": 1, "data": {"prompt": "Why?", "answers": answers}, "annotations": [annotation]}


def test_a_ranker_gives_its_order(tmp_path: Path) -> None:
    name, (ranking,), _ = read(tmp_path, task(rank=["a2", "a0", "a1"]))
    assert name == "label-studio"
    assert preference(ranking) == [{"Text 2."}, {"Text 0."}, {"Text 1."}]
    assert (ranking.messages[0].content, ranking.trainer, ranking.seconds) == ("Why?", "4", 12.5)


def test_every_annotation_that_was_not_skipped_is_a_ranking(tmp_path: Path) -> None:
    value = task(rank=["a2", "a0", "a1"])
    second = {**value["annotations"][0], "completed_by": {"id": 5, "email": "x@example.org"}}
    skipped = {**value["annotations"][0], "was_cancelled": True}
    empty = {**value["annotations"][0], "result": []}
    _, rankings, _ = read(tmp_path, {**value, "annotations": [*value["annotations"], second, skipped, empty]})
    assert [ranking.trainer for ranking in rankings] == ["4", "5"]


def test_buckets_count_where_their_names_say_which_is_better(tmp_path: Path) -> None:
    _, (ranking,), _ = read(tmp_path, task(tier_2=["a0"], tier_1=["a2", "a1"], _=[]))
    assert preference(ranking) == [{"Text 1.", "Text 2."}, {"Text 0."}]
    _, (tied,), _ = read(tmp_path, task(bad2=["a0", "a1"]))
    assert preference(tied) == [{"Text 0.", "Text 1."}]
    _, _, refused = read(tmp_path, task(good=["a0"], bad=["a2", "a1"]))
    assert "the file does not say which bucket is better" in refused[0]


def test_a_pair_has_a_side_that_was_chosen(tmp_path: Path) -> None:
    value = task()
    value["data"] = {"prompt": "Why?", "answer1": "Left.", "answer2": "Right."}
    value["annotations"][0]["result"] = [
        {"type": "pairwise", "to_name": "answer1,answer2", "value": {"selected": "right"}}
    ]
    _, (ranking,), _ = read(tmp_path, value)
    assert preference(ranking) == [{"Right."}, {"Left."}]


def test_the_flat_form_gives_the_same(tmp_path: Path) -> None:
    whole = task(rank=["a2", "a0", "a1"])
    flat = {**whole["data"], "id": 1, "rank": {"rank": ["a2", "a0", "a1"]}, "annotator": 4, "annotation_id": 7}
    name, (ranking,), _ = read(tmp_path, {**flat, "lead_time": 12.5})
    assert name == "label-studio"
    assert ranking == read(tmp_path, whole)[1][0]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (task(rank=["a2", "a0", "zz"]), "has no order of its answers"),
        (task(rank=["a2", "a2"]), "orders 'a2', which is none of its answers"),
        (task(rank=["a2"]), "orders 1 answers"),
        ({**task(rank=["a0", "a1"]), "data": {"prompt": "Why?"}}, "has no list of answers"),
        ({**task(rank=["a0", "a1"]), "data": "x"}, '"data" must be an object'),
        ({**task(rank=["a0", "a1"]), "annotations": ["x"]}, '"annotations" must hold objects'),
    ],
)
def test_a_task_that_makes_no_sense_is_refused(tmp_path: Path, value: Any, reason: str) -> None:
    _, records, refused = read(tmp_path, value)
    assert records == []
    assert reason in refused[0]


# Argilla

FIELDS = {"prompt": "Why?", "response-1": "One.", "response-2": "Two.", "response-3": "Three."}
RANKS = [{"value": "response-2", "rank": 1}, {"value": "response-1", "rank": 3}, {"value": "response-3", "rank": 3}]
DONE = {"status": "submitted"}
TIED = [{"Two."}, {"One.", "Three."}]
ARGILLA: list[tuple[Any, list[set[str]]]] = [
    ({"fields": FIELDS, "responses": [{"user_id": "u-1", "values": {"order": {"value": RANKS}}, **DONE}]}, TIED),
    ({"fields": FIELDS, "responses": {"order": [{"user_id": "u-1", "value": RANKS}], "why": [{"value": "x"}]}}, TIED),
    (
        {"fields": FIELDS, "responses": {"order": [{"user_id": "u-1", "value": ["response-3", "response-1"]}]}},
        [{"Three."}, {"One."}],
    ),
    (
        {**FIELDS, "order.responses": [["response-2", "response-1"]], "order.responses.users": ["u-1"]},
        [{"Two."}, {"One."}],
    ),
    (
        {
            **FIELDS,
            "order": [{"user_id": "u-1", "value": {"rank": [2, 1], "value": ["response-1", "response-2"]}, **DONE}],
        },
        [{"Two."}, {"One."}],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), ARGILLA)
def test_every_form_of_a_record_gives_its_order(tmp_path: Path, value: Any, expected: list[set[str]]) -> None:
    name, (ranking,), refused = read(tmp_path, value)
    assert (name, refused) == ("argilla", [])
    assert preference(ranking) == expected
    assert (ranking.trainer, ranking.messages[0].content) == ("u-1", "Why?")


def test_only_what_was_submitted_counts(tmp_path: Path) -> None:
    answers = [
        {"user_id": name, "values": {"order": {"value": RANKS}}, "status": status}
        for name, status in (("a", "draft"), ("b", "submitted"), ("c", "discarded"))
    ]
    _, rankings, _ = read(tmp_path, {"fields": FIELDS, "responses": answers})
    assert [ranking.trainer for ranking in rankings] == ["b"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"fields": FIELDS, "responses": {"o": [{"value": ["response-9", "response-1"]}]}}, "none of its fields"),
        ({"fields": FIELDS, "responses": {"o": [{"value": ["response-1"]}]}}, "orders 1 answers"),
        ({"fields": {"a": "x", "b": "y"}, "responses": {"o": [{"value": ["a", "b"]}]}}, "has no prompt"),
        (
            {"fields": {**FIELDS, "response-1": "Two."}, "responses": {"o": [{"value": ["response-1", "response-2"]}]}},
            "has the same answer twice",
        ),
        (
            {"fields": FIELDS, "responses": {"o": [{"value": [{"value": "response-1", "rank": "x"}]}]}},
            "must be a number",
        ),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(tmp_path: Path, value: Any, reason: str) -> None:
    _, records, refused = read(tmp_path, value)
    assert records == []
    assert reason in refused[0]


def test_messages_are_prompts_too(tmp_path: Path) -> None:
    value = {"prompt": [user("Hi"), assistant("Hello."), user("Why?")], "responses": ["A", "B"], "scores": [2, 1]}
    _, (ranking,), _ = read(tmp_path, value)
    assert [message.content for message in ranking.messages] == ["Hi", "Hello.", "Why?"]
