"""Each format in small: what it becomes, what of it is refused, and how it is recognised."""

from pathlib import Path
from typing import Any

import pytest

from labeling.imports import FileRefused, detect
from labeling.imports.detection import find_format, names_of
from records import Demonstration, Prompt
from tests.labeling.imports.files import assistant, hh_pair, ranking_record, user, write_lines
from tests.labeling.imports.reading import Spoken, preference, read, spoken

CHITCHAT = {
    "messages": [
        [{"text": "Hello", "sender": "a"}, {"text": "there", "sender": "a"}],
        [{"text": "Hi!", "sender": "b"}],
        [{"text": " ", "sender": "a"}],
        [{"text": "Bye", "sender": "a"}],
    ]
}
DIALOGUES: list[tuple[str, Any, Spoken]] = [
    ("openai", {"messages": [user("Q"), assistant("A")]}, [("user", "Q"), ("assistant", "A")]),
    (
        "openai",
        {"messages": [{"role": "developer", "content": "S"}, user("Q"), assistant("A")]},
        [("system", "S"), ("user", "Q"), ("assistant", "A")],
    ),
    (
        "openai",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Q"}]}, assistant("A"), assistant("B")]},
        [("user", "Q"), ("assistant", "A\n\nB")],
    ),
    (
        "openai",
        {"text": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA\nB<|im_end|>\n"},
        [("user", "Q"), ("assistant", "A\nB")],
    ),
    (
        "sharegpt",
        {"conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]},
        [("user", "Q"), ("assistant", "A")],
    ),
    ("alpaca", {"instruction": "Add", "input": "1, 2", "output": "3"}, [("user", "Add\n\n1, 2"), ("assistant", "3")]),
    (
        "alpaca",
        {"instruction": "Add", "instances": [{"input": "", "output": "3"}], "is_classification": False},
        [("user", "Add"), ("assistant", "3")],
    ),
    ("alpaca", {"prompt": "Q\n", "completion": "    A\n"}, [("user", "Q\n"), ("assistant", "    A\n")]),
    ("alpaca", {"prompt": "\n\nHuman: Q\n\nAssistant:", "completion": "A"}, [("user", "Q"), ("assistant", "A")]),
    ("alpaca", {"instruction": "Add", "input": " ", "output": "3"}, [("user", "Add"), ("assistant", "3")]),
    (
        "alpaca",
        {"instruction": "Go on", "output": "C", "system": "S", "history": [["P", "A"], ["Q", "B"]]},
        [("system", "S"), *zip(("user", "assistant") * 3, ("P", "A", "Q", "B", "Go on", "C"), strict=True)],
    ),
    ("answered", {"question": "Q", "answer": "A"}, [("user", "Q"), ("assistant", "A")]),
    ("answered", {"prompt": "Q", "response": "A", "context": "C"}, [("user", "Q\n\nC"), ("assistant", "A")]),
    (
        "sharegpt",
        {
            "system": "S",
            "tools": "[]",
            "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}],
        },
        [("system", "S"), ("user", "Q"), ("assistant", "A")],
    ),
    (
        "openai",
        {"system": "S", "messages": [user("Q"), assistant("A")]},
        [("system", "S"), ("user", "Q"), ("assistant", "A")],
    ),
    (
        "openai",
        {"id": "x", "messages": [user("Q"), user("R"), assistant("A")]},
        [("user", "Q\n\nR"), ("assistant", "A")],
    ),
    (
        "openai",
        {"id": "x", "messages": [user("Q"), assistant("A")], "split": "train_sft"},
        [("user", "Q"), ("assistant", "A")],
    ),
    (
        "trl",
        {"prompt": "Human: a novel by whom?", "chosen": "A", "rejected": "B"},
        [("user", "Human: a novel by whom?"), ("assistant", "A")],
    ),
    ("hh", hh_pair(chosen="  x = 1\n"), [("user", "May I?"), ("assistant", "  x = 1\n")]),
    (
        "alpaca",
        {"instruction": "Q", "output": "A", "prompt": "Below is an instruction: Q"},
        [("user", "Q"), ("assistant", "A")],
    ),
    ("alpaca", {"prompt": [user("Q")], "completion": [assistant("A")]}, [("user", "Q"), ("assistant", "A")]),
    (
        "questions",
        {"prompt": [user("Q"), assistant("A"), user("R")]},
        [("user", "Q"), ("assistant", "A"), ("user", "R")],
    ),
    (
        "dolly",
        {"instruction": "Sum up", "context": "Text", "response": "T", "category": "summarization"},
        [("user", "Sum up\n\nText"), ("assistant", "T")],
    ),
    ("chitchat", CHITCHAT, [("user", "Hello\nthere"), ("assistant", "Hi!"), ("user", "Bye")]),
    ("questions", {"question_id": 1, "category": "writing", "turns": ["One", "Two"]}, [("user", "One")]),
    ("questions", {"prompt": "Why?"}, [("user", "Why?")]),
    ("hh", hh_pair(), [("user", "May I?"), ("assistant", "Yes.")]),
    ("trl", {"prompt": "Q", "chosen": "A", "rejected": "B"}, [("user", "Q"), ("assistant", "A")]),
    (
        "records",
        {"id": "d", "messages": [user("Q"), assistant("A")], "trainer": "t"},
        [("user", "Q"), ("assistant", "A")],
    ),
    ("records", {"id": "p", "messages": [user("Q")], "split": "train"}, [("user", "Q")]),
]


@pytest.mark.parametrize(("name", "value", "expected"), DIALOGUES)
def test_a_dialogue_is_recognised_and_read(tmp_path: Path, name: str, value: Any, expected: Spoken) -> None:
    found, records, refused = read(tmp_path, "dialogues", value)
    assert (found, refused) == (name, [])
    assert [spoken(record) for record in records] == [expected]
    answered = expected[-1][0] == "assistant" or name == "chitchat"
    assert isinstance(records[0], Demonstration if answered else Prompt)


def test_a_category_becomes_the_topic(tmp_path: Path) -> None:
    _, (prompt,), _ = read(tmp_path, "dialogues", {"turns": ["One"], "category": "writing"})
    assert prompt.topic == "writing"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"messages": [user("Q"), {"role": "tool", "content": "x"}]}, "only user, assistant and system"),
        ({"messages": [assistant("A"), user("Q")]}, "begins with the assistant"),
        ({"messages": [user("Q"), {"role": "system", "content": "x"}]}, "system message in the middle"),
        ({"messages": [user(" "), assistant("A")]}, '"messages[0].content" is empty'),
        ({"messages": [user("Q"), {"role": "assistant", "content": "", "tool_calls": [1]}]}, "calls a tool"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "parts that are not text"),
        ({"messages": [user("Q" * 100_001), assistant("A")]}, "at most 100,000 can be kept"),
        ({"messages": [user("Q"), "A"]}, '"messages[1]" must be an object, not text'),
        ({"conversations": "text"}, '"conversations" must be a list, not text'),
        ({"conversations": []}, "has no message of a user"),
        ({"instruction": "", "output": "x"}, '"instruction" is empty'),
        ({"instruction": "Add", "instances": [{}]}, '"instances[0]" has no "output"'),
        ({"turns": []}, '"turns" is empty'),
        ({"messages": [[{"text": "Alone", "sender": "a"}]]}, "has 1 speakers; a dialogue has two"),
        ({"id": "d", "messages": [user("Q"), user("R"), assistant("A")], "split": "test"}, "do not take turns"),
        ({"instruction": "Add", "output": "3", "history": [["Q"]]}, '"history[0]" must be a list of two texts'),
        ({"question": "Q", "answer": "A", "response": "B"}, "answer and response is the answer"),
        ({"messages": [user("<image>\nWhat?"), assistant("A cat")]}, "in place of something that is no text"),
        ({"messages": [user("Q"), assistant("A")], "images": ["a.png"]}, '"images" would be lost'),
        ({"system": "S", "messages": [{"role": "system", "content": "T"}, user("Q"), assistant("A")]}, "two system"),
        ({"prompt": "Q", "chosen": "A", "rejected": "B", "score_chosen": 5, "score_rejected": 5}, "a tie, so neither"),
        ({"id": "d", "messages": [user("Q"), assistant("A")], "trainer": 7}, '"trainer" must be text'),
    ],
)
def test_a_dialogue_that_makes_no_sense_is_refused(tmp_path: Path, value: Any, reason: str) -> None:
    _, records, refused = read(tmp_path, "dialogues", value)
    assert records == []
    assert reason in refused[0]


