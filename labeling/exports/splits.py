"""The split of a record: train, validation or test, a pure function of the prompt's words or of the trainer.

The split of a prompt depends neither on the other rows of the export nor on its date. Prompts with the same opening,
and all prompts cut from one dialogue, share a split, except those cut so early that they hold only a greeting.
rewardmodel.splits checks the same when it trains, and also drops near-duplicates across splits.
"""

import re
from collections.abc import Sequence

from labeling.exports.filters import Filters
from records import Message
from records.sides import BEGINNING, drawn, normal_form, trainer_key
from records.types import Split

SAYS_SOMETHING = 24  # characters of the user; by "Hello!" alone, half of all chats would share one split
_NO_LETTER = re.compile(r"[\W_]+")
_ASCII_NO_LETTER = {code: " " for code in range(128) if not chr(code).isalnum()}


def split_under_filters(messages: Sequence[Message], filters: Filters, *, trainer: str | None = None) -> Split:
    """The split under an export's filters. A record without a trainer is always split by its prompt."""
    return split_of(
        messages,
        validation_percent=filters.validation_percent,
        test_percent=filters.test_percent,
        trainer=trainer if filters.split_by == "trainer" else None,
    )


def split_of(
    messages: Sequence[Message], *, validation_percent: int, test_percent: int, trainer: str | None = None
) -> Split:
    """The split of a prompt, or of a dialogue by its opening; with `trainer`, the trainer's, whatever the prompt.

    A larger share includes all prompts of a smaller one.
    """
    percentile = drawn(split_key(messages) if trainer is None else trainer_key(trainer)) * 100 >> 64
    if percentile < test_percent:
        return "test"
    return "validation" if percentile < test_percent + validation_percent else "train"


def split_key(messages: Sequence[Message]) -> str:
    """What is hashed: the user's opening messages in normal form, up to the one that brings SAYS_SOMETHING characters.

    Only letters and digits count: prompts that differ in case, spacing, punctuation or Unicode form share a key.
    """
    opening: list[str] = []
    num_said, room = 0, BEGINNING
    for message in messages:
        if message.role == "system":  # a whole project may share one
            continue
        room -= len(message.role) + 2
        text = normal_form(message.content)[: max(0, room)]
        room -= len(text) + 1
        if message.role == "user":
            opening.append(_letters_of(text) or text)
            num_said += len(text)
        if num_said >= SAYS_SOMETHING or room <= 0:
            break
    return "\n".join(opening)


def _letters_of(text: str) -> str:
    """The letters and digits, other runs as one space. `translate` is twice as fast, but handles only ASCII."""
    if text.isascii():
        return " ".join(text.translate(_ASCII_NO_LETTER).split())
    return _NO_LETTER.sub(" ", text).strip()
