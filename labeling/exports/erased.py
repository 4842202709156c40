"""Records of frozen exports that were erased since: their ids stand beside the export, and every reader skips them.

The bytes of an export never change; what is trained on it reads around the erased records (records.lines).
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from django.conf import settings

from labeling.exports.files import directory_of
from labeling.exports.lookup import Key, held_keys
from labeling.models import Export, Project
from records.lines import erased_ids
from records.names import ERASED_FILE


def mark_erased(project: Project, keys_by_kind: Mapping[str, Iterable[Key]]) -> int:
    """Put the ids beside every export of the project that holds such a record; returns how many records were marked."""
    num = 0
    for export in project.exports.filter(state=Export.State.DONE, kind__in=list(keys_by_kind)):
        held = held_keys(export, [tuple(key) for key in keys_by_kind[export.kind]])
        num += _add(directory_of(export), {key[-1] for key in held})
    return num


def num_erased(export: Export) -> int:
    """How many of the export's records were erased since it was made."""
    return len(erased_ids(Path(settings.PARLEY_STORE) / export.store_path)) if export.store_path else 0


def _add(directory: Path, ids: set[str]) -> int:
    """Add ids to the file, whole or not at all: a reader sees the list before or after."""
    before = erased_ids(directory)
    new = ids - before
    if new:
        written = directory.with_name(f"tmp-{directory.name}-{os.getpid()}-{ERASED_FILE}")
        written.write_text("".join(f"{json.dumps({'id': one})}\n" for one in sorted(before | new)), encoding="utf-8")
        written.replace(directory / ERASED_FILE)
    return len(new)
