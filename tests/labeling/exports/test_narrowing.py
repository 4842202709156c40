"""Filters that ask for more than a column: agreement, guidelines, splits by trainer, texts without personal data."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.exports import builder
from labeling.exports.personal_data import scrub_text
from labeling.models import Completion, Dialogue, GuidelineVersion, Project, Rating
from records import Demonstration, read_jsonl
from tests.labeling.exports.material import directory_of, exported, ids_in, make_ranking, manifest_of, rankings_in
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_prompt, make_user

ALIKE, OTHER_WAY = ((0,), (1,), (2,), (3,)), ((3,), (2,), (1,), (0,))


@pytest.fixture
def project(db: None) -> Project:
    return make_project(slug="sky", name="Sky")


def ranked_twice(project: Project, *orders: Any) -> set[str]:
    comparison = make_comparison(project=project)
    return {str(make_ranking(project=project, comparison=comparison, order=order).id) for order in orders}


def test_agreement_is_that_of_all_rankings_of_a_comparison(project: Project) -> None:
    alike = ranked_twice(project, ALIKE, ALIKE)
    opposite = ranked_twice(project, ALIKE, OTHER_WAY)
    one_pair_differs = ranked_twice(project, ALIKE, ((0,), (1,), (3,), (2,)))  # 5 of 6 pairs: 83 %
    alone = ranked_twice(project, ALIKE)
    all_tied = ranked_twice(project, ((0, 1, 2, 3),), ALIKE)
    assert ids_in(exported(project)) == alike | opposite | one_pair_differs | alone | all_tied
    assert ids_in(exported(project, agreement_at_least=84)) == alike
    assert ids_in(exported(project, agreement_at_least=83)) == alike | one_pair_differs
    assert ids_in(exported(project, agreement_at_least=0)) == alike | one_pair_differs | opposite


def test_agreement_counts_the_rankings_that_another_filter_leaves_out(project: Project) -> None:
    alice, bob = (make_user(username=name, projects=[project]) for name in ("alice", "bob"))
    kept = {}
    for order in (ALIKE, OTHER_WAY):
        comparison = make_comparison(project=project)
        kept[order] = make_ranking(project=project, comparison=comparison, trainer=alice, order=ALIKE)
        make_ranking(project=project, comparison=comparison, trainer=bob, order=order)
    export = exported(project, trainers=[alice.pseudonym], agreement_at_least=90)
    assert ids_in(export) == {str(kept[ALIKE].id)}


def test_a_choice_among_drafts_agrees_with_nothing(project: Project) -> None:
    comparison = make_comparison(project=project)
    for _ in range(2):
        make_ranking(project=project, comparison=comparison, order=((0,), (1, 2, 3)), is_choice=True)
    assert ids_in(exported(project, agreement_at_least=0)) == set()


def test_agreement_does_not_depend_on_chunks(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ranked_twice(project, ALIKE, ALIKE, ALIKE) | ranked_twice(project, ALIKE, ALIKE)
    ranked_twice(project, ALIKE, OTHER_WAY)
    monkeypatch.setattr(builder, "CHUNK", 2)
    export = exported(project, agreement_at_least=90)
    assert ids_in(export) == wanted
    assert sorted(manifest_of(export)["files"]) == ["card.md", "rankings.jsonl"]


def test_what_was_retracted_counts_for_no_agreement(project: Project) -> None:
    comparison = make_comparison(project=project)
    kept = [make_ranking(project=project, comparison=comparison, order=ALIKE) for _ in range(2)]
    make_ranking(project=project, comparison=comparison, order=OTHER_WAY, retracted_at="2026-01-01T00:00Z")
    assert ids_in(exported(project, agreement_at_least=100)) == {str(one.id) for one in kept}


def test_a_guideline_version_chooses_rankings_and_demonstrations(project: Project) -> None:
    second = GuidelineVersion.objects.create(project=project, version=2, text="Be brief.")
    make_ranking(project=project, guideline_version=project.guideline_versions.get(version=1))
    wanted = make_ranking(project=project, guideline_version=second)
    make_dialogue(project=project, state=Dialogue.State.ACCEPTED)
    said = make_dialogue(project=project, state=Dialogue.State.ACCEPTED, guideline_version=second)
    assert ids_in(exported(project, guideline_versions=[2])) == {str(wanted.id)}
    assert ids_in(exported(project, "demonstrations", guideline_versions=[2])) == {str(said.id)}


def test_by_trainer_each_persons_rankings_are_on_one_side(project: Project) -> None:
    people = [make_user(projects=[project]) for _ in range(12)]
    for number, person in enumerate(people * 3):
        messages = [{"role": "user", "content": f"What should I know about the number {number}?"}]
        make_ranking(project=project, comparison=make_comparison(project=project, messages=messages), trainer=person)
    export = exported(project, split_by="trainer", test_percent=40)
    sides: dict[Any, set[Any]] = {}
    for record in rankings_in(export):
        sides.setdefault(record.trainer, set()).add(record.split)
    assert all(len(found) == 1 for found in sides.values())
    assert len({side for found in sides.values() for side in found}) > 1
    assert manifest_of(export)["splits"]["by"] == "trainer"
    assert "## Splits, by trainer" in (directory_of(export) / "card.md").read_text()


# Personal data


@pytest.mark.parametrize(
    ("text", "scrubbed", "kinds"),
    [
        ("Write to jo.doe+x@mail.example.org!", "Write to [e-mail address]!", {"e-mail address": 1}),
        ("IBAN DE89 3704 0044 0532 0130 00 AND MORE", "IBAN [IBAN] AND MORE", {"IBAN": 1}),
        ("GB29NWBK60161331926819", "[IBAN]", {"IBAN": 1}),
        ("NO9386011117947 is the shortest", "[IBAN] is the shortest", {"IBAN": 1}),
        ("4222222222222, 6304000000000000000", "[card number], [card number]", {"card number": 2}),
        ("2a00::f and 2abc::beef", "[IP address] and [IP address]", {"IP address": 2}),
        ("2abc::beef", "[IP address]", {"IP address": 1}),
        ("card 4111 1111 1111 1111, please", "card [card number], please", {"card number": 1}),
        ("5500-0055-5555-5559", "[card number]", {"card number": 1}),
        ("Call +49 30 901820 or +1 212-736-5000.", "Call [phone number] or [phone number].", {"phone number": 2}),
        ("from 8.8.8.8 and 2001:4860:4860::8888.", "from [IP address] and [IP address].", {"IP address": 2}),
        ("a@example.org, a@example.org", "[e-mail address], [e-mail address]", {"e-mail address": 2}),
    ],
)
def test_what_can_be_checked_is_taken_out(text: str, scrubbed: str, kinds: dict[str, int]) -> None:
    found: Counter[str] = Counter()
    assert scrub_text(text, found) == scrubbed
    assert found == kinds


@pytest.mark.parametrize(
    "text",
    [
        "2 + 2 = 4, and 10^12 is 1000000000000.",
        "4111 1111 1111 1112 has a wrong check digit",
        "DE00 3704 0044 0532 0130 00 too",
        "localhost is 127.0.0.1, and 192.168.0.1 is at home; version 10.0.19041.1",
        "at 12:30:45, ratio 3:2::1",
        "3.14159265358979323846, ISBN 978-3-16-148410-0",
        "@everyone: C++ and x@y are no addresses",
        "std::vector<int>::iterator",
        "+12 is a number",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    found: Counter[str] = Counter()
    assert scrub_text(text, found) == text
    assert not found


@given(st.text())
def test_a_text_that_was_scrubbed_has_nothing_left_to_scrub(text: str) -> None:
    once = scrub_text(text, Counter())
    again: Counter[str] = Counter()
    assert scrub_text(once, again) == once
    assert not again


def test_every_text_of_a_ranking_is_scrubbed_and_counted(project: Project) -> None:
    messages = [{"role": "user", "content": "Mail me at me@example.org"}]
    comparison = make_comparison(project=project, messages=messages)
    first = comparison.completions.order_by("index")[0]
    Completion.objects.filter(id=first.id).update(content="Or call +49 30 901820", num_tokens=9, logprob=-2.5)
    ranking = make_ranking(project=project, comparison=comparison, note="Ask you@example.org")
    Rating.objects.create(ranking=ranking, completion=first, overall=3, note="names 8.8.8.8")
    export = exported(project, scrubs_personal_data=True)
    (record,) = rankings_in(export)
    assert record.messages[0].content == "Mail me at [e-mail address]"
    assert record.completions[0].content == "Or call [phone number]"
    assert (record.completions[0].num_tokens, record.completions[0].logprob) == (None, None)
    assert record.ratings[0].note == "names [IP address]"
    assert record.note == "Ask [e-mail address]"
    assert manifest_of(export)["counts"]["scrubbed"] == {"IP address": 1, "e-mail address": 2, "phone number": 1}
    card = (directory_of(export) / "card.md").read_text()
    assert "## Personal data" in card
    assert "| e-mail address | 2 |" in card
    (plain,) = rankings_in(exported(project))
    assert plain.split == record.split  # a prompt is on one side, scrubbed or not
    assert plain.messages[0].content == messages[0]["content"]


def test_dialogues_and_prompts_are_scrubbed_too(project: Project) -> None:
    turns = (("user", "I am a@example.org", "typed"), ("assistant", "Hello.", "typed"))
    make_dialogue(project=project, state=Dialogue.State.ACCEPTED, turns=turns)
    make_prompt(project=project, content="Who is a@example.org?")
    export = exported(project, "demonstrations", scrubs_personal_data=True)
    (demonstration,) = read_jsonl(directory_of(export) / "demonstrations.jsonl", Demonstration)
    assert demonstration.messages[0].content == "I am [e-mail address]"
    lines = (directory_of(exported(project, "prompts", scrubs_personal_data=True)) / "prompts.jsonl").read_text()
    assert json.loads(lines)["messages"][0]["content"] == "Who is [e-mail address]?"
