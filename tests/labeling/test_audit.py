"""The audit only grows: the database refuses to change, delete or empty it, whoever asks for it and however."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

from labeling.models import AuditEvent, User
from tests.labeling.audit import audit_maintenance

pytestmark = pytest.mark.django_db
TABLE = AuditEvent._meta.db_table


@pytest.fixture
def event(alice: User) -> AuditEvent:
    return AuditEvent.note("submit ranking", alice, by=alice)


@contextmanager
def refused(what: str) -> Iterator[None]:
    said = f"The audit only grows: {what} of {TABLE} is refused"
    with pytest.raises(ProgrammingError, match=said), transaction.atomic():
        yield


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


CHANGES: dict[str, Callable[[AuditEvent], Any]] = {
    "save": lambda event: event.save(update_fields=["verb"]),
    "update": lambda event: AuditEvent.objects.filter(id=event.id).update(verb="x"),
    "bulk_update": lambda event: AuditEvent.objects.bulk_update([event], ["verb"]),
    "raw": lambda event: run(f"UPDATE {TABLE} SET verb = 'x'"),
    "upsert": lambda event: run(f"INSERT INTO {TABLE} SELECT * FROM {TABLE} ON CONFLICT (id) DO UPDATE SET verb = 'x'"),
}
DELETIONS: dict[str, Callable[[AuditEvent], Any]] = {
    "delete": lambda event: event.delete(),
    "of all": lambda event: AuditEvent.objects.all().delete(),
    "raw": lambda event: run(f"DELETE FROM {TABLE}"),
}


@pytest.mark.parametrize("way", CHANGES)
def test_an_event_cannot_be_changed(way: str, event: AuditEvent) -> None:
    with refused("UPDATE"):
        CHANGES[way](event)
    event.refresh_from_db()
    assert event.verb == "submit ranking"


@pytest.mark.parametrize("way", DELETIONS)
def test_an_event_cannot_be_deleted(way: str, event: AuditEvent) -> None:
    identifier = event.id
    with refused("DELETE"):
        DELETIONS[way](event)
    assert AuditEvent.objects.filter(id=identifier).exists()


def test_the_audit_cannot_be_emptied(event: AuditEvent) -> None:
    run("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the end of the transaction would refuse it first
    with audit_maintenance(""):  # as anywhere but in a test database
        with refused("TRUNCATE"):
            run(f"TRUNCATE {TABLE}")
        with refused("TRUNCATE"):
            run("TRUNCATE labeling_user CASCADE")
    assert AuditEvent.objects.filter(id=event.id).exists()


def test_a_test_database_can_be_emptied_and_no_more(event: AuditEvent) -> None:
    with refused("DELETE"):
        event.delete()
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run(f"TRUNCATE {TABLE}")
    assert not AuditEvent.objects.exists()


def test_its_owner_mends_it_in_a_session_that_says_so(event: AuditEvent) -> None:
    with audit_maintenance():
        AuditEvent.objects.filter(id=event.id).update(detail={"name": "erased"})
    event.refresh_from_db()
    assert event.detail == {"name": "erased"}
    with refused("UPDATE"):
        event.save()


def test_a_role_that_does_not_own_the_table_is_refused_whatever_it_says(event: AuditEvent) -> None:
    run("CREATE ROLE parley_application")
    run(f"GRANT ALL ON {TABLE} TO parley_application")
    run("SET LOCAL ROLE parley_application")
    with audit_maintenance(), refused("DELETE"):
        run(f"DELETE FROM {TABLE}")
    run("RESET ROLE")


@pytest.mark.django_db(transaction=True)
def test_the_guard_can_be_taken_back_with_its_migration() -> None:
    try:
        call_command("migrate", "labeling", "0024", verbosity=0)
        run(f"DELETE FROM {TABLE}")
    finally:
        call_command("migrate", "labeling", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'audit_%%'")
        assert cursor.fetchone() == (2,)
