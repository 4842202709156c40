"""The formats that can be imported, one module each; none knows the database or the source of its values.

A format turns one JSON value into records: a Demonstration where it is answered, a Prompt where it is not, Rankings
where people gave an order, Thumbs where they judged one answer alone. It raises FormatError for what it cannot read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from labeling.imports.formats.keys import Keys
from labeling.imports.reader import Entry, Refusal
from records import Demonstration, Prompt, Ranking, Thumb

DialogueOrPrompt = Demonstration | Prompt
Entries = Iterator[Entry | Refusal]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one format is recognised and what can be read from it. `gather` joins lines that form one entry.

    `keys` are those of its rows; a function of the row where a project names its own fields. `accepts` is asked of each
    line of a file in this format, where that takes less than to recognise it among all others.
    """

    name: str
    label: str
    recognises: Callable[[Entry], bool]
    keys: Keys | Callable[[Any], Keys]
    dialogues: Callable[[Entry], Iterator[DialogueOrPrompt]] | None = None
    rankings: Callable[[Entry], Iterator[Ranking]] | None = None
    thumbs: Callable[[Entry], Iterator[Thumb]] | None = None
    accepts: Callable[[Entry], bool] | None = None
    gather: Callable[[Entries], Entries] = iter


def has_keys(value: Any, *keys: str) -> bool:
    """Whether the value is an object with all these keys."""
    return isinstance(value, dict) and all(key in value for key in keys)
