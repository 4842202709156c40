"""Whether an export contains a row, looked up in its file by bisection: the lines are sorted by key."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings

from labeling.exports.formats import RECORDS
from labeling.exports.records import SOURCES
from labeling.models import Adjudication, Dialogue, DrawnText, Export, Prompt, Ranking, Thumb

KINDS: dict[type[Any], str] = {
    Ranking: Export.Kind.RANKINGS,
    Adjudication: Export.Kind.RANKINGS,
    Dialogue: Export.Kind.DEMONSTRATIONS,
    Prompt: Export.Kind.PROMPTS,
    Thumb: Export.Kind.THUMBS,
    DrawnText: Export.Kind.LABELS,
}
Row = Ranking | Adjudication | Dialogue | Prompt | Thumb | DrawnText
Key = tuple[str, ...]


def holds(export: Export, row: Row) -> bool:
    """Whether the export's file contains this row.

    False also where the file is no longer in the store, and for exports in other formats, which nothing is trained on.
    """
    return num_held(export, [row]) == 1


def num_held(export: Export, rows: Iterable[Row]) -> int:
    """How many of these rows the export's file contains."""
    path = records_path(export)
    if export.format != RECORDS or not path.is_file():
        return 0
    with open(path, "rb") as file:
        size = path.stat().st_size
        return sum(KINDS[type(row)] == export.kind and _find(file, size, key_of_row(row)) for row in rows)


def held_keys(export: Export, keys: Iterable[Key]) -> list[Key]:
    """Those of these keys that the export's file contains; none where it is gone, or in another format."""
    path = records_path(export)
    if export.format != RECORDS or not path.is_file():
        return []
    with open(path, "rb") as file:
        size = path.stat().st_size
        return [key for key in keys if _find(file, size, key)]


def records_path(export: Export) -> Path:
    """The file that holds the records of a finished export."""
    return Path(settings.PARLEY_STORE) / export.store_path / SOURCES[Export.Kind(export.kind)].file_name


def key_of(values: dict[str, Any]) -> Key:
    """The key that the lines of a file are sorted by."""
    return (values["comparison_id"], values["id"]) if "comparison_id" in values else (values["id"],)


def key_of_row(row: Row) -> Key:
    return (str(row.comparison_id), str(row.id)) if isinstance(row, Ranking | Adjudication) else (str(row.id),)


def _find(file: Any, size: int, key: Key) -> bool:
    """Bisection over the byte offsets of a file whose lines are sorted by key."""
    low, high = 0, size  # invariant: the line, if present, starts in [low, high)
    while low < high:
        middle = (low + high) // 2
        start = _next_line_start(file, middle)
        if start >= high:
            high = middle
            continue
        line = file.readline()
        found = key_of(json.loads(line))
        if found == key:
            return True
        if found < key:
            low = start + len(line)
        else:
            high = middle
    return False


def _next_line_start(file: Any, place: int) -> int:
    """The offset of the first line that starts at or after `place`; leaves the file positioned there."""
    if place == 0:
        file.seek(0)
        return 0
    file.seek(place - 1)
    file.readline()
    return int(file.tell())
