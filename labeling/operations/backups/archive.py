"""A continuous archive of the database: base backups, and the write-ahead log as it is written.

    DIR/base-20261130T120000Z/   a copy of the whole cluster, by pg_basebackup
    DIR/wal/                     the log since, by pg_receivewal: what a commit wrote is here milliseconds later

A dump loses what came after it; this loses what the last milliseconds held. The database's own machine must not be the
only one that holds it: DIR belongs on another disk, or is carried away by a tool of the company's.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labeling import environment
from labeling.embedded.paths import Places, database_account, reachable_database
from labeling.operations.backups.programs import BackupError, call, start

BASE, WAL, SLOT = "base-", "wal", "parley_archive"
_PARTIAL = ".partial"
_RESTART_SECONDS = 1.0  # after the server went away, and with it pg_receivewal


def keep_archive(
    folder: Path, *, base_every: timedelta, kept: int, is_over: Callable[[], bool], say: Callable[[str], object]
) -> None:
    """Receive the log until `is_over`, with a base backup whenever the newest is older than `base_every`.

    The log begins before the base backup, so that no moment is missing between the two. A server that is away is waited
    for. Raises BackupError where the first base backup cannot be made.
    """
    (folder / WAL).mkdir(parents=True, exist_ok=True)
    with suppress(BackupError):  # the slot is there already: it keeps the log that a pause of ours would miss
        call("pg_receivewal", "--create-slot", f"--slot={SLOT}", "--if-not-exists")
    receiving = _receive(folder)
    try:
        while not is_over():
            if receiving.poll() is not None:
                say("the server is away; the log is received again when it answers")
                time.sleep(_RESTART_SECONDS)
                receiving = _receive(folder)
            if _is_old(newest_base(folder), base_every):
                say(f"base backup: {take_base(folder)}")
                forget_old(folder, kept=kept)
            time.sleep(0.2)
    finally:
        receiving.terminate()
        receiving.wait()


def take_base(folder: Path) -> Path:
    """A new base backup in `folder`, whole or not at all. Raises BackupError."""
    base = folder / f"{BASE}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    staging = base.with_name(base.name + _PARTIAL)
    shutil.rmtree(staging, ignore_errors=True)
    try:
        call("pg_basebackup", f"--pgdata={staging}", "--checkpoint=fast", "--wal-method=stream", "--no-password")
        staging.rename(base)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return base


def newest_base(folder: Path) -> Path | None:
    """The newest whole base backup."""
    whole = sorted(path for path in folder.glob(f"{BASE}*") if path.suffix != _PARTIAL)
    return whole[-1] if whole else None


def forget_old(folder: Path, *, kept: int) -> None:
    """Delete all but the newest `kept` base backups, and the log that only those deleted needed."""
    bases = sorted(path for path in folder.glob(f"{BASE}*") if path.suffix != _PARTIAL)
    for old in bases[:-kept]:
        shutil.rmtree(old)
    call("pg_archivecleanup", folder / WAL, _first_segment(bases[-kept:][0]))


def restore_archive(folder: Path, var: Path) -> Path:
    """Make the embedded cluster of `var` from the newest base backup and all of the log; returns its folder.

    PostgreSQL replays the log at its next start. Raises BackupError where there is a cluster, or no base backup.
    """
    base = newest_base(folder)
    if base is None:
        raise BackupError(f"{folder} holds no base backup; name the folder that `manage.py archive` writes to")
    places, account = Places(var.resolve()), database_account()
    environment.make_var_directory(places.var)
    cluster = reachable_database(places, account)
    if (cluster / "PG_VERSION").exists():
        raise BackupError(f"{cluster} holds a database; move it away first, it may hold what the archive does not")
    staging = cluster.with_name(f"restoring-{cluster.name}")
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(base, staging)
    for segment in sorted((folder / WAL).iterdir()):  # a segment that is not full yet has its name and .partial
        shutil.copy2(segment, staging / "pg_wal" / segment.name.removesuffix(_PARTIAL))
    for leftover in ("postmaster.pid", "postmaster.opts"):
        (staging / leftover).unlink(missing_ok=True)
    if account:
        for path in (staging, *staging.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    staging.chmod(0o700)
    if cluster.exists():
        cluster.rmdir()  # empty, or it is no cluster's place
    staging.rename(cluster)
    return cluster


def _receive(folder: Path) -> "subprocess.Popen[bytes]":
    """pg_receivewal: it tells the server only of what is on our disk, so the slot keeps all that is not."""
    return start(
        "pg_receivewal",
        f"--directory={folder / WAL}",
        f"--slot={SLOT}",
        "--synchronous",
        "--no-loop",
        "--no-password",
        stderr=subprocess.DEVNULL,
    )


def _is_old(base: Path | None, most: timedelta) -> bool:
    if base is None:
        return True
    made = datetime.strptime(base.name.removeprefix(BASE), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return datetime.now(UTC) - made > most


def _first_segment(base: Path) -> str:
    """The segment of the log at which replaying this base backup begins, as its label says."""
    label = (base / "backup_label").read_text(encoding="utf-8")
    return label.partition("(file ")[2].partition(")")[0]
