"""What a preference pair answers: read from where the row says it, whole, or the row is refused."""

import json
from typing import Any

import pytest

from labeling.imports.detection import FORMATS
from labeling.imports.importer import read_records
from labeling.imports.reader import Entry, Refusal
from tests.labeling.imports.files import assistant, hh_pair, user

Spoken = list[tuple[str, str]]
PAIR = {"chosen": "A", "rejected": "B"}
AS_MESSAGES = {"chosen": [assistant("A")], "rejected": [assistant("B")]}
WHOLE = {"chosen": [user("Q"), assistant("A")], "rejected": [user("Q"), assistant("B")]}
ASKED = [("user", "Q")]
SYSTEM = {"role": "system", "content": "S"}


def read(row: dict[str, Any], kind: Any = "rankings") -> list[Any]:
    """Records and the reasons of refusals, by the first format that knows the row."""
    entry = Entry(1, row)
    known = next(known for known in FORMATS if getattr(known, kind) and known.recognises(entry))
    reads = list(read_records(iter([entry]), known, kind))
    return [one.reason if isinstance(one, Refusal) else one.records[0] for one in reads]


READ: list[tuple[dict[str, Any], Spoken]] = [
    ({"instruction": "Q", **PAIR}, ASKED),
    ({"instruction": "Q", "input": "", **PAIR}, ASKED),
    ({"instruction": "Q", "input": "I", **PAIR}, [("user", "Q\n\nI")]),
    ({"question": "Q", "context": "C", **PAIR}, [("user", "Q\n\nC")]),
    ({"question": "Q", **PAIR}, ASKED),
    ({"query": "Q", **AS_MESSAGES}, ASKED),
    ({"input": "Q", **PAIR}, ASKED),
    ({"prompt": "Q", "history": [["P", "R"]], **PAIR}, [("user", "P"), ("assistant", "R"), *ASKED]),
    ({"prompt": "Q", **PAIR, "chosen_rating": 5, "rejected_rating": "4.5", "margin": 0.5}, ASKED),
    (
        {
            "conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Q"}],
            "chosen": {"from": "gpt", "value": "A"},
            "rejected": {"from": "gpt", "value": "B"},
        },
        [("system", "S"), *ASKED],
    ),
    ({"messages": [user("Q")], "chosen": assistant("A"), "rejected": assistant("B")}, ASKED),
    ({"system": "S", "question": "Q", **PAIR}, [("system", "S"), *ASKED]),
    ({"system": "S", "prompt": "Q", **PAIR}, [("system", "S"), *ASKED]),
    ({"system": "", "prompt": "Q", "instruction": "Q", **PAIR}, ASKED),
    ({"system": "S", "prompt": [SYSTEM, user("Q")], **PAIR}, [("system", "S"), *ASKED]),
    ({"system": "S", **WHOLE}, [("system", "S"), *ASKED]),
    ({"prompt": "Q", **AS_MESSAGES}, ASKED),
    ({"prompt": "Answer this: Q", **WHOLE}, ASKED),
    ({"question": "Q", **WHOLE}, ASKED),
    ({"prompt": [SYSTEM, user("Q")], **WHOLE}, [("system", "S"), *ASKED]),
    ({"prompt": [user("Q"), assistant("R"), user("T")], **PAIR}, [*ASKED, ("assistant", "R"), ("user", "T")]),
    (
        {name: json.dumps({"messages": said}) for name, said in WHOLE.items()},
        ASKED,
    ),
    ({name: json.dumps(said) for name, said in WHOLE.items()}, ASKED),
    (hh_pair("A", "B", "\r\n\r\nHuman: Q") | {"system": "S"}, [("system", "S"), *ASKED]),
]


@pytest.mark.parametrize(("row", "asked"), READ)
def test_the_prompt_is_what_the_row_says_it_is(row: dict[str, Any], asked: Spoken) -> None:
    (ranking,) = read(row)
    assert [(message.role, message.content) for message in ranking.messages] == asked
    contents = {completion.id: completion.content for completion in ranking.completions}
    assert [contents[tier[0]] for tier in ranking.tiers] == ["A", "B"]
    (demonstration,) = read(row, "dialogues")
    assert [(message.role, message.content) for message in demonstration.messages] == [*asked, ("assistant", "A")]


