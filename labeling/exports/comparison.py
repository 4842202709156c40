"""Differences between two exports by the ids of records: added, removed and changed.

Both files are sorted by key and their lines are canonical, so one merge pass over both finds all differences, and equal
lines need no parsing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from labeling.exports.formats import RECORDS
from labeling.exports.lookup import Key, key_of, records_path
from labeling.models import Export

MOST_COUNTED = 100_000  # differences; counting stops there: such exports have little in common
MOST_SHOWN = 20  # records of each kind


@dataclass
class Differences:
    """Counts of each kind of difference, the first records of each, and for changed ones the fields that differ."""

    num_same: int = 0
    num_added: int = 0
    num_removed: int = 0
    num_changed: int = 0
    is_whole: bool = True  # False where counting stopped at MOST_COUNTED
    added: list[dict[str, Any]] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[dict[str, Any], list[str]]] = field(default_factory=list)

    @property
    def num(self) -> int:
        return self.num_added + self.num_removed + self.num_changed


def compare_exports(older: Export, newer: Export) -> Differences:
    """How `newer` differs from `older`. Raises ValueError with a message for people where they cannot be compared."""
    if older.kind != newer.kind:
        raise ValueError(_("Exports of two kinds hold different things; choose two of one kind."))
    for export in (older, newer):
        if export.format != RECORDS:
            raise ValueError(_("Only exports in the records format say which record is which."))
        if not records_path(export).is_file():
            raise ValueError(_("The files of one of them are no longer in the store."))
    found = Differences()
    if older.manifest_sha256 == newer.manifest_sha256:
        found.num_same = older.num_records
        return found
    with open(records_path(older), "rb") as before, open(records_path(newer), "rb") as after:
        _merge(iter(before), iter(after), found)
    return found


def _merge(before: Iterator[bytes], after: Iterator[bytes], found: Differences) -> None:
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        if old == new:
            found.num_same += 1
            old, new = next(before, None), next(after, None)
            continue
        if found.num >= MOST_COUNTED:
            found.is_whole = False
            return
        was, now = _record(old), _record(new)
        if now is None or (was is not None and was[0] < now[0]):
            assert was is not None
            found.num_removed += 1
            _show(found.removed, was[1])
            old = next(before, None)
        elif was is None or now[0] < was[0]:
            found.num_added += 1
            _show(found.added, now[1])
            new = next(after, None)
        else:
            found.num_changed += 1
            if len(found.changed) < MOST_SHOWN:
                found.changed.append((now[1], _changed_fields(was[1], now[1])))
            old, new = next(before, None), next(after, None)


def _record(line: bytes | None) -> tuple[Key, dict[str, Any]] | None:
    if line is None:
        return None
    values = json.loads(line)
    return key_of(values), values


def _show(shown: list[dict[str, Any]], values: dict[str, Any]) -> None:
    if len(shown) < MOST_SHOWN:
        shown.append(values)


def _changed_fields(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
