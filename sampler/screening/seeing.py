"""What every content filter is to this worker, whatever stands behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from contentfilter.content_filter import Thresholds


class FilterAway(Exception):
    """A content filter that cannot be asked: why, in words that hold nothing of any text."""


@dataclass(frozen=True)
class Seen:
    """One text as a filter saw it."""

    probabilities: dict[str, float] = field(default_factory=dict)
    flagged: frozenset[str] = frozenset()
    """Categories of which a server without thresholds says itself that the text is in them."""
    reason: str | None = None
    """Why its probabilities mean nothing; a text that would be blocked is blocked all the same."""
    unread: str | None = None
    """What part of it nobody can judge, so that it cannot pass."""


class TextFilter(Protocol):
    """Something that says how likely texts are of each category. Safe to ask from many threads."""

    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """From where on it would warn and block by itself; empty for a server."""

    def look(self, texts: Sequence[str]) -> list[Seen]:
        """Each text by its ending, as much of it as the filter reads at once. Raises FilterAway."""

    def look_through(self, text: str) -> Seen:
        """The whole of a text, by what is worst in any part of it. Raises FilterAway."""


def worst(parts: Sequence[Seen]) -> Seen:
    """What was seen of several parts as one: the highest of each probability."""
    probabilities: dict[str, float] = {}
    for seen in parts:
        for category, probability in seen.probabilities.items():
            probabilities[category] = max(probability, probabilities.get(category, 0.0))
    return Seen(
        probabilities,
        frozenset().union(*(seen.flagged for seen in parts)),
        next((seen.reason for seen in parts if seen.reason), None),
        next((seen.unread for seen in parts if seen.unread), None),
    )
