"""The page of the audit: what it finds, what it gives away, and to whom."""

import json
from typing import Any

import pytest
from django.test import Client

from labeling.models import AuditEvent, Project, User
from tests.labeling.factories import make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db
URL = "/audit/"


@pytest.fixture
def admins_browser() -> Client:
    return as_user(make_user(username="adam", role="admin"))


@pytest.fixture
def events(project: Project, alice: User) -> list[AuditEvent]:
    other = make_project(slug="elsewhere")
    return [
        AuditEvent.note("start training", project, by=alice, kind="ppo", output="<b>bold</b>"),
        AuditEvent.note("close round", other, by=None),
        AuditEvent.note("submit ranking", alice, by=alice),
    ]


def rows(client: Client, query: str = "") -> int:
    page = client.get(f"{URL}{query}").content.decode()
    return page.partition("<tbody>")[2].count("<tr>")


def test_an_admin_reads_it_newest_first(admins_browser: Client, events: list[AuditEvent]) -> None:
    page = admins_browser.get(URL).content.decode()
    assert page.index("submit ranking") < page.index("close round") < page.index("start training")
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_it_is_narrowed(admins_browser: Client, events: list[AuditEvent], project: Project) -> None:
    assert rows(admins_browser) == 3
    assert rows(admins_browser, f"?project={project.id}") == 1
    assert rows(admins_browser, "?whose=parley") == 1
    assert rows(admins_browser, "?q=ali") == 2
    assert rows(admins_browser, "?q=start") == 1
    assert rows(admins_browser, "?q=start&whose=parley") == 0


def test_what_is_chosen_is_downloaded_and_that_is_written_down(
    admins_browser: Client, events: list[AuditEvent], project: Project
) -> None:
    answer = admins_browser.get(f"{URL}download/?q=ali&order=newest&after=x")
    lines = [json.loads(line) for line in b"".join(answer).decode().splitlines()]  # type: ignore[call-overload]
    assert [line["verb"] for line in lines] == ["start training", "submit ranking"]
    assert lines[0]["project"] == project.slug
    assert lines[0]["detail"] == {"kind": "ppo", "output": "<b>bold</b>"}
    noted = AuditEvent.objects.get(verb="download audit")
    assert noted.detail == {"narrowed": {"q": "ali"}}


@pytest.mark.parametrize("name", ["alice", "rita"])
def test_nobody_else_reads_it(name: str, request: pytest.FixtureRequest) -> None:
    browser = as_user(request.getfixturevalue(name))
    for address in (URL, f"{URL}download/"):
        assert browser.get(address).status_code == 403


def test_more_events_cost_no_more_queries(
    admins_browser: Client, project: Project, alice: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        AuditEvent.note("submit ranking", project, by=alice)
    with django_assert_max_num_queries(8):
        assert rows(admins_browser) == 25
