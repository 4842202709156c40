"""Two answers and which was preferred, as the public sets of comparisons spell it; the same for lists and for chats."""

from typing import Any

import pytest

from labeling.imports.detection import FORMATS, find_format
from labeling.imports.importer import read_records
from labeling.imports.reader import Entry, Refusal
from records import Demonstration, Ranking
from tests.labeling.imports.files import assistant, user

SIDES = {"prompt": "Q", "response_a": "A", "response_b": "B"}
NUMBERED = {"prompt": "Q", "response_0": "A", "response_1": "B"}
ARENA = {
    "question_id": "q",
    "model_a": "gpt-4",
    "model_b": "koala",
    "winner": "model_b",
    "judge": "arena_user_7",
    "conversation_a": [user("Q"), assistant("A")],
    "conversation_b": [user("Q"), assistant("B")],
    "turn": 1,
    "anony": True,
    "language": "English",
    "tstamp": 1682351591.1322,
}
HELPSTEER_3 = {
    "domain": "code",
    "context": [user("P"), assistant("R"), user("Q")],
    "response1": "A",
    "response2": "B",
    "overall_preference": -2,
    "individual_preference": [{"score": -2, "reasoning": "…"}],
}
SHP = {"history": "Q", "human_ref_A": "A", "human_ref_B": "B", "labels": 0, "score_A": 3, "score_B": 9}
WEBGPT = {"question": {"full_text": "Q"}, "answer_0": "A", "answer_1": "B", "score_0": 0.5, "score_1": -0.5}
KAGGLE = {
    "prompt": '["Q"]',
    "response_a": '["A"]',
    "response_b": '["B"]',
    "winner_model_a": 0,
    "winner_model_b": 0,
    "winner_tie": 1,
}
DSP = {"text": ["## Human:\nQ\n\n## Assistant:\nA", "## Human:\nQ\n\n## Assistant:\nB"], "score": [0, 1]}


def read(*rows: dict[str, Any], kind: Any = "rankings") -> list[Any]:
    """Records, and the reasons of refusals, by the first format that knows the first row."""
    entries = [Entry(line, row) for line, row in enumerate(rows, start=1)]
    known = next(known for known in FORMATS if getattr(known, kind) and known.recognises(entries[0]))
    found: list[Any] = []
    for one in read_records(iter(entries), known, kind):
        found += [one.reason] if isinstance(one, Refusal) else one.records
    return found


def order(ranking: Ranking) -> list[set[str]]:
    contents = {completion.id: completion.content for completion in ranking.completions}
    return [{contents[name] for name in tier} for tier in ranking.tiers]


ORDERED: list[tuple[dict[str, Any], list[set[str]]]] = [
    ({**SIDES, "preference": "A"}, [{"A"}, {"B"}]),
    ({**SIDES, "preference": "B"}, [{"B"}, {"A"}]),
    ({**SIDES, "winner": "response_b"}, [{"B"}, {"A"}]),
    ({**SIDES, "winner": "tie"}, [{"A", "B"}]),
    ({**SIDES, "model_a": "x", "model_b": "y", "winner": "y"}, [{"B"}, {"A"}]),
    ({**SIDES, "score_a": 1, "score_b": 2}, [{"B"}, {"A"}]),
    ({**SIDES, "score_a": 2, "score_b": 2}, [{"A", "B"}]),
    ({**NUMBERED, "better_response_id": 1, "safer_response_id": 0}, [{"B"}, {"A"}]),
    ({**NUMBERED, "better_response_id": 0}, [{"A"}, {"B"}]),
    ({"prompt": "Q", "output_1": "A", "output_2": "B", "preference": 1}, [{"A"}, {"B"}]),
    ({"prompt": "Q", "output_1": "A", "output_2": "B", "preference": 2}, [{"B"}, {"A"}]),
    (ARENA, [{"B"}, {"A"}]),
    ({**ARENA, "winner": "tie"}, [{"A", "B"}]),
    (HELPSTEER_3, [{"A"}, {"B"}]),
    ({**HELPSTEER_3, "overall_preference": 1}, [{"B"}, {"A"}]),
    ({**HELPSTEER_3, "overall_preference": 0}, [{"A", "B"}]),
    (SHP, [{"B"}, {"A"}]),
    ({**SHP, "labels": 1}, [{"A"}, {"B"}]),
    (WEBGPT, [{"A"}, {"B"}]),
    ({**WEBGPT, "score_1": 0.5}, [{"A", "B"}]),
    (KAGGLE, [{"A", "B"}]),
    ({**KAGGLE, "winner_tie": 0, "winner_model_b": 1}, [{"B"}, {"A"}]),
    (DSP, [{"B"}, {"A"}]),
    ({**DSP, "score": [1, 1]}, [{"A", "B"}]),
    ({"prompt": "Q", "responses": ["A", "B"], "ranks": [2, 1]}, [{"B"}, {"A"}]),
    (
        {
            "prompt": "\n\nHuman: Q\n\nAssistant: ",
            "answers": [{"answer": t, "model": t, "rank": r} for t, r in ("A2", "B1")],
        },
        [{"B"}, {"A"}],
    ),
]


@pytest.mark.parametrize(("row", "expected"), ORDERED)
def test_the_side_that_was_preferred_comes_first(row: dict[str, Any], expected: list[set[str]]) -> None:
    (ranking,) = read(row)
    assert order(ranking) == expected
    assert ranking.messages[-1].content == "Q"