# Pairs


def test_an_hh_pair_becomes_a_ranking_of_its_last_answers(tmp_path: Path) -> None:
    pair = hh_pair(before="\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: May I?")
    name, (ranking,), _ = read(tmp_path, "rankings", pair)
    assert name == "hh"
    assert [message.content for message in ranking.messages] == ["Hi", "Hello.", "May I?"]
    assert preference(ranking) == [["Yes."], ["No."]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (hh_pair(rejected=""), '"rejected" has an empty message'),
        (hh_pair(rejected="Yes."), "chosen and rejected are the same text"),
        ({**hh_pair(), "rejected": "\n\nHuman: Else?\n\nAssistant: No."}, "part before their last answer"),
        ({**hh_pair(), "rejected": "\n\nHuman: May I?"}, '"rejected" does not end with an answer'),
        ({**hh_pair(), "rejected": "No."}, '"rejected" must begin with'),
        ({**hh_pair(), "rejected": 3}, '"rejected" must be text, not a number'),
        ({"chosen": "\n\nAssistant: A", "rejected": "\n\nAssistant: B"}, "begins with the assistant"),
    ],
)
def test_an_hh_pair_that_makes_no_sense_is_refused(tmp_path: Path, value: Any, reason: str) -> None:
    _, records, refused = read(tmp_path, "rankings", value)
    assert records == []
    assert reason in refused[0]


