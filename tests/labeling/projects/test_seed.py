"""The starting material that every new project is given: it must be whole, varied and free of leaks."""

import json
from pathlib import Path

import pytest

from labeling.gold import preference
from records import Demonstration, Prompt, Ranking, read_jsonl
from records.lines import to_line

SEED = Path(__file__).parents[3] / "labeling" / "projects" / "seed"


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return list(read_jsonl(SEED / "prompts.jsonl", Prompt))


@pytest.fixture(scope="module")
def demonstrations() -> list[Demonstration]:
    return list(read_jsonl(SEED / "demonstrations.jsonl", Demonstration))


@pytest.fixture(scope="module")
def practice() -> list[Ranking]:
    return list(read_jsonl(SEED / "practice.jsonl", Ranking))


def test_there_are_enough_prompts_over_many_topics(prompts: list[Prompt]) -> None:
    topics = {prompt.topic for prompt in prompts}
    assert len(prompts) >= 80
    assert None not in topics
    assert {"false premise", "ambiguous", "sensitive", "code", "planning", "chat"} <= topics
    assert all(sum(prompt.topic == topic for prompt in prompts) >= 4 for topic in topics)
    assert sum(len(prompt.messages) > 1 for prompt in prompts) >= 4


def test_no_two_prompts_are_the_same(prompts: list[Prompt]) -> None:
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert len({prompt.messages for prompt in prompts}) == len(prompts)


def test_demonstrations_alternate_and_end_with_the_assistant(demonstrations: list[Demonstration]) -> None:
    assert len(demonstrations) >= 24
    for demonstration in demonstrations:
        roles = [message.role for message in demonstration.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2), demonstration.id
        assert 2 <= len(roles) <= 6, demonstration.id


def test_no_demonstration_answers_a_prompt_of_the_pool(
    prompts: list[Prompt], demonstrations: list[Demonstration]
) -> None:
    asked = {prompt.messages[-1].content for prompt in prompts}
    shown = {message.content for demonstration in demonstrations for message in demonstration.messages}
    assert not asked & shown


def test_every_message_is_said_to_be_typed(prompts: list[Prompt], demonstrations: list[Demonstration]) -> None:
    records: list[Prompt | Demonstration] = [*prompts, *demonstrations]
    assert len(records) > 40
    for record in records:
        assert {message.authorship for message in record.messages} == {"typed"}, record.id


def test_the_gold_preference_finds_the_demonstrated_answers_acceptable(demonstrations: list[Demonstration]) -> None:
    scores = [
        preference.score(demonstration.messages[:index], message.content)
        for demonstration in demonstrations
        for index, message in enumerate(demonstration.messages)
        if message.role == "assistant"
    ]
    assert sum(scores) / len(scores) > 0.75
    assert sum(score < preference.ACCEPTABLE_SCORE for score in scores) <= 0.1 * len(scores)


def test_each_practice_ranking_is_explained_completion_by_completion(practice: list[Ranking]) -> None:
    explanations = json.loads((SEED / "practice_explanations.json").read_text(encoding="utf-8"))
    assert len(practice) == 6
    assert set(explanations) == {ranking.id for ranking in practice}
    for ranking in practice:
        explained = explanations[ranking.id]
        assert set(explained) == {"lesson", "explanation", "completions"}
        assert set(explained["completions"]) == {completion.id for completion in ranking.completions}


def test_the_practice_set_teaches_ties_the_line_and_that_length_is_not_quality(practice: list[Ranking]) -> None:
    assert any(len(tier) > 1 for ranking in practice for tier in ranking.tiers)
    assert any(ranking.unacceptable_from is not None for ranking in practice)
    longest_first = [
        max(ranking.completions, key=lambda completion: len(completion.content)).id in ranking.tiers[0]
        for ranking in practice
    ]
    assert sum(longest_first) <= len(practice) / 2
    assert len({ranking.tiers[0][0][-1] for ranking in practice}) >= 3  # the best one is not always at one place


def test_the_guidelines_say_what_must_be_said() -> None:
    text = (SEED / "guidelines.md").read_text(encoding="utf-8")
    for phrase in ("Helpful", "Truthful", "Harmless", "Ties are welcome", "Length is not quality", "The line"):
        assert phrase in text
    assert len(text.split()) < 1300  # a trainer reads it in one sitting


def test_files_are_in_the_canonical_form_of_records() -> None:

    for name, cls in (("prompts", Prompt), ("demonstrations", Demonstration), ("practice", Ranking)):
        path = SEED / f"{name}.jsonl"
        assert path.read_text(encoding="utf-8") == "".join(to_line(record) for record in read_jsonl(path, cls)), name
