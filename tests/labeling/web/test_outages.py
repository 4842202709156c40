"""The database is away: 503 and a page that stands by itself, never a mistake of ours and never a sign-out."""

import errno
from collections.abc import Iterator

import psycopg2
import pytest
from django.db import DatabaseError, connection
from django.test import Client

from labeling.models import User
from labeling.web.outages import is_outage
from tests.labeling.api.api_client import Program
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def away() -> Iterator[None]:
    """From now on no connection can be had."""
    host = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nobody/listens/here"
    yield
    connection.close()
    connection.settings_dict["HOST"] = host


@pytest.fixture
def browser(alice: User) -> Client:
    client = as_user(alice)
    client.raise_request_exception = False
    return client


def test_a_page_says_that_it_will_be_back(browser: Client, away: None) -> None:
    answer = browser.get("/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "Parley will be back in a moment" in answer.content.decode()
    assert "sessionid" not in answer.cookies, "who was signed in stays so"


def test_a_script_is_told_in_json(browser: Client, away: None) -> None:
    answer = browser.post("/p/sky/rank/", "{}", content_type="application/json", headers={"Accept": "application/json"})
    assert answer.status_code == 503
    assert "What was saved is safe" in answer.json()["error"]


def test_a_program_is_told_when_to_come_again(alice: User, request: pytest.FixtureRequest) -> None:
    program = Program(alice)
    program.client.raise_request_exception = False
    request.getfixturevalue("away")
    answer = program.get("projects")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "Idempotency-Key" in answer.json()["what_to_do"]


@pytest.mark.parametrize(
    ("statement", "away"),
    [
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)", True),
        ("SELECT pg_terminate_backend(pg_backend_pid())", True),
        ("SET TRANSACTION READ ONLY; CREATE TABLE kept (number int)", True),
        ("SELECT 1 / 0", False),
        ("SELECT nothing FROM nowhere", False),
    ],
)
def test_a_mistake_in_a_statement_is_no_outage(statement: str, away: bool) -> None:
    with pytest.raises(DatabaseError) as raised, connection.cursor() as cursor:
        cursor.execute(f"BEGIN; {statement}")
    connection.close()
    assert is_outage(raised.value) is away


def test_a_full_disk_is_one_and_a_missing_file_is_not() -> None:
    assert is_outage(OSError(errno.ENOSPC, "No space left on device"))
    assert not is_outage(FileNotFoundError(errno.ENOENT, "No such file"))
    assert not is_outage(ValueError("a mistake"))
    assert not is_outage(None)


@pytest.mark.parametrize(
    ("cause", "away"),
    [
        # What psycopg2 raised, of no class of its own and without a code, as the disk filled under a page.
        (psycopg2.DatabaseError("server closed the connection unexpectedly"), True),
        (psycopg2.ProgrammingError("can't adapt type 'object'"), False),
        (None, False),  # Django's own: "Save with update_fields did not affect any rows."
    ],
)
def test_a_server_lost_in_the_middle_of_an_answer_is_one(cause: Exception | None, away: bool) -> None:
    error = DatabaseError(str(cause))
    error.__cause__ = cause
    assert is_outage(error) is away
