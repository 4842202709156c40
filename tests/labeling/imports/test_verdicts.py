"""Rows whose keys speak against their answer: none becomes a demonstration, each is refused with its key."""

from pathlib import Path
from typing import Any

import pytest

from labeling.imports import import_dialogues
from labeling.imports.detection import FORMATS
from labeling.imports.importer import read_records
from labeling.imports.reader import Entry, Refusal
from labeling.models import Dialogue, Project
from records import Demonstration
from tests.labeling.imports.files import assistant, hh_pair, user, write_lines

AGAINST: list[dict[str, Any]] = [
    {"label": False},
    {"label": "thumbs_down"},
    {"kto_tag": False},
    {"kto_label": "false"},
    {"is_desirable": 0},
    {"rating": -1},
    {"Rating": "-1"},
    {"score": 0},
    {"user_score": -0.5},
    {"reward": -3},
    {"stars": 0},
    {"rating": {"value": "bad"}},
    {"feedback": "Thumbs down"},
    {"feedback": [{"type": "negative"}]},
    {"userFeedback": "👎"},
    {"thumb": "down"},
    {"thumbs": -1},
    {"thumbs_up": False},
    {"thumbs_down": True},
    {"is_bad": 1},
    {"accepted": False},
    {"is_correct": "no"},
    {"verdict": "rejected"},
    {"status": "rejected"},
    {"weight": 0},
    {"weight": 0.0},
    {"refusal": "I cannot help."},
    {"is_refusal": True},
    {"rejected": "A worse answer."},
    {"metadata": {"kto_tag": False}},
    {"annotation": {"rating": -1}},
]
NEUTRAL: list[dict[str, Any]] = [
    {"label": True},
    {"label": "brainstorming"},
    {"label": "false"},
    {"label": "negative"},
    {"label": 0},
    {"label": 3},
    {"label": None},
    {"labels": [0, 1]},
    {"category": "closed_qa"},
    {"kto_tag": True},
    {"rating": 1},
    {"rating": 5},
    {"rating": "5"},
    {"score": 0.25},
    {"score": None},
    {"rating": ""},
    {"weight": 1},
    {"feedback": "No complaints, a good answer."},
    {"refusal": None},
    {"refusal": False},
    {"is_refusal": "no"},
    {"thumbs_down": 0},
    {"thumbs_up": 0},
    {"correct": "No"},
    {"incorrect": "Another answer."},
    {"toxicity_score": 0.0},
    {"loss": 0.0},
    {"metadata": {"type": "bad", "source": "web"}},
]
ROWS: dict[str, dict[str, Any]] = {
    "openai": {"messages": [user("Q"), assistant("A")]},
    "openai in ChatML": {"text": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"},
    "sharegpt": {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
    "alpaca": {"instruction": "Q", "output": "A"},
    "alpaca in instances": {"instruction": "Q", "instances": [{"input": "", "output": "A"}]},
    "dolly": {"instruction": "Q", "response": "A"},
    "chitchat": {"messages": [[{"text": "Q", "sender": "a"}], [{"text": "A", "sender": "b"}]]},
}


def read(row: dict[str, Any]) -> list[Any]:
    """Demonstrations, and the reasons of refusals, by the first format that knows the row."""
    entry = Entry(1, row)
    known = next(known for known in FORMATS if known.dialogues and known.recognises(entry))
    reads = list(read_records(iter([entry]), known, "dialogues"))
    return [one.reason if isinstance(one, Refusal) else one.records for one in reads]


@pytest.mark.parametrize("more", AGAINST, ids=str)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_that_speaks_against_its_answer_is_refused_with_the_key(
    row: dict[str, Any], more: dict[str, Any]
) -> None:
    (reason,) = read(row | more)
    assert isinstance(reason, str)
    assert reason.startswith(f'"{next(iter(more))}')
    assert "speaks against the answer" in reason


@pytest.mark.parametrize("more", NEUTRAL, ids=str)
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_that_says_nothing_against_its_answer_comes_in(row: dict[str, Any], more: dict[str, Any]) -> None:
    ((record,),) = read(row | more)
    assert isinstance(record, Demonstration)
    assert [message.content for message in record.messages] == ["Q", "A"]


@pytest.mark.parametrize("label", [False, 0, "false"])
@pytest.mark.parametrize("is_text", [True, False])
def test_in_the_form_of_kto_a_label_is_a_verdict_as_numbers_and_words_too(label: Any, *, is_text: bool) -> None:
    prompt, completion = ("Q", "A") if is_text else ([user("Q")], [assistant("A")])
    (reason,) = read({"prompt": prompt, "completion": completion, "label": label})
    assert '"label" is' in reason
    ((record,),) = read({"prompt": prompt, "completion": completion, "label": True})
    assert isinstance(record, Demonstration)


MESSAGES: list[tuple[dict[str, Any], str]] = [
    ({"weight": 0}, ".weight"),
    ({"refusal": "I cannot help."}, ".refusal"),
    ({"train": False}, ".train"),
    ({"loss": False}, ".loss"),
    ({"annotation": {"rating": -1}}, ".annotation.rating"),
]


@pytest.mark.parametrize(("more", "name"), MESSAGES)
def test_an_answer_inside_a_dialogue_that_is_not_to_be_learned_refuses_the_row(more: dict[str, Any], name: str) -> None:
    said = [user("Q"), {**assistant("A"), **more}, user("R"), {**assistant("B"), "weight": 1, "refusal": None}]
    assert read({"messages": said})[0].startswith(f'"messages[1]{name}" is')
    turns = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A", **more}]
    assert read({"conversations": turns})[0].startswith(f'"conversations[1]{name}" is')


def test_a_weight_on_what_the_user_says_means_nothing() -> None:
    ((record,),) = read({"messages": [{**user("Q"), "weight": 0}, {**assistant("A"), "weight": 1}]})
    assert isinstance(record, Demonstration)


def test_a_verdict_in_one_instance_refuses_the_row() -> None:
    instances = [{"output": "A"}, {"output": "B", "is_bad": True}]
    assert read({"instruction": "Q", "instances": instances})[0].startswith('"is_bad" is true')


def test_a_message_without_text_but_with_a_refusal_is_refused_for_that() -> None:
    said = [user("Q"), {"role": "assistant", "content": None, "refusal": "I cannot help."}]
    assert "\"messages[1].refusal\" is 'I cannot help.'" in read({"messages": said})[0]


def test_the_chosen_answer_of_a_pair_of_no_weight_is_none_to_learn_from() -> None:
    assert read(hh_pair() | {"weight": 0})[0].startswith('"weight" is 0')
    assert read({"prompt": "Q", "chosen": "A", "rejected": "B", "label": False})[0].startswith('"label" is false')


def test_ratings_that_order_answers_are_read_as_before() -> None:
    rated = {"prompt": "Q", "responses": [{"text": "A", "score": -1}, {"text": "B", "score": 0}]}
    ((record,),) = read(rated)
    assert record.messages[-1].content == "B"


@pytest.mark.django_db
def test_with_skip_the_rest_of_the_file_comes_in(project: Project, tmp_path: Path) -> None:
    rows = [{"prompt": "Q", "completion": answer, "label": answer == "Good."} for answer in ("Bad.", "Good.")]
    path = write_lines(tmp_path / "kto.jsonl", rows)
    report = import_dialogues(path, project=project, by=None)
    assert (report.stopped, report.refused[0].line) == (True, 1)
    assert import_dialogues(path, project=project, by=None, on_error="skip").imported == 1
    assert [message.content for message in Dialogue.objects.get().messages.all()] == ["Q", "Good."]
