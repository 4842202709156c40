"""A backup comes back whole into an empty database and store; of one that is damaged nothing comes back."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from django.conf import settings
from django.db import connection

from labeling.models import Export, Project
from labeling.operations.backups import dump
from labeling.operations.backups.dump import back_up, newest
from labeling.operations.backups.programs import BackupError
from records import publish_directory, verify_directory
from records.names import ERASED_FILE
from tests.labeling.exports.material import make_ranking

pytestmark = pytest.mark.django_db(transaction=True)
CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Path:
    settings.PARLEY_STORE = tmp_path / "store"
    return settings.PARLEY_STORE  # type: ignore[no-any-return]


@pytest.fixture
def export(project: Project, store: Path) -> Export:
    """A finished export of a project with one ranking and a policy, and the folders of both."""
    make_ranking(project=project)
    assert project.policy is not None
    for place, name in (("exports/e-1", "rankings.jsonl"), (project.policy.store_path, "config.json")):
        staging = store / "staging"
        staging.mkdir(parents=True)
        (staging / name).write_text('{"id": "r-1"}\n')
        publish_directory(staging, store / place)
    return Export.objects.create(
        project=project, kind="rankings", state=Export.State.DONE, store_path="exports/e-1", num_records=1
    )


class Elsewhere:
    """Another machine: an empty database of its own and an empty store, and manage.py told of them."""

    def __init__(self, name: str, store: Path) -> None:
        values = connection.settings_dict
        self.store = store
        self.url = f"postgresql://{values['USER']}@/{name}?host={quote(str(values['HOST']), safe='/')}"

    def manage(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {"DATABASE_URL": self.url, "PARLEY_STORE": str(self.store)}
        environment |= {"REDIS_URL": settings.REDIS_URL, "DJANGO_SETTINGS_MODULE": "labeling.settings"}
        command = [sys.executable, str(CHECKOUT / "manage.py"), *map(str, arguments)]
        return subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=240)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        found = psycopg2.connect(self.url)
        try:
            with found.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            found.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    name = f"restored_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # files are made and flushed, beside whatever else the machine does
        cursor.execute(f"CREATE DATABASE {name}")
    yield Elsewhere(name, tmp_path / "other-store")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
        cursor.execute("RESET statement_timeout")


RANKINGS = "SELECT id::text, tiers::text, seconds, trainer_id FROM labeling_ranking ORDER BY id"


def test_a_backup_comes_back_whole_elsewhere_and_replaces_only_when_told(
    export: Export, store: Path, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    (store / "exports" / "e-1" / ERASED_FILE).write_text('{"id": "r-0"}\n')
    made = back_up(tmp_path / "backups")
    assert (made.num_rankings, made.missing) == (1, ())
    done = elsewhere.manage("restore", made.folder)
    assert done.returncode == 0, done.stderr
    assert "1 rankings, 2 folders put back" in done.stdout
    with connection.cursor() as cursor:
        cursor.execute(RANKINGS)
        before = cursor.fetchall()
    assert elsewhere.ask(RANKINGS) == before
    assert elsewhere.ask("SELECT count(*) FROM labeling_session") == [(0,)]
    assert elsewhere.ask("SELECT verb FROM labeling_auditevent ORDER BY id DESC LIMIT 1") == [("restore backup",)]
    verify_directory(elsewhere.store / "exports" / "e-1")
    assert (elsewhere.store / "exports" / "e-1" / ERASED_FILE).exists()

    refused = elsewhere.manage("restore", made.folder)
    assert refused.returncode != 0
    assert "holds a platform already" in refused.stderr
    with psycopg2.connect(elsewhere.url) as other:  # a worker that was forgotten
        assert "stop the platform" in elsewhere.manage("restore", made.folder, "--replace").stderr
    other.close()
    changing = psycopg2.connect(elsewhere.url)
    with changing, changing.cursor() as cursor:
        cursor.execute("UPDATE labeling_ranking SET seconds = 999; CREATE TABLE left_over (id int)")
    changing.close()
    assert elsewhere.manage("restore", made.folder, "--replace").returncode == 0
    assert elsewhere.ask(RANKINGS) == before
    assert elsewhere.ask("SELECT to_regclass('left_over')") == [(None,)]


@pytest.mark.parametrize("damaged", [dump.DUMP_FILE, "store/exports/e-1/rankings.jsonl"])
def test_a_damaged_backup_is_refused_and_changes_nothing(
    export: Export, elsewhere: Elsewhere, tmp_path: Path, damaged: str
) -> None:
    folder = back_up(tmp_path / "backups").folder
    content = bytearray((folder / damaged).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / damaged).write_bytes(content)
    done = elsewhere.manage("restore", folder)
    assert done.returncode != 0
    assert "earlier backup" in done.stderr
    assert "Traceback" not in done.stderr
    assert elsewhere.ask("SELECT to_regclass('labeling_ranking')") == [(None,)]
    assert not elsewhere.store.exists()


def test_a_backup_of_a_newer_version_is_refused(export: Export, elsewhere: Elsewhere, tmp_path: Path) -> None:
    folder = back_up(tmp_path / "backups").folder
    facts = json.loads((folder / dump.FACTS_FILE).read_text())
    facts["migrations"].append("labeling.9999_of_tomorrow")
    (folder / dump.FACTS_FILE).write_text(json.dumps(facts))
    done = elsewhere.manage("restore", folder)
    assert done.returncode != 0
    assert "labeling.9999_of_tomorrow is unknown here" in done.stderr


def test_what_has_not_changed_is_linked_to_the_backup_before(
    export: Export, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tmp_path / "backups"
    first = back_up(parent).folder
    first = first.rename(parent / "parley-20260101T000000Z")
    (store / "exports" / "e-1" / ERASED_FILE).write_text('{"id": "r-1"}\n')
    second = back_up(parent).folder
    kept = "store/exports/e-1/rankings.jsonl"
    assert (first / kept).stat().st_ino == (second / kept).stat().st_ino
    assert not (first / "store/exports/e-1" / ERASED_FILE).exists()
    assert newest(parent) == second


def test_a_backup_that_breaks_off_leaves_nothing_that_looks_whole(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dump, "_take", full)
    with pytest.raises(BackupError, match="No space left on device; free some room"):
        back_up(tmp_path / "backups")
    assert newest(tmp_path / "backups") is None
    assert list((tmp_path / "backups").iterdir()) == []


def test_what_the_store_lacks_is_named(export: Export, store: Path, tmp_path: Path) -> None:
    Export.objects.update(store_path="exports/gone")
    assert back_up(tmp_path / "backups").missing == ("exports/gone",)
