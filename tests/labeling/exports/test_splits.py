"""A prompt is on one side for ever, together with all that begin like it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.exports.filters import Filters
from labeling.exports.splits import SAYS_SOMETHING, split_key, split_of, split_under_filters
from records import Message
from rewardmodel.splits import assign_splits, prompt_key
from tests.rewardmodel.factories import make_ranking

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)


def said(*contents: str, system: str = "") -> list[Message]:
    roles = ("user", "assistant")
    messages = [Message(role=roles[index % 2], content=content) for index, content in enumerate(contents)]  # type: ignore[arg-type]
    return [Message(role="system", content=system), *messages] if system else messages


def side(messages: list[Message], validation: int = 10, test: int = 10) -> str:
    return split_of(messages, validation_percent=validation, test_percent=test)


QUESTION = "What would you cook for eight people on a Friday?"


@pytest.mark.parametrize(
    "other",
    [
        said("  what would YOU cook\nfor eight people  on a friday? "),
        said(QUESTION, system="Answer briefly."),
        said(QUESTION, "Lasagne.", "And for nine?"),
        said(QUESTION, "Soup.", "Is that enough?", "No.", "What then?"),
        said(QUESTION.replace("Friday", "Ｆｒｉｄａｙ")),
        said("What would you cook, for eight people, on a “Friday”"),
    ],
)
def test_prompts_that_begin_alike_share_a_key(other: list[Message]) -> None:
    assert split_key(other) == split_key(said(QUESTION))


def test_a_greeting_alone_does_not_decide() -> None:
    keys = {split_key(said("Hello!", "Hi.", f"Tell me about the number {number}, please")) for number in range(50)}
    assert len(keys) == 50


def test_all_prompts_of_a_dialogue_share_a_key_once_the_user_has_said_something() -> None:
    turns = ["Hi", "Hello!", "I would like to learn to juggle.", "Good.", "How many balls?", "Three.", "Why?"]
    assert split_key(said(*turns[:3])) == split_key(said(*turns[:5])) == split_key(said(*turns))


def test_long_prompts_with_a_long_shared_beginning_share_a_key() -> None:
    beginning = "x" * 200
    assert split_key(said(beginning + "one")) == split_key(said(beginning + "two"))
    assert split_key(said("x" * 150 + "one")) != split_key(said("x" * 150 + "two"))


@given(st.lists(TEXT, min_size=1, max_size=7).filter(lambda turns: len(turns) % 2 == 1))
def test_prompts_that_the_reward_model_takes_for_one_are_on_one_side(turns: list[str]) -> None:
    """Else it would leave out, as leaking, what this export put into train."""
    first, second = said(*turns), said(*(f"  {turn.upper().lower()}\n" for turn in turns))
    if prompt_key(first) == prompt_key(second):
        assert split_key(first) == split_key(second)


@given(st.text("ab", min_size=190, max_size=230), st.text("ab", min_size=190, max_size=230))
def test_at_the_edge_of_the_beginning_both_sides_count_alike(first: str, second: str) -> None:
    one, other = said("hi", first, "q one"), said("hi", second, "q two")
    if prompt_key(one) == prompt_key(other):
        assert split_key(one) == split_key(other)


def test_what_was_answered_in_between_decides_nothing() -> None:
    assert split_key(said("Hi", "Hello!", QUESTION)) == split_key(said("Hi", "Good day to you.", QUESTION))


def test_an_opening_decides_as_soon_as_it_is_long_enough() -> None:
    enough, too_little = "x" * SAYS_SOMETHING, "x" * (SAYS_SOMETHING - 1)
    assert split_key(said(enough, "Yes?", "More")) == split_key(said(enough))
    assert split_key(said(too_little, "Yes?", "More")) != split_key(said(too_little))


def test_where_nothing_is_to_be_held_out_everything_trains() -> None:
    prompts = [said(f"A question about the number {number}") for number in range(1_000)]
    assert {side(prompt, validation=0, test=0) for prompt in prompts} == {"train"}
    assert {side(prompt, validation=0, test=10) for prompt in prompts} == {"train", "test"}


def test_a_prompt_is_split_by_who_ranked_it_only_where_that_is_asked_for() -> None:
    by_prompt, by_trainer = Filters(test_percent=45), Filters(test_percent=45, split_by="trainer")
    people = [f"t-{number}" for number in range(50)]
    assert len({split_under_filters(said(QUESTION), by_prompt, trainer=one) for one in people}) == 1
    assert len({split_under_filters(said(QUESTION), by_trainer, trainer=one) for one in people}) == 3
    assert split_under_filters(said(QUESTION), by_trainer) == split_under_filters(said(QUESTION), by_prompt)


def test_shares_are_as_asked_for() -> None:
    sides = Counter(side(said(f"A question about the number {number}")) for number in range(5_000))
    assert 420 < sides["test"] < 580  # 500 expected; four standard deviations are 85
    assert 420 < sides["validation"] < 580


def test_a_larger_share_takes_in_all_of_a_smaller_one() -> None:
    prompts = [said(f"A question about the number {number}") for number in range(500)]
    small = {index for index, prompt in enumerate(prompts) if side(prompt, test=5) == "test"}
    large = {index for index, prompt in enumerate(prompts) if side(prompt, test=25) == "test"}
    assert small < large


def test_by_trainer_exports_and_training_hold_out_the_same_people() -> None:
    rankings = [make_ranking(id=f"r-{n}", trainer=f"t-{n}") for n in range(100)]
    assigned = assign_splits(rankings, validation_fraction=0.3, split_by="trainer")
    assert {ranking.split for ranking in assigned} == {"train", "validation"}
    for ranking in assigned:
        exported = split_of(ranking.messages, validation_percent=30, test_percent=0, trainer=ranking.trainer)
        assert ranking.split == exported


def test_by_trainer_a_persons_work_is_on_one_side_whatever_was_said() -> None:
    sides = {split_of(said(f"Question {n}"), validation_percent=10, test_percent=30, trainer="t-1") for n in range(50)}
    assert len(sides) == 1
    by_trainer = Counter(
        split_of(said(QUESTION), validation_percent=10, test_percent=30, trainer=f"t-{n}") for n in range(1_000)
    )
    assert 240 < by_trainer["test"] < 360  # 300 expected; four standard deviations are 58


def test_marks_alone_are_a_prompt_of_their_own() -> None:
    assert split_key(said("???")) != split_key(said("!!!"))


def test_the_sides_never_change() -> None:
    """These were drawn when the rule was made; a rule that moves them moves every held-out set."""
    sides = {number: side(said(f"A question about the number {number}")) for number in range(24)}
    assert {number: held for number, held in sides.items() if held != "train"} == {3: "validation", 6: "test"}


def test_the_side_of_a_trainer_never_changes() -> None:
    """Nor is a trainer drawn as a prompt of the same letters is."""
    sides = {n: split_of(said("Q"), validation_percent=10, test_percent=10, trainer=f"t-{n}") for n in range(32)}
    assert [n for n, held in sides.items() if held == "test"] == [14, 16, 18, 21, 30]
    assert [n for n, held in sides.items() if held == "validation"] == [1, 5, 26, 31]
