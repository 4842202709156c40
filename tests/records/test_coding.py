"""Records as JSON values: nothing is lost on the way there and back, and complaints name the place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import (
    Completion,
    Demonstration,
    Message,
    Ranking,
    Rating,
    RecordError,
    SamplingParams,
    Thumb,
    decode,
    encode,
)
from records.lines import to_line

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
RANKING = {
    "id": "r-1",
    "comparison_id": "c-1",
    "messages": [{"role": "user", "content": "Why?"}],
    "completions": [{"id": "a", "content": "So."}, {"id": "b", "content": ""}],
    "tiers": [["a"], ["b"]],
}


def changed(**fields: object) -> dict[str, object]:
    return {**RANKING, **fields}


@given(TEXT, TEXT, st.sampled_from([None, 0, 1, 2]), st.booleans(), st.floats(0, 1e9))
def test_what_is_written_is_read_again(prompt: str, answer: str, line: int | None, flag: bool, seconds: float) -> None:
    ranking = Ranking(
        id="r",
        comparison_id="c",
        messages=(Message(role="user", content=prompt, authorship="typed"),),
        completions=(
            Completion(id="a", content=answer, sampling=SamplingParams(seed=7), logprob=-1.5),
            Completion(id="b", content=prompt),
        ),
        tiers=(("b",), ("a",)),
        unacceptable_from=line,
        ratings=(Rating(completion_id="a", overall=3, flags={"harmful": flag}),),
        seconds=seconds,
    )
    assert decode(Ranking, json.loads(to_line(ranking))) == ranking


def test_unset_fields_are_not_written() -> None:
    message = Message(role="user", content="Hello")
    assert encode(message) == {"role": "user", "content": "Hello"}
    assert "flags" not in encode(Rating(completion_id="a", overall=1))


def test_an_abstention_keeps_its_empty_tiers() -> None:
    abstention = decode(Ranking, changed(tiers=[], abstained="not my field"))
    assert encode(abstention)["tiers"] == []


def test_a_line_is_canonical() -> None:
    assert to_line(Message(role="user", content="ü")) == '{"content":"ü","role":"user"}\n'


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ([], "f:1: expected a JSON object, found a list"),
        (changed(colour="red"), 'f:1: ranking r-1: unknown field "colour"'),
        ({"id": "r-1"}, 'f:1: ranking r-1: "comparison_id" is missing'),
        (changed(seconds="long"), 'f:1: ranking r-1: "seconds" must be a number, not text'),
        (changed(seconds=True), 'f:1: ranking r-1: "seconds" must be a number, not true or false'),
        (changed(unacceptable_from=True), 'f:1: ranking r-1: "unacceptable_from" must be a whole number, not true or'),
        (changed(unacceptable_from=1.0), '"unacceptable_from" must be a whole number, not a number'),
        (changed(unacceptable_from=3), '"unacceptable_from" must lie between 0 and 2'),
        (changed(strengths=[1, 2]), '"strengths" must be 1, 2 or 3 for each of 2 tiers but the last, not (1, 2)'),
        (changed(strengths=[4]), '"strengths" must be 1, 2 or 3'),
        (changed(strengths=[0]), '"strengths" must be 1, 2 or 3'),
        (changed(unacceptable_from=-1), '"unacceptable_from" must lie between 0 and 2'),
        (changed(choice=1), '"choice" must be true or false, not a whole number'),
        (changed(choice=True, tiers=[["a", "b"]]), '"choice" has two tiers'),
        (changed(adjudication="whim"), '"adjudication" must be'),
        (changed(adjudication="taste", tiers=[], abstained="no"), '"adjudication" is a whole order'),
        (changed(tiers=[["a"], [], ["b"]]), '"tiers" has an empty tier'),
        (changed(tiers=[["a"], ["b"], ["c"]]), '"tiers" names unknown completion c'),
        (changed(abstained="no idea"), '"tiers" must be empty where the trainer abstained'),
        (changed(shown_order=["a", "a"]), '"shown_order" is not an order of the completions'),
        (changed(completions=[{"id": "a", "content": ""}] * 2), '"completions" names completion a twice'),
        (changed(ratings=[{"completion_id": "a"}] * 2), '"ratings" names completion a twice'),
        (changed(ratings=[{"completion_id": "c"}]), '"ratings" names unknown completion c'),
        (changed(ratings=[{"completion_id": "a", "overall": 8}]), '"overall" must be 1 to 7, not 8'),
        (changed(ratings=[{"completion_id": "a", "overall": 0}]), '"overall" must be 1 to 7, not 0'),
        (changed(messages=[{"role": "assistant", "content": "So."}]), '"messages" must end with a user message'),
        (
            changed(trainer_kind="robot"),
            "\"trainer_kind\" must be one of person, simulated, imported, visitor, not 'robot'",
        ),
        (changed(tiers=[["a"], "b"]), 'f:1: ranking r-1: "tiers"[1] must be a list, not text'),
        (changed(tiers=[["a", "a"], ["b"]]), 'f:1: ranking r-1: "tiers" names completion a twice'),
        (changed(tiers=[["a"]]), '"tiers" leaves out completion b'),
        (
            changed(completions=[{"id": "a", "content": None}]),
            'f:1: ranking r-1: "completions"[0]: completion a: "content" must be text, not null',
        ),
        (
            changed(ratings=[{"completion_id": "a", "flags": {"rude": 1}}]),
            '"ratings"[0]: rating: "flags".rude must be true or false, not a whole number',
        ),
        (changed(trainer="t\x00"), '"trainer" contains a NUL character'),
    ],
)
def test_a_complaint_names_the_place(values: object, complaint: str) -> None:
    with pytest.raises(RecordError) as caught:
        decode(Ranking, values, where="f:1")
    assert complaint in str(caught.value)


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_line_of_acceptability_may_stand_above_or_below_every_tier(line: int) -> None:
    assert decode(Ranking, changed(unacceptable_from=line)).unacceptable_from == line


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"temperature": -0.1}, '"temperature" must be at least 0'),
        ({"top_p": 0}, '"top_p" must be above 0'),
        ({"top_p": 1.01}, '"top_p" must be above 0 and at most 1'),
        ({"top_k": -1}, '"top_k" must be at least 0'),
        ({"max_new_tokens": 0}, '"max_new_tokens" must be at least 1'),
    ],
)
def test_sampling_that_cannot_be_is_refused(values: dict[str, float], complaint: str) -> None:
    with pytest.raises(RecordError, match=complaint):
        decode(SamplingParams, values)
    assert decode(SamplingParams, {"temperature": 0, "top_p": 1, "max_new_tokens": 1}).temperature == 0


def test_a_demonstration_without_an_answer_is_refused() -> None:
    with pytest.raises(RecordError, match="has no assistant message to learn from"):
        decode(Demonstration, {"id": "d", "messages": [{"role": "user", "content": "Hello"}]})


THUMB = {"id": "t", "messages": [{"role": "user", "content": "Why?"}], "completion": {"id": "t", "content": "So."}}


def test_a_thumb_is_up_or_down_and_says_so() -> None:
    for up in (True, False):
        thumb = decode(Thumb, {**THUMB, "up": up, "reason": "Too short."})
        assert encode(thumb) == {**THUMB, "up": up, "reason": "Too short.", "trainer_kind": "person"}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, '"up" is missing'),
        ({"up": 1}, '"up" must be true or false, not a whole number'),
        ({"up": None}, '"up" must be true or false, not null'),
        ({"up": True, "completion": {"id": "t", "content": ""}}, '"completion" is empty'),
        ({"up": True, "messages": [{"role": "assistant", "content": "So."}]}, '"messages" must end with a user'),
    ],
)
def test_a_thumb_on_nothing_is_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(RecordError, match=complaint):
        decode(Thumb, {**THUMB, **values})
