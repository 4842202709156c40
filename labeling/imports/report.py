"""The report of an import: how many records were imported, were there already, or were refused and why, and which keys
of the file nobody read.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from labeling.imports.reader import Refusal

MOST_REFUSALS_KEPT = 200
MOST_UNREAD_KEYS = 100  # different ones; a file whose keys are values has as many as rows
_LONGEST_EXAMPLE = 80  # characters


@dataclass
class UnreadKey:
    """A key that the format does not read: in how many entries it stood, and with what value in the first."""

    num_entries: int
    line: int
    example: str


class UnreadKeys(dict[str, UnreadKey]):
    """By name. Those beyond MOST_UNREAD_KEYS are not kept."""

    def count(self, found: Iterable[tuple[str, Any]], *, line: int) -> None:
        """Count the keys of one entry, each once."""
        for name, value in dict(found).items():
            if name in self:
                self[name].num_entries += 1
            elif len(self) < MOST_UNREAD_KEYS:
                self[name] = UnreadKey(1, line, shown(value))


@dataclass
class ImportReport:
    """Counts of records, and of entries without any. `refused` keeps the first of the `num_refused` refusals."""

    format: str
    imported: int = 0
    repeated: int = 0
    num_empty: int = 0  # valid entries without a record of the wanted kind
    num_refused: int = 0
    refused: list[Refusal] = field(default_factory=list)
    unread: UnreadKeys = field(default_factory=UnreadKeys)
    stopped: bool = False  # something was refused and on_error was stop: nothing was imported

    def refuse(self, refusal: Refusal) -> None:
        self.num_refused += 1
        if len(self.refused) < MOST_REFUSALS_KEPT:
            self.refused.append(refusal)

    def encoded(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)


def shown(value: Any) -> str:
    """A value as a short text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_EXAMPLE else f"{text[:_LONGEST_EXAMPLE]}…"
