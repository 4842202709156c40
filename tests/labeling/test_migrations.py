"""Migrations while the platform serves: the rules that files keep, and all since the last release under traffic."""

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader

from labeling.models import Project, User
from labeling.operations.migration import migrate_while_serving
from tests.labeling.factories import make_comparison, make_dialogue, make_user
from tests.labeling.migration_rules import problems_of

CHECKOUT = Path(__file__).resolve().parents[2]
SINCE = 41  # migrations of before are with every installation


def number_of(name: str) -> int:
    return int(name[:4])


def last_release() -> str:
    """The last migration of the release that `make containers` upgrades from."""
    found = re.search(r"^LAST_RELEASE=(\d{4})", (CHECKOUT / ".ci" / "containers").read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_no_migration_locks_a_large_table_for_long_or_breaks_the_code_of_before() -> None:
    ours = [one for (app, _name), one in MigrationLoader(None).disk_migrations.items() if app == "labeling"]
    looked_at = [one for one in ours if number_of(one.name) >= SINCE]
    assert looked_at
    assert [what for one in looked_at for what in problems_of(one)] == []


def migration_of(*operations: Any, atomic: bool = True) -> migrations.Migration:
    made = migrations.Migration("0099_of_a_test", "labeling")
    made.operations, made.atomic = list(operations), atomic
    return made


INDEX = models.Index(fields=("note",), name="by_note")
CHECK = models.CheckConstraint(condition=models.Q(seconds__gte=0), name="not_negative")
REFUSED = {
    "an index": (migrations.AddIndex("ranking", INDEX), "use AddIndexConcurrently"),
    "an index in a transaction": (AddIndexConcurrently("ranking", INDEX), "atomic = False"),
    "a column without a default": (migrations.AddField("user", "age", models.IntegerField(default=0)), "db_default"),
    "a column with an index": (
        migrations.AddField("lease", "kind", models.CharField(max_length=9, null=True, db_index=True)),
        "db_index=False",
    ),
    "a column that refers": (
        migrations.AddField("lease", "of", models.ForeignKey("labeling.User", models.CASCADE, null=True)),
        "db_constraint=False",
    ),
    "a constraint": (migrations.AddConstraint("ranking", CHECK), "NOT VALID"),
    "NOT NULL": (migrations.AlterField("ranking", "seconds", models.FloatField()), "two steps"),
    "another name": (migrations.RenameField("user", "email", "mail"), "old name"),
    "an index by SQL": (migrations.RunSQL("CREATE INDEX x ON labeling_message (role)"), "locks message"),
    "a change by SQL": (migrations.RunSQL("ALTER TABLE labeling_ranking ALTER note SET NOT NULL"), "locks ranking"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_rules_refuse(what: str) -> None:
    operation, said = REFUSED[what]
    (problem,) = (
        problems_of(migration_of(operation))
        if what != "a column that refers"
        else (problems_of(migration_of(operation))[-1],)
    )
    assert said in problem
    assert problem.startswith("0099_of_a_test, operation 0")


def test_the_rules_let_pass_what_upgrading_says() -> None:
    index = migration_of(AddIndexConcurrently("ranking", INDEX), atomic=False)
    steps = migration_of(
        migrations.AddField("ranking", "mood", models.CharField(max_length=9, db_default="")),
        migrations.RunSQL("ALTER TABLE labeling_ranking ADD CONSTRAINT c CHECK (seconds >= 0) NOT VALID"),
        migrations.RunSQL("CREATE INDEX CONCURRENTLY x ON labeling_message (role)"),
        migrations.AddIndex("project", INDEX),
        migrations.CreateModel("Mood", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddIndex("mood", INDEX),
    )
    assert problems_of(index) + problems_of(steps) == []


class Traffic:
    """People at work on the tables of the last release: short writes, and readers that keep a transaction open."""

    def __init__(self, project: Project, trainers: list[User], comparisons: list[Any], dialogue: Any) -> None:
        self.project, self.trainers, self.comparisons, self.dialogue = project, trainers, comparisons, dialogue
        self.slowest, self.num_writes, self.errors = 0.0, 0, list[str]()
        self._over = threading.Event()

    @contextmanager
    def going(self) -> Iterator[None]:
        works: list[Callable[[Any], None]] = [self._rank, self._write, self._read]
        threads = [threading.Thread(target=self._run, args=(work,), daemon=True) for work in works]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            self._over.set()
            for one in threads:
                one.join(30)

    def _run(self, work: Callable[[Any], None]) -> None:
        values = connection.settings_dict
        session = psycopg2.connect(host=values["HOST"], dbname=values["NAME"], user=values["USER"])
        psycopg2.extras.register_uuid(conn_or_curs=session)
        with session, session.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = '{settings.LOCK_TIMEOUT_SECONDS}s'")
        try:
            while not self._over.is_set():
                with session, session.cursor() as cursor:
                    work(cursor)
        except psycopg2.Error as error:
            self.errors.append(f"{work.__name__}: {error}")
        finally:
            session.close()

    def _say(self, cursor: Any, statement: str, *values: Any) -> None:
        began = time.monotonic()
        cursor.execute(statement, values)
        self.slowest = max(self.slowest, time.monotonic() - began)

    def _rank(self, cursor: Any) -> None:
        """A claim and a submission, with the columns of the last release."""
        say = self._say
        say(cursor, "SELECT id FROM labeling_comparison WHERE open_slots > 0 LIMIT 1 FOR UPDATE SKIP LOCKED")
        comparison = self.comparisons[self.num_writes % len(self.comparisons)].pk
        trainer, lease = self.trainers[self.num_writes % len(self.trainers)].pk, uuid.uuid4()
        say(cursor, "DELETE FROM labeling_ranking WHERE comparison_id = %s AND trainer_id = %s", comparison, trainer)
        say(cursor, "DELETE FROM labeling_lease WHERE comparison_id = %s AND trainer_id = %s", comparison, trainer)
        say(
            cursor,
            "INSERT INTO labeling_lease (id, comparison_id, trainer_id, state, reason, shown_order, draft,"
            " draft_version, skip_reason, seconds, opened_at, expires_at)"
            " VALUES (%s, %s, %s, 'submitted', '', '[]', '{}', 0, '', 0, now(), now())",
            lease, comparison, trainer,
        )  # fmt: skip
        say(
            cursor,
            "INSERT INTO labeling_ranking (id, comparison_id, trainer_id, lease_id, submission_key, tiers, shown_order,"
            " layout, source, outside_trainer, ranked_at) VALUES (%s, %s, %s, %s, %s, '[]', '[]', '', '', '', now())",
            uuid.uuid4(), comparison, trainer, lease, uuid.uuid4(),
        )  # fmt: skip
        say(
            cursor,
            "INSERT INTO labeling_auditevent (at, by_id, verb, subject_type, subject_id, detail)"
            " VALUES (now(), %s, 'submit ranking', 'lease', %s, '{}')",
            trainer, str(lease),
        )  # fmt: skip
        self.num_writes += 1

    def _write(self, cursor: Any) -> None:
        """Autosave of a draft, and a look at people, projects and policies as every page has."""
        self._say(cursor, "UPDATE labeling_dialogue SET version = version + 1 WHERE id = %s", self.dialogue.pk)
        self._say(
            cursor, "UPDATE labeling_message SET content = content || '.' WHERE dialogue_id = %s", self.dialogue.pk
        )
        for table in ("user", "membership", "project", "policy", "rewardmodel", "trainingjob", "webhook", "export"):
            self._say(cursor, f"SELECT * FROM labeling_{table} LIMIT 1")

    def _read(self, cursor: Any) -> None:
        """An export, or a page that is slow: every table stays in a transaction for a while."""
        for table in ("ranking", "comparison", "dialogue", "user", "policy", "webhook"):
            self._say(cursor, f"SELECT count(*) FROM labeling_{table}")
        time.sleep(0.3)


@pytest.mark.django_db(transaction=True)
def test_migrations_since_the_last_release_run_under_traffic_and_nobody_waits_for_long(project: Project) -> None:
    trainers = [make_user(username=f"t-{number}", projects=[project]) for number in range(3)]
    comparisons = [make_comparison(project=project, rankings_wanted=9) for _ in range(5)]
    dialogue = make_dialogue(project=project, author=trainers[0])
    traffic = Traffic(project, trainers, comparisons, dialogue)
    try:
        call_command("migrate", "labeling", last_release(), verbosity=0)
        with traffic.going():
            time.sleep(0.5)
            before = traffic.num_writes
            migrate_while_serving()
            during = traffic.num_writes - before
    finally:
        call_command("migrate", verbosity=0)
    assert traffic.errors == []
    assert before > 0
    assert during > 0  # work went on meanwhile
    # No statement gave up, though each does as those of pages do, after as many seconds.
    assert traffic.slowest < settings.LOCK_TIMEOUT_SECONDS