@pytest.mark.parametrize(
    ("value", "prompt", "answers"),
    [
        ({"prompt": "Q", "chosen": "A", "rejected": "B"}, ["Q"], ["A", "B"]),
        ({"prompt": [user("Q")], "chosen": [assistant("A")], "rejected": [assistant("B")]}, ["Q"], ["A", "B"]),
        ({"chosen": [user("Q"), assistant("A")], "rejected": [user("Q"), assistant("B")]}, ["Q"], ["A", "B"]),
        (
            {"prompt": "Q", "chosen": [user("Q"), assistant("A")], "rejected": [user("Q"), assistant("B")]},
            ["Q"],
            ["A", "B"],
        ),
        (
            {
                "input": {"messages": [user("Q")]},
                "preferred_output": [assistant("A")],
                "non_preferred_output": [assistant("B")],
            },
            ["Q"],
            ["A", "B"],
        ),
        (
            {"prompt": "\n\nHuman: Q\n\nAssistant:", "chosen": " A", "rejected": " B"},
            ["Q"],
            [" A", " B"],
        ),
    ],
)
def test_trl_pairs_with_and_without_a_prompt(tmp_path: Path, value: Any, prompt: list[str], answers: list[str]) -> None:
    name, (ranking,), _ = read(tmp_path, "rankings", value)
    assert name == "trl"
    assert [message.content for message in ranking.messages] == prompt
    assert preference(ranking) == [[answers[0]], [answers[1]]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"chosen": "Yes", "rejected": "No"}, "nothing says what was asked"),
        ({"prompt": [user("Q")], "chosen": [assistant("A")], "rejected": "B"}, "must both be text or both be"),
        ({"prompt": "Q", "chosen": "A", "rejected": None}, '"rejected" must be text, not missing'),
        ({"prompt": [user("Q"), assistant("A")], "chosen": "B", "rejected": "C"}, '"prompt" must end with the user'),
    ],
)
def test_a_trl_pair_that_makes_no_sense_is_refused(tmp_path: Path, value: Any, reason: str) -> None:
    _, records, refused = read(tmp_path, "rankings", value)
    assert records == []
    assert reason in refused[0]


# Our own


def test_our_rankings_keep_all_they_say(tmp_path: Path) -> None:
    value = ranking_record(tiers=[["k-0-1", "k-0-0"], ["k-0-2"], ["k-0-3"]], unacceptable_from=2, trainer="t-1")
    name, (ranking,), _ = read(tmp_path, "rankings", value)
    assert name == "records"
    assert (ranking.tiers, ranking.unacceptable_from) == ((("k-0-1", "k-0-0"), ("k-0-2",), ("k-0-3",)), 2)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tiers": [["k-0-0"]]}, '"tiers" leaves out completion k-0-1'),
        ({"ranked_at": "yesterday"}, '"ranked_at" is no date and time'),
        ({"ranked_at": "0001-01-01T00:00:00+01:00"}, "a date from 1970-01-01 to a day from now can be kept"),
        ({"seconds": -1}, '"seconds" must lie between 0 and 31,622,400'),
        ({"seconds": 1e300}, '"seconds" is too large a number'),
        ({"abstained": "x" * 201, "tiers": []}, '"abstained" has more than 200 characters'),
        ({"colour": "red"}, 'unknown field "colour"'),
        ({"messages": [assistant("A")]}, '"messages" must end with a user message'),
        ({"trainer": "t" * 81}, '"trainer" has more than 80 characters'),
    ],
)
def test_our_rankings_are_read_strictly(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    _, _, refused = read(tmp_path, "rankings", ranking_record(**fields))
    assert reason in refused[0]


# Recognising


def test_a_later_line_of_another_shape_is_refused(tmp_path: Path) -> None:
    _, records, refused = read(tmp_path, "rankings", hh_pair(), {"turns": ["One"]}, [1], hh_pair(chosen="Sure."))
    assert len(records) == 2
    assert refused == ["does not look like Anthropic HH pairs, as the file's beginning does"] * 2


def test_a_file_of_the_other_kind_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"instruction": "Add", "output": "3"}])
    with pytest.raises(
        FileRefused,
        match="looks like Alpaca or self-instruct instructions, or prompts with completions, which holds no rankings",
    ):
        detect(path, kind="rankings")


def test_an_unknown_shape_is_described(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{"b": 1, "a": 2}])
    with pytest.raises(FileRefused, match=r"line 1, is an object with the keys a, b; .* Known for rankings: records"):
        detect(path, kind="rankings")


def test_a_format_can_be_named_and_an_unknown_name_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", [{}])
    assert find_format("chatml", kind="dialogues", path=path).name == "openai"
    with pytest.raises(FileRefused, match='no format "csv" for rankings; known are auto, records, oasst'):
        find_format("csv", kind="rankings", path=path)
    of_rankings = set(names_of("rankings")) - set(names_of("dialogues"))
    assert of_rankings == {"label-studio", "argilla", "scored-texts", "votes"}
