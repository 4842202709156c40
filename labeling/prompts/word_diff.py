"""Differences of two texts, word by word or line by line, for showing them side by side or as one with its changes."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import LCSseq

ChangeKind = Literal["kept", "removed", "added"]

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
MOST_LINES = 8_000  # of both texts together
MOST_WORDS = 4_000  # of both texts together: the comparison is quadratic in their number, some milliseconds here


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a text; `differs` is True if the other text has something else there."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A part of two texts of which one became the other."""

    text: str
    kind: ChangeKind


def word_differences(one: str, other: str) -> tuple[list[Segment], list[Segment]]:
    """Split both texts into segments that join to the texts again, with as few words as possible marked as different.

    Beyond MOST_WORDS nothing is marked. Not difflib: on one word repeated, beside the same with every other word
    changed, it takes half a minute.
    """
    ours, theirs = _WORD.findall(one), _WORD.findall(other)
    if len(ours) + len(theirs) > MOST_WORDS:
        return [Segment(one, differs=False)], [Segment(other, differs=False)]
    blocks = LCSseq.editops(ours, theirs).as_matching_blocks()
    return _segments(ours, [(block.a, block.size) for block in blocks]), _segments(
        theirs, [(block.b, block.size) for block in blocks]
    )


def word_changes(before: str, after: str) -> list[Change] | None:
    """What was kept, removed and added, in the order of reading; None beyond MOST_WORDS."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    if len(old) + len(new) > MOST_WORDS:
        return None
    changes = [Change("".join(parts), kind) for parts, kind in _runs(old, new)]
    return [change for change in changes if change.text]


def line_changes(before: str, after: str) -> list[Change]:
    """The lines removed and added, in the order of reading.

    Beyond MOST_LINES a line counts as kept as often as both texts have it, wherever it stands, and what was removed
    comes first. Not difflib.ndiff: it compares every removed line with every added one by its characters, 19 seconds
    for 400 changed lines.
    """
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > MOST_LINES:
        removed, added = _surplus(old, new), _surplus(new, old)
        return [Change(line, "removed") for line in removed] + [Change(line, "added") for line in added]
    return [Change(line, kind) for lines, kind in _runs(old, new) if kind != "kept" for line in lines]


def _runs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[Sequence[str], ChangeKind]]:
    """What was removed, added and kept, in the order of reading, with as much kept as can be; runs may be empty."""
    done = 0, 0
    for block in LCSseq.editops(old, new).as_matching_blocks():
        yield old[done[0] : block.a], "removed"
        yield new[done[1] : block.b], "added"
        yield old[block.a : block.a + block.size], "kept"
        done = block.a + block.size, block.b + block.size


def _surplus(lines: Sequence[str], others: Sequence[str]) -> list[str]:
    """The lines that come more often here than among the others."""
    left = Counter(others)
    found = []
    for line in lines:
        if left[line] > 0:
            left[line] -= 1
        else:
            found.append(line)
    return found


def _segments(words: Sequence[str], shared: Sequence[tuple[int, int]]) -> list[Segment]:
    """`shared` holds (index, length) of the blocks that both texts have, in order; the last is empty, at the end."""
    found: list[Segment] = []
    done = 0
    for place, size in shared:
        found += [
            Segment("".join(words[done:place]), differs=True),
            Segment("".join(words[place : place + size]), differs=False),
        ]
        done = place + size
    return [segment for segment in found if segment.text]