@pytest.mark.parametrize(("said", "strengths"), [(-3, (3,)), (-2, (2,)), (1, (1,)), (0, ()), (1.5, ()), (-4, ())])
def test_how_much_better_helpsteer_3_says_is_a_strength_in_its_three_steps(
    said: float, strengths: tuple[int, ...]
) -> None:
    (ranking,) = read({**HELPSTEER_3, "overall_preference": said})
    assert ranking.strengths == strengths


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({**SIDES, "preference": 1}, '"preference" is 1, which does not say whether "response_a"'),
        ({**SIDES, "preference": "left"}, "which does not say whether"),
        ({**NUMBERED, "better_response_id": 2}, "which does not say whether"),
        ({**NUMBERED, "better_response_id": True}, "which does not say whether"),
        ({**SIDES, "winner": "A", "preference": "B"}, "say different things"),
        ({**KAGGLE, "winner_model_a": 1}, "exactly one of winner_model_a"),
        ({**SHP, "labels": 3}, '"labels" is 3'),
        ({**ARENA, "conversation_b": [user("R"), assistant("B")]}, "they answer different prompts"),
        ({**ARENA, "tstamp": 1e300}, "no time in seconds"),
        ({**SIDES, "response_b": "A", "winner": "a"}, "the same answer twice"),
        ({**SIDES, "winner": "a", "images": ["x"]}, '"images" would be lost'),
        ({**DSP, "score": [1]}, '"score" has 1 numbers for 2 texts'),
        ({**DSP, "text": [DSP["text"][0], "## Human:\nR\n\n## Assistant:\nB"]}, "they answer different prompts"),
        ({"prompt": "Q", "completions": ["A", "B"], "labels": [True, False]}, '"completions" would be lost'),
    ],
)
def test_where_nothing_says_it_the_row_is_refused(row: dict[str, Any], reason: str) -> None:
    kind = "dialogues" if "labels" in row and "completions" in row else "rankings"
    (refused,) = read(row, kind=kind)
    assert reason in refused


def test_a_battle_keeps_its_models_its_judge_and_its_time() -> None:
    (ranking,) = read(ARENA)
    assert [completion.policy for completion in ranking.completions] == ["gpt-4", "koala"]
    assert (ranking.trainer, ranking.ranked_at) == ("arena_user_7", "2023-04-24T15:53:11.132200+00:00")


def test_a_tie_of_bad_answers_puts_both_below_the_line() -> None:
    (bad,) = read({**ARENA, "winner": "tie (bothbad)"})
    (tie,) = read({**ARENA, "winner": "tie"})
    assert (bad.tiers, bad.unacceptable_from) == (tie.tiers, 0)
    assert tie.unacceptable_from is None


def test_whether_an_answer_is_safe_is_kept_as_its_rating() -> None:
    row = {**NUMBERED, "is_response_0_safe": False, "is_response_1_safe": True, "better_response_id": 0}
    (ranking,) = read(row)
    assert {rating.completion_id: rating.flags for rating in ranking.ratings} == {
        "response_0": {"safe": False},
        "response_1": {"safe": True},
    }
    (refused,) = read(row, kind="dialogues")
    assert "marked as not safe" in refused


def test_the_preferred_answer_is_a_demonstration_and_a_tie_is_none() -> None:
    (demonstration,) = read({**SIDES, "preference": "B"}, kind="dialogues")
    assert isinstance(demonstration, Demonstration)
    assert [message.content for message in demonstration.messages] == ["Q", "B"]
    (refused,) = read({**SIDES, "preference": "tie"}, kind="dialogues")
    assert "are a tie" in refused


def test_the_prompt_of_a_comparison_is_its_whole_context() -> None:
    (ranking,) = read(HELPSTEER_3)
    assert [message.content for message in ranking.messages] == ["P", "R", "Q"]
    assert ranking.topic == "code"


# HelpSteer's rows


def rated(prompt: str, response: str, helpfulness: Any) -> dict[str, Any]:
    return {"prompt": prompt, "response": response, "helpfulness": helpfulness, "correctness": 1, "verbosity": 2}


def test_neighbouring_rows_with_one_prompt_are_a_comparison() -> None:
    rankings = read(rated("P", "A", 1), rated("P", "B", 4), rated("Q", "A", 3), rated("Q", "B", 3), rated("R", "A", 2))
    assert [order(ranking) for ranking in rankings] == [[{"B"}, {"A"}], [{"A", "B"}]]


def test_a_prompt_of_several_turns_is_read_as_turns() -> None:
    prompt = "P\n<extra_id_1>Assistant\nR\n<extra_id_1>User\nQ\n<extra_id_1>Assistant\n"
    (ranking,) = read(rated(prompt, "A", 1), rated(prompt, "B", 2))
    assert [(message.role, message.content) for message in ranking.messages] == [
        ("user", "P"),
        ("assistant", "R"),
        ("user", "Q"),
    ]


def test_an_answer_that_helps_nobody_is_no_demonstration() -> None:
    helped, refused = read(rated("P", "A", 0), rated("P", "B", 2), rated("Q", "A", 0), kind="dialogues")
    assert helped.messages[-1].content == "B"
    assert '"helpfulness" is 0' in refused


def test_aliases_name_the_public_sets(tmp_path: Any) -> None:
    names = ("nectar", "arena", "shp", "webgpt", "pku-saferlhf", "helpsteer3", "dsp")
    found = {name: find_format(name, kind="rankings", path=tmp_path).name for name in names}
    assert found["nectar"] == "rated"
    assert found["dsp"] == "scored-texts"
    assert {found[name] for name in names[1:-1]} == {"judged-pairs"}
