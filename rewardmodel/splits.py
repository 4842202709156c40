"""Which rankings teach and which judge: splits by prompt, and no prompt on both sides.

A split comes with the record, or is drawn from the prompt's own text, so that it never depends on
what else is in the file. Near-duplicates are told by a long shared beginning (InstructGPT, App. A).
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from records import Message, Ranking, RecordError
from records.types import Split

# Prompts that agree in this many characters from the start are taken for one prompt. System messages
# are left out: a whole project may share one.
PREFIX_CHARACTERS = 200

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class Leak:
    """A training ranking whose prompt, or one that begins like it, is also held out."""

    ranking_id: str
    held_out_id: str


def assign_splits(rankings: Sequence[Ranking], *, validation_fraction: float) -> list[Ranking]:
    """The rankings, each with a split; one without gets train or validation by its dialogue's first message.

    All prompts of one dialogue begin alike, so they fall on one side whatever the file holds besides.
    Raises RecordError where one comparison is in two splits.
    """
    assigned = [
        ranking if ranking.split else replace(ranking, split=_drawn_split(ranking.messages, validation_fraction))
        for ranking in rankings
    ]
    split_of: dict[str, tuple[str | None, str]] = {}
    for ranking in assigned:
        split, first = split_of.setdefault(ranking.comparison_id, (ranking.split, ranking.id))
        if split != ranking.split:
            raise RecordError(
                f'ranking {ranking.id}: "split" is {ranking.split}, but ranking {first} of the same comparison '
                f"{ranking.comparison_id} is in {split}; export both with one split"
            )
    return assigned


def find_leaks(rankings: Sequence[Ranking]) -> list[Leak]:
    """Training rankings that would give away what is held out (method reference §9 A12)."""
    held_out: dict[str, str] = {}
    for ranking in rankings:
        if ranking.split in HELD_OUT:
            held_out.setdefault(prompt_key(ranking.messages), ranking.id)
    keys = [(ranking.id, prompt_key(ranking.messages)) for ranking in rankings if ranking.split == "train"]
    return [Leak(identifier, held_out[key]) for identifier, key in keys if key in held_out]


def prompt_key(messages: Sequence[Message]) -> str:
    """The same for two prompts that are equal, or equal in their first PREFIX_CHARACTERS.

    Case, spacing and Unicode forms of one letter make no difference.
    """
    spoken = (f"{message.role}: {message.content}" for message in messages if message.role != "system")
    return _normalise("\n".join(spoken))[:PREFIX_CHARACTERS]


def dialogue_key(messages: Sequence[Message]) -> str:
    """The same for all prompts that were cut from one dialogue: its first user message."""
    first = next(message.content for message in messages if message.role == "user")
    return _normalise(first)[:PREFIX_CHARACTERS]


def _drawn_split(messages: Sequence[Message], validation_fraction: float) -> Split:
    digest = hashlib.sha256(dialogue_key(messages).encode()).digest()
    drawn = int.from_bytes(digest[:8]) / 2**64
    return "validation" if drawn < validation_fraction else "train"


def _normalise(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
