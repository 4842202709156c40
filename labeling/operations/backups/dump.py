"""A backup of one moment: a dump of the database beside the published folders of the model store that its rows name.

    BACKUP/backup.json     when, of which version, every file with its SHA-256, every folder with its manifest's
    BACKUP/database.dump   pg_dump's own format
    BACKUP/store/…         policies, reward models, filters, exports and imports, at their places of the store

Rows and dump are of one snapshot. A folder is published before its row is written and never changes afterwards (an
export grows a list of what was erased), so folders that are copied after the snapshot are those that its rows mean.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from labeling.models import Export, Filter, Import, Policy, Ranking, RewardModel
from labeling.operations.backups.programs import BackupError, call
from records.manifest import MANIFEST, ManifestError, flush, read_manifest, sha256_of, verify_directory

FACTS_FILE = "backup.json"
DUMP_FILE = "database.dump"
STORE = "store"
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Backup:
    """What was written, and what could not be: folders that rows name and the store lacks."""

    folder: Path
    num_rankings: int
    num_bytes: int
    missing: tuple[str, ...]


def back_up(parent: Path) -> Backup:
    """Write a backup into a new folder of `parent`, named by the time. Whole or not at all; raises BackupError.

    A folder of the store that the newest backup there holds already is linked to it, not copied again.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"parley-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    if folder.exists():
        raise BackupError(f"{folder} exists already; wait a second")
    earlier = newest(parent)
    staging = folder.with_name(folder.name + _PARTIAL)
    try:
        (staging / STORE).mkdir(parents=True)
        facts, places = _dump(staging)
        missing = tuple(place for place in places if not _take(place, staging, earlier))
        facts |= {"missing": list(missing), "folders": dict(_folders(staging)), "files": dict(_files(staging))}
        written = staging / FACTS_FILE
        written.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        flush(written)
        staging.rename(folder)
        flush(parent)
    except OSError as error:
        raise BackupError(f"{staging}: {error.strerror or error}; free some room, or name another folder") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    num_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Backup(folder, facts["num_rankings"], num_bytes, missing)


def newest(parent: Path) -> Path | None:
    """The newest whole backup in a folder."""
    whole = sorted(path.parent for path in parent.glob(f"parley-*/{FACTS_FILE}") if _PARTIAL not in path.parent.name)
    return whole[-1] if whole else None


def read_facts(folder: Path) -> dict[str, Any]:
    """What backup.json says, after every file of the backup was checked against it. Raises BackupError."""
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
        for name, sha256 in facts["files"].items():
            if sha256_of(folder / name) != sha256:
                raise BackupError(f"{folder / name} is not what was backed up; take an earlier backup")
        for place, sha256 in facts["folders"].items():
            verify_directory(folder / STORE / place, expected_sha256=sha256)
    except FileNotFoundError as error:
        raise BackupError(f"{error.filename} is missing: {folder} is no whole backup; take another") from error
    except (ManifestError, ValueError, KeyError) as error:
        raise BackupError(f"{folder} is damaged: {error}; take an earlier backup") from error
    return facts


def _dump(staging: Path) -> tuple[dict[str, Any], list[str]]:
    """Dump the database; returns facts and the places of the store that rows name, all as of one snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # it waits for pg_dump, perhaps for hours
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
        applied = sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
        facts = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": version("parley"),
            "migrations": applied,
            "num_rankings": Ranking.objects.count(),
        }
        places = sorted(set(_places()))
        dump = staging / DUMP_FILE
        call("pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--snapshot={snapshot}", f"--file={dump}")
    flush(dump)
    return facts, places


def _places() -> Iterator[str]:
    for rows in (Policy.objects, RewardModel.objects, Filter.objects, Import.objects):
        yield from rows.exclude(store_path="").values_list("store_path", flat=True)
    done = Export.objects.filter(state=Export.State.DONE).exclude(store_path="")
    yield from done.values_list("store_path", flat=True)


def _take(place: str, staging: Path, earlier: Path | None) -> bool:
    """Copy a folder or file of the store, or link it to an earlier backup's. False where the store lacks it."""
    source, target = Path(settings.PARLEY_STORE) / place, staging / STORE / place
    if not source.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copy2(source, target)
        return True
    before = earlier / STORE / place if earlier else None
    is_same = before is not None and (before / MANIFEST).is_file() and _same(before / MANIFEST, source / MANIFEST)
    target.mkdir()
    lasting = set(read_manifest(source)["files"]) if is_same else set()  # the rest may have grown: what was erased
    for path in sorted(source.iterdir()):
        held = before / path.name if before is not None and path.name in lasting else None
        if held is not None and held.is_file():
            os.link(held, target / path.name)
        else:
            shutil.copy2(path, target / path.name)
            flush(target / path.name)
    return True


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def _folders(staging: Path) -> Iterator[tuple[str, str]]:
    """Published folders, each by its place in the store with the hash of its manifest, which holds its files'."""
    root = staging / STORE
    for manifest in sorted(root.rglob(MANIFEST)):
        yield str(manifest.parent.relative_to(root)), sha256_of(manifest)


def _files(staging: Path) -> Iterator[tuple[str, str]]:
    """All files that no manifest of a folder vouches for."""
    vouched = {manifest.parent for manifest in staging.rglob(MANIFEST)}
    for path in sorted(staging.rglob("*")):
        if path.is_file() and path.parent not in vouched:
            yield str(path.relative_to(staging)), sha256_of(path)
