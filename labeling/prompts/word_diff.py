"""Two texts word by word: which words only one of them has, for showing them side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 4_000  # of both together; comparing takes up to the square of their number


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a text; `differs` where the other has something else there."""

    text: str
    differs: bool


def word_differences(one: str, other: str) -> tuple[list[Stretch], list[Stretch]]:
    """Both texts in stretches that join to them again. Very long ones are left unmarked."""
    ours, theirs = _WORD.findall(one), _WORD.findall(other)
    if len(ours) + len(theirs) > MOST_WORDS:
        return [Stretch(one, differs=False)], [Stretch(other, differs=False)]
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return _stretches(ours, [(block.a, block.size) for block in blocks]), _stretches(
        theirs, [(block.b, block.size) for block in blocks]
    )


def _stretches(words: Sequence[str], shared: Sequence[tuple[int, int]]) -> list[Stretch]:
    """`shared` are the places and lengths of what both have, in order; the last one is empty and at the end."""
    found: list[Stretch] = []
    done = 0
    for place, size in shared:
        found += [
            Stretch("".join(words[done:place]), differs=True),
            Stretch("".join(words[place : place + size]), differs=False),
        ]
        done = place + size
    return [stretch for stretch in found if stretch.text]
