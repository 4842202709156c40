"""The report of an import: how many records were imported, were there already, or were refused and why."""

from dataclasses import asdict, dataclass, field
from typing import Any

from labeling.imports.reader import Refusal

MOST_REFUSALS_KEPT = 200


@dataclass
class ImportReport:
    """Counts of records, and of entries without any. `refused` keeps the first of the `num_refused` refusals."""

    format: str
    imported: int = 0
    repeated: int = 0
    num_empty: int = 0  # valid entries without a record of the wanted kind
    num_refused: int = 0
    refused: list[Refusal] = field(default_factory=list)
    stopped: bool = False  # something was refused and on_error was stop: nothing was imported

    def refuse(self, refusal: Refusal) -> None:
        self.num_refused += 1
        if len(self.refused) < MOST_REFUSALS_KEPT:
            self.refused.append(refusal)

    def encoded(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)
