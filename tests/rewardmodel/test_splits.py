"""Who teaches and who judges: a side is drawn from a record's own text, and nothing of what judges is taught."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records import Message, Ranking, RecordError, write_jsonl
from rewardmodel.data import DataError, load_rankings
from rewardmodel.near_duplicates import LikeTexts, likeness, shingles
from rewardmodel.splits import HELD_OUT, Leak, SplitBy, assign_splits, find_leaks
from tests.rewardmodel.factories import make_ranking

LONG = "Please explain to me, in a few plain words that a child could follow, how the tides of the sea come about. " * 3


def test_a_drawn_split_depends_on_the_dialogue_alone() -> None:
    opening = [make_ranking(id=f"a-{i}", prompt=f"Question {i}?") for i in range(300)]
    later = [make_ranking(id=f"b-{i}", prompt=(f"question  {i}?", "Why?", "Because.")) for i in range(300)]
    first = {r.id[2:]: r.split for r in assign_splits(opening, validation_fraction=0.2)}
    second = {r.id[2:]: r.split for r in assign_splits([*reversed(later)], validation_fraction=0.2)}
    assert first == second
    assert 30 < sum(split == "validation" for split in first.values()) < 90


def test_a_split_that_the_record_has_is_kept() -> None:
    (ranking,) = assign_splits([make_ranking(split="test")], validation_fraction=1.0)
    assert ranking.split == "test"


def test_one_comparison_in_two_splits_is_refused() -> None:
    rankings = [
        make_ranking(id="r-1", comparison_id="c", split="train"),
        make_ranking(id="r-2", comparison_id="c", split="test"),
    ]
    with pytest.raises(RecordError, match=r"ranking r-2.*ranking r-1 of the same comparison c is in train"):
        assign_splits(rankings, validation_fraction=0.1)


def test_a12_a_prompt_on_both_sides_is_a_leak_and_so_is_one_with_a_long_shared_beginning() -> None:
    rankings = [
        make_ranking(id="same", prompt="Why is the sky blue?", split="train"),
        make_ranking(id="held-1", prompt="why is the SKY  blue?", split="validation"),
        make_ranking(id="begins-alike", prompt=LONG + "Keep it short.", split="train"),
        make_ranking(id="held-2", prompt=LONG + "Give an example.", split="test"),
        make_ranking(id="other", prompt="Why is the sea blue?", split="train"),
    ]
    assert find_leaks(rankings) == [Leak("same", "held-1"), Leak("begins-alike", "held-2")]


def test_a12_a_system_message_that_all_prompts_share_is_no_leak() -> None:
    system = Message(role="system", content=LONG)
    rankings = [
        replace(ranking, messages=(system, *ranking.messages))
        for ranking in (
            make_ranking(id="r-1", prompt="Why is the sky blue?", split="train"),
            make_ranking(id="r-2", prompt="What is the capital of France?", split="test"),
        )
    ]
    assert find_leaks(rankings) == []


def test_a12_a_prompt_with_a_few_words_changed_is_a_leak() -> None:
    told = "My neighbour's dog barks from six in the morning until late at night and she says that she cannot hear it. "
    asked = told + "How do I tell her, kindly but clearly, that something has to change?"
    rankings = [
        make_ranking(id="reworded", prompt=asked.replace("My neighbour", "Our neighbour"), split="train"),
        make_ranking(id="punctuated", prompt=asked.replace(",", " —").upper(), split="train"),
        make_ranking(id="turned-round", prompt="Hello! " + asked, split="train"),
        make_ranking(id="another", prompt=told + "Is there a law against it, and who would I call?", split="train"),
        make_ranking(id="held", prompt=asked, split="test"),
    ]
    leaking = {leak.record_id: leak.held_out_id for leak in find_leaks(rankings)}
    assert leaking == {"reworded": "held", "punctuated": "held", "turned-round": "held"}


WORDS = st.lists(st.sampled_from(["sea", "sky", "why", "is", "the", "blue", "海", "空"]), max_size=14).map(" ".join)


@given(st.lists(WORDS, max_size=12), WORDS, st.sampled_from([0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]))
def test_the_search_finds_what_comparing_all_with_all_finds(known: list[str], asked: str, threshold: float) -> None:
    by_hand = [i for i, text in enumerate(known) if likeness(shingles(text), shingles(asked)) >= threshold]
    assert LikeTexts(known, threshold=threshold).find(asked) == (by_hand[0] if by_hand else None)


def test_likeness_is_what_is_counted_by_hand() -> None:
    one, other = shingles("why is the sky blue"), shingles("Why, is the sky -- blue today".casefold())
    assert likeness(one, other) == 3 / 4
    assert likeness(one, one) == 1.0
    assert likeness(one, shingles("no")) == 0.0
    assert shingles("空は青い") == {tuple("空は青"), tuple("は青い")}
    assert shingles("") == {("",)}


def ranked(trainers: Sequence[str | None], **fields: object) -> list[Ranking]:
    return [
        make_ranking(id=f"r-{i}", prompt=f"What is number {i} good for?", trainer=trainer, **fields)
        for i, trainer in enumerate(trainers)
    ]


NAMES = st.one_of(st.none(), st.sampled_from(["ann", "bob", "cyd", "dan"]))


@given(st.lists(NAMES, min_size=1, max_size=12), st.sampled_from(["prompt", "trainer"]), st.data())
def test_what_else_the_file_holds_changes_nobodys_side(
    trainers: list[str | None], split_by: SplitBy, data: st.DataObject
) -> None:
    rankings = ranked(trainers)
    some = data.draw(st.lists(st.sampled_from(rankings), unique_by=lambda ranking: ranking.id))
    of_all = {r.id: r.split for r in assign_splits(rankings, validation_fraction=0.5, split_by=split_by)}
    of_some = {r.id: r.split for r in assign_splits(some, validation_fraction=0.5, split_by=split_by)}
    assert of_some.items() <= of_all.items()


def test_by_trainer_a_persons_rankings_are_on_one_side_and_nobodys_go_by_prompt() -> None:
    people = [f"t-{i % 40}" for i in range(400)]
    split = assign_splits([*ranked(people), *ranked([None] * 400)], validation_fraction=0.3, split_by="trainer")
    named, unnamed = split[:400], split[400:]
    sides = {trainer: {ranking.split for ranking in named if ranking.trainer == trainer} for trainer in people}
    assert all(len(found) == 1 for found in sides.values())
    assert 3 < sum(found == {"validation"} for found in sides.values()) < 22  # 12 expected, deviation 2.9
    by_prompt = assign_splits(ranked([None] * 400), validation_fraction=0.3)
    assert [ranking.split for ranking in unnamed] == [ranking.split for ranking in by_prompt]


def test_by_trainer_a_comparison_that_both_sides_ranked_judges_and_is_not_taught(tmp_path: Path) -> None:
    path = tmp_path / "rankings.jsonl"
    people = [f"t-{i}" for i in range(12)]
    shared = [
        make_ranking(id=f"shared-{trainer}", comparison_id="shared", prompt="Why?", trainer=trainer)
        for trainer in people
    ]
    write_jsonl(path, [*shared, *ranked(people)])
    loaded = load_rankings(path, validation_fraction=0.3, split_by="trainer")
    held_out = {ranking.trainer for ranking in loaded.of_split(*HELD_OUT)}
    assert 0 < len(held_out) < len(people)
    assert {ranking.trainer for ranking in loaded.of_split("train")} == set(people) - held_out
    assert "shared" not in {ranking.comparison_id for ranking in loaded.of_split("train")}
    assert loaded.left_out == {"leaking": len(people) - len(held_out)}


def test_a_split_by_trainer_from_elsewhere_is_taken_as_it_is() -> None:
    def of(trainer: str, split: str, number: int) -> Ranking:
        return make_ranking(
            id=f"{trainer}-{number}", comparison_id=f"c-{number}", prompt=f"{number}?", trainer=trainer, split=split
        )

    whole = [of("ann", "train", 1), of("bob", "test", 1), of("ann", "train", 2)]
    assert assign_splits(whole, validation_fraction=0.1) == whole
    with pytest.raises(RecordError, match=r"ranking bob-1.*same comparison c-1 is in train"):
        assign_splits([*whole, of("ann", "test", 3)], validation_fraction=0.1)


def test_holding_out_trainers_where_none_can_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rankings.jsonl"
    write_jsonl(path, ranked([None, None]))
    with pytest.raises(DataError, match=r'no ranking without a "split" names its "trainer"'):
        load_rankings(path, split_by="trainer")
    write_jsonl(path, ranked(["ann", "ann"]))
    with pytest.raises(DataError, match="of 1 trainers none is drawn to be held out; raise --validation-fraction"):
        load_rankings(path, validation_fraction=0.001, split_by="trainer")