@pytest.mark.parametrize(
    "said",
    [
        {"score_chosen": 5.0, "score_rejected": 5.0},
        {"rating_chosen": "3", "rating_rejected": 3},
        {"margin": 0},
        {"winner": "tie"},
        {"preference": "Both bad"},
        {"tie": True},
    ],
)
@pytest.mark.parametrize("row", [{"prompt": "Q", **PAIR}, hh_pair("A", "B", "\n\nHuman: Q")])
def test_a_row_that_prefers_neither_is_a_tie(row: dict[str, Any], said: dict[str, Any]) -> None:
    (ranking,) = read(row | said)
    assert ranking.tiers == (("chosen", "rejected"),)
    (refused,) = read(row | said, "dialogues")
    assert "a tie, so neither is a demonstration" in refused
    assert f'"{next(iter(said))}"' in refused


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"chosen": "The sky is blue.", "rejected": "The sky is brown."}, "nothing says what was asked"),
    ({"chosen": "Is it so?\nYes", "rejected": "Is it so?\nNo"}, 'there must be a "prompt"'),
    ({"chosen": "空は青い。", "rejected": "空は赤い。"}, "nothing says what was asked"),
    ({"system": "S", **PAIR}, "nothing says what was asked"),
    ({"instruction": "Q", "question": "R", **PAIR}, '"instruction", "question" do not say which'),
    ({"context": "C", **PAIR}, '"context" do not say which'),
    ({"instruction": 3, **PAIR}, '"instruction" must be text, not a number'),
    ({"prompt": "Q", "input": "I", **PAIR}, '"input" is not part of "prompt"'),
    ({"prompt": "Q", "context": {"a": 1}, **PAIR}, '"context" stands beside "prompt" and is an object'),
    ({"prompt": "Q", "history": "a, b", **PAIR}, '"history" must be a list'),
    ({"prompt": "Q", "reasoning": "R", **PAIR}, '"reasoning" would be lost'),
    ({"prompt": "Q", **PAIR, "score_chosen": 1, "score_rejected": 2}, "which prefers the rejected one"),
    ({"prompt": "Q", **PAIR, "margin": -1}, "which prefers the rejected one"),
    ({"prompt": "Q", **PAIR, "label": False}, '"label" is '),
    ({"prompt": "Q", **PAIR, "weight": 0}, '"weight" '),
    ({"system": "S", "prompt": [{**SYSTEM, "content": "T"}, user("Q")], **PAIR}, "are two system messages"),
    ({"prompt": "Something else", **WHOLE}, "the prompt says something else"),
    ({"prompt": "Q", **AS_MESSAGES, "rejected": "B"}, "must both be text or both be messages"),
    ({"chosen": '{"a": 1}', "rejected": '{"a": 2}'}, "nothing says what was asked"),
    ({"chosen": "[" * 5000, "rejected": "["}, "nothing says what was asked"),
]


@pytest.mark.parametrize(("row", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_where_the_row_does_not_say_it_nothing_is_guessed(row: dict[str, Any], reason: str) -> None:
    for kind in ("rankings", "dialogues"):
        (refused,) = read(row, kind)
        assert reason in refused


def test_an_answer_that_is_json_stays_a_text_where_it_answers_something() -> None:
    answers = {"chosen": '[{"role": "user", "content": "Q"}]', "rejected": "{}"}
    (ranking,) = read({"prompt": "Write JSON", **answers})
    assert {completion.content for completion in ranking.completions} == set(answers.values())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_turns_of_a_transcript_have_any_line_ends(end: str) -> None:
    before = "\n\nHuman: Hi\n\nAssistant: Hello.\nYou?\n\nHuman: Q"
    row = {name: text.replace("\n", end) for name, text in hh_pair("A", "B", before).items()}
    (ranking,) = read(row)
    assert [message.content for message in ranking.messages] == ["Hi", f"Hello.{end}You?", "Q"]
