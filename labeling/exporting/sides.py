"""The side of a record in one export: its split, drawn by prompt or by trainer as the export's filters say."""

from collections.abc import Sequence

from labeling.exporting.filters import Filters
from labeling.exporting.splits import split_of
from records import Message
from records.types import Split


def side_of(messages: Sequence[Message], filters: Filters, *, trainer: str | None = None) -> Split:
    """By trainer, what nobody's name is on goes by its prompt."""
    return split_of(
        messages,
        validation_percent=filters.validation_percent,
        test_percent=filters.test_percent,
        trainer=trainer if filters.split_by == "trainer" else None,
    )
