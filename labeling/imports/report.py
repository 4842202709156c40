"""What an import came to: how much came in, how much was there already, what was refused and why."""

from dataclasses import asdict, dataclass, field
from typing import Any

from labeling.imports.reader import Refusal

MOST_REFUSALS_KEPT = 200


@dataclass
class ImportReport:
    """Counts of records, and of entries that gave none. `refused` keeps the first refusals of `num_refused`."""

    format: str
    imported: int = 0
    repeated: int = 0
    num_empty: int = 0  # sound entries that hold nothing of the kind that was wanted
    num_refused: int = 0
    refused: list[Refusal] = field(default_factory=list)
    stopped: bool = False  # something was refused and on_error was stop: nothing was imported

    def refuse(self, refusal: Refusal) -> None:
        self.num_refused += 1
        if len(self.refused) < MOST_REFUSALS_KEPT:
            self.refused.append(refusal)

    def encoded(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)
