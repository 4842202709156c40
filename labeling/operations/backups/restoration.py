"""The way back from a backup: the database in one transaction, then the folders that the store lacks.

Whoever was signed out or lost a token after the backup would come in again, so all sessions end with it; tokens, which
programs depend on, stay, and whoever restores is told to look at them.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from labeling.models import ApiToken, AuditEvent, Project, Ranking, Session
from labeling.operations.backups.dump import DUMP_FILE, STORE, read_facts
from labeling.operations.backups.programs import BackupError, finished, program, start
from records.manifest import MANIFEST, flush, sha256_of, verify_directory

_EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"


@dataclass(frozen=True)
class Restoration:
    """What came back."""

    made_at: str
    num_rankings: int
    num_folders: int  # that the store lacked
    num_tokens: int  # of the API, valid again
    missing: tuple[str, ...]  # that the backup lacked too


def restore(folder: Path, *, replace: bool = False) -> Restoration:
    """Put the database and the store back to what they were. Raises BackupError, and then nothing has changed.

    Without `replace` only into a database that has none of our tables.
    """
    facts = read_facts(folder)
    _require_known(facts)
    _require_alone()
    if not replace and _has_tables():
        raise BackupError(
            "this database holds a platform already; restore into an empty one, or give --replace to lose what is there"
        )
    connection.close()
    _restore_database(folder / DUMP_FILE)
    num_folders = sum(_put_back(folder, place, sha256) for place, sha256 in facts["folders"].items())
    num_folders += sum(_put_file_back(folder, name) for name in facts["files"] if name.startswith(f"{STORE}/"))
    if (num := Ranking.objects.count()) != facts["num_rankings"]:
        raise BackupError(f"{num} rankings came back of {facts['num_rankings']}: the dump is not of this backup")
    Session.objects.all().delete()
    _note(facts)
    num_tokens = ApiToken.objects.filter(revoked_at=None).count()
    return Restoration(facts["made_at"], num, num_folders, num_tokens, tuple(facts["missing"]))


def _require_known(facts: dict[str, Any]) -> None:
    known = {f"{app}.{name}" for app, name in MigrationExecutor(None).loader.disk_migrations}
    if unknown := sorted(set(facts["migrations"]) - known):
        raise BackupError(
            f"this backup is of a newer version ({facts['version']}): {unknown[-1]} is unknown here; install that "
            "version, restore with it"
        )


def _require_alone() -> None:
    """Refuse while others are connected: they would work on rows that are about to be replaced."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        ((num,),) = cursor.fetchall()
    if num:
        raise BackupError(f"{num} others are connected to this database; stop the platform and its workers first")


def _has_tables() -> bool:
    return AuditEvent._meta.db_table in connection.introspection.table_names()


def _restore_database(dump: Path) -> None:
    """One transaction: whatever goes wrong, the database is as it was."""
    script = subprocess.Popen([program("pg_restore"), "--no-owner", "--no-acl", "--file=-", str(dump)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    arguments = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--command={_EMPTY}")
    psql = start("psql", *arguments, "--file=-", stdin=script.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, said = psql.communicate()
    _, complaint = script.communicate()
    finished("psql", subprocess.CompletedProcess([], psql.returncode, b"", said))
    finished("pg_restore", subprocess.CompletedProcess([], script.returncode, b"", complaint))


def _put_back(folder: Path, place: str, sha256: str) -> bool:
    """Publish a folder in the store again, unless it is there as it was."""
    source, target = folder / STORE / place, Path(settings.PARLEY_STORE) / place
    if (target / MANIFEST).is_file() and sha256_of(target / MANIFEST) == sha256:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.with_name(f"restoring-{target.name}")
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(source, staging)
    verify_directory(staging, expected_sha256=sha256)
    if target.exists():  # another of that name, which the database that was replaced knew
        target.rename(target.with_name(f"replaced-{target.name}"))
    staging.rename(target)
    flush(target.parent)
    return True


def _put_file_back(folder: Path, name: str) -> bool:
    source, target = folder / name, Path(settings.PARLEY_STORE) / Path(name).relative_to(STORE)
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    return True


def _note(facts: dict[str, Any]) -> None:
    subject = Project.objects.order_by("created_at").first()
    if subject is not None:
        AuditEvent.note("restore backup", subject, by=None, made_at=facts["made_at"], version=facts["version"])
