"""Which prompts train and which judge: a pure function of what a prompt says, or of who judged.

A prompt never changes sides, whatever else is exported and when. Prompts that begin alike, and all that are
cut from one dialogue, share a side (but for those cut so early that they hold nothing but a greeting).
rewardmodel.splits checks the same from the other end, and leaves out of training what is nearly the same too.
"""

import re
from collections.abc import Sequence

from labeling.exports.filters import Filters
from records import Message
from records.sides import BEGINNING, drawn, normal_form, trainer_key
from records.types import Split

SAYS_SOMETHING = 24  # characters of the user; "Hello!" alone would put half of all chats on one side


_NO_LETTER = re.compile(r"[\W_]+")
_ASCII_NO_LETTER = {code: " " for code in range(128) if not chr(code).isalnum()}


def split_of(
    messages: Sequence[Message], *, validation_percent: int, test_percent: int, trainer: str | None = None
) -> Split:
    """The side of a prompt, or of a dialogue by its beginning. A larger share takes in all of a smaller one.

    With `trainer` it is the trainer's side, whatever was said.
    """
    percentile = drawn(split_key(messages) if trainer is None else trainer_key(trainer)) * 100 >> 64
    if percentile < test_percent:
        return "test"
    return "validation" if percentile < test_percent + validation_percent else "train"


def split_key(messages: Sequence[Message]) -> str:
    """What the user says at the beginning, up to the message that says something, in normal form.

    Letters and digits alone count, so that prompts that differ in case, spacing, punctuation and Unicode forms are one.
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
    """Letters and digits alone, other runs as one space. Translating is twice as fast where it can be done."""
    if text.isascii():
        return " ".join(text.translate(_ASCII_NO_LETTER).split())
    return _NO_LETTER.sub(" ", text).strip()


def side_of(messages: Sequence[Message], filters: Filters, *, trainer: str | None = None) -> Split:
    """By trainer, what nobody's name is on goes by its prompt."""
    return split_of(
        messages,
        validation_percent=filters.validation_percent,
        test_percent=filters.test_percent,
        trainer=trainer if filters.split_by == "trainer" else None,
    )
