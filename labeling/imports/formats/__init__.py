"""The formats that can be imported, one module each; none knows the database or where its values come from.

A format turns one JSON value into records: a Demonstration where someone answered, a Prompt where
nobody did, Rankings where people said what is better. It raises FormatError on what makes no sense.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from labeling.imports.reader import Entry, Refusal
from records import Demonstration, Prompt, Ranking

Said = Demonstration | Prompt
Entries = Iterator[Entry | Refusal]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one format looks and what can be read from it.

    `gather` joins lines that belong together before they are read.
    """

    name: str
    label: str
    recognises: Callable[[Entry], bool]
    dialogues: Callable[[Entry], Iterator[Said]] | None = None
    rankings: Callable[[Entry], Iterator[Ranking]] | None = None
    gather: Callable[[Entries], Entries] = iter


def has_keys(value: Any, *keys: str) -> bool:
    """Whether the value is an object with all these keys."""
    return isinstance(value, dict) and all(key in value for key in keys)
