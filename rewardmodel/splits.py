"""Which rankings teach and which judge: no prompt, nor one nearly the same, and if asked no trainer, on both sides.

A split comes with the record, or is drawn from the prompt's own text or the trainer's name, so that it never
depends on what else is in the file. Where near-duplicates are drawn apart, or a split from elsewhere parts
them, nothing changes sides: the one in training is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from records import Message, Ranking, RecordError
from records.sides import BEGINNING, drawn, normal_form, trainer_key
from records.types import Split
from rewardmodel.near_duplicates import LikeTexts

HELD_OUT = ("validation", "test")
SplitBy = Literal["prompt", "trainer"]


@runtime_checkable
class Asked(Protocol):
    """A ranking or a thumb: what people said of completions of a prompt."""

    @property
    def id(self) -> str:
        """Of the record."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt."""

    @property
    def split(self) -> Split | None:
        """The side it is on."""


@dataclass(frozen=True)
class Leak:
    """A training record whose prompt, or one nearly the same, is also held out."""

    record_id: str
    held_out_id: str


def assign_splits(
    rankings: Sequence[Ranking], *, validation_fraction: float, split_by: SplitBy = "prompt"
) -> list[Ranking]:
    """The rankings, each with a split; one without gets train or validation by its dialogue's first message.

    All prompts of one dialogue begin alike, so they fall on one side whatever the file holds besides. With
    `split_by` trainer all rankings of one person do, as in exports; one that nobody's name is on goes by its prompt.
    Raises RecordError where one comparison is in two splits, unless its trainers are each in one.
    """
    assigned = [
        ranking if ranking.split else replace(ranking, split=_drawn_split(ranking, validation_fraction, split_by))
        for ranking in rankings
    ]
    _require_whole_comparisons(assigned)
    return assigned


def find_leaks(rankings: Sequence[Asked]) -> list[Leak]:
    """Training rankings, or thumbs, that would give away what is held out (method reference §9 A12).

    Their prompts begin like a held-out one, or are nearly the same (rewardmodel.near_duplicates).
    """
    held_out: dict[str, str] = {}
    for ranking in rankings:
        if ranking.split in HELD_OUT:
            held_out.setdefault(spoken(ranking.messages), ranking.id)
    by_beginning = {text[:BEGINNING]: identifier for text, identifier in reversed(held_out.items())}
    alike, ids = LikeTexts(list(held_out)), list(held_out.values())
    met: dict[str, str | None] = {}
    leaks = []
    for ranking in rankings:
        if ranking.split != "train":
            continue
        text = spoken(ranking.messages)
        if text not in met:
            place = None if text[:BEGINNING] in by_beginning else alike.find(text)
            met[text] = by_beginning.get(text[:BEGINNING]) if place is None else ids[place]
        found = met[text]
        if found is not None:
            leaks.append(Leak(ranking.id, found))
    return leaks


def spoken(messages: Sequence[Message]) -> str:
    """What is said in a prompt, in normal form. System messages are left out: a whole project may share one."""
    return normal_form(
        "\n".join(f"{message.role}: {message.content}" for message in messages if message.role != "system")
    )


def prompt_key(messages: Sequence[Message]) -> str:
    """The same for two prompts that are equal, or equal in their first BEGINNING characters."""
    return spoken(messages)[:BEGINNING]


def dialogue_key(messages: Sequence[Message]) -> str:
    """The same for all prompts that were cut from one dialogue: its first user message."""
    first = next(message.content for message in messages if message.role == "user")
    return normal_form(first)[:BEGINNING]


def _drawn_split(ranking: Ranking, validation_fraction: float, split_by: SplitBy) -> Split:
    by_trainer = split_by == "trainer" and ranking.trainer is not None
    key = trainer_key(str(ranking.trainer)) if by_trainer else dialogue_key(ranking.messages)
    return "validation" if drawn(key) / 2**64 < validation_fraction else "train"


def _require_whole_comparisons(rankings: Sequence[Ranking]) -> None:
    """Raise RecordError where a comparison is in two splits and people are not what was split by."""
    splits_of: dict[str, set[str | None]] = {}
    for ranking in rankings:
        if ranking.trainer is not None:
            splits_of.setdefault(ranking.trainer, set()).add(ranking.split)
    known: dict[str, Ranking] = {}
    for ranking in rankings:
        first = known.setdefault(ranking.comparison_id, ranking)
        trainers = {one.trainer for one in (first, ranking)} - {None}
        by_trainer = trainers and all(len(splits_of[str(trainer)]) == 1 for trainer in trainers)
        if first.split != ranking.split and not by_trainer:
            raise RecordError(
                f'ranking {ranking.id}: "split" is {ranking.split}, but ranking {first.id} of the same comparison '
                f"{ranking.comparison_id} is in {first.split}; export both with one split"
            )
