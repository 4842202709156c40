"""Imports and people over the API: with the rights of the pages, once however often it is asked, and no way up."""

import json
from base64 import b64encode
from typing import Any

import pytest

from labeling.imports import uploads
from labeling.models import ApiAnswer, ApiToken, AuditEvent, Import, Project, Prompt, Ranking, User
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_project, make_user
from tests.labeling.imports.files import hh_pair

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours")


@pytest.fixture
def erin(project: Project) -> Program:
    return Program(make_user(username="erin", role=User.Role.ENGINEER, projects=[project]))


@pytest.fixture
def adam() -> Program:
    return Program(make_user(username="adam", role=User.Role.ADMIN))


def a_file(*lines: object, into: str = "rankings", **fields: Any) -> dict[str, Any]:
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines)
    return {"into": into, "name": "pairs.jsonl", "content": b64encode(text.encode()).decode(), **fields}


def test_a_file_is_taken_in_and_the_same_again_adds_nothing(project: Project, erin: Program) -> None:
    for num_new in (1, 0):
        answer = erin.post("projects/ours/imports", a_file(hh_pair()))
        assert answer.status_code == 201, answer.content
        brought = answer.json()
        assert (brought["kind"], brought["state"], brought["file_name"]) == ("rankings", "waiting", "pairs.jsonl")
        before = Ranking.objects.count()
        assert uploads.run_import(brought["id"])
        found = erin.get(f"projects/ours/imports/{brought['id']}").json()
        assert (found["state"], Ranking.objects.count() - before) == ("done", num_new)
        assert found["report"]
    assert len(erin.get("projects/ours/imports").json()["results"]) == 2
    assert AuditEvent.objects.filter(verb="confirm import", by__username="erin").count() == 2


def test_only_openings_come_into_the_pool_where_prompts_are_asked_for(project: Project, erin: Program) -> None:
    said = {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]}
    brought = erin.post("projects/ours/imports", a_file(said, into="prompts")).json()
    assert brought["into_prompts"]
    assert uploads.run_import(brought["id"])
    assert Prompt.objects.get(project=project).messages[0]["content"] == "Why?"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"content": "no base64!"}, "body.content"),
        ({"content": b64encode(b"nothing that is known").decode()}, "body.content"),
        ({"into": "policies"}, "body.into"),
        ({"name": ""}, "body.name"),
        ({"path": "/etc/passwd"}, "body.path"),
    ],
)
def test_a_file_that_is_none_is_refused(project: Project, erin: Program, body: dict[str, Any], where: str) -> None:
    answer = erin.post("projects/ours/imports", a_file(hh_pair()) | body)
    assert (answer.status_code, answer.json()["where"]) == (422, where)
    assert not Import.objects.exclude(state="discarded").exists()


def test_an_account_is_opened_once_and_its_password_is_stored_nowhere(adam: Program) -> None:
    body = {"username": "dora", "role": "reviewer"}
    first = adam.post("people", body, key="one")
    assert first.status_code == 201, first.content
    dora = User.objects.get(username="dora")
    assert dora.check_password(first.json()["password"])
    assert not ApiAnswer.objects.filter(key="one").exists()
    again = adam.post("people", body, key="one")
    assert (again.status_code, again.json()["id"], again.json()["password"]) == (200, str(dora.id), None)
    assert adam.post("people", body | {"role": "trainer"}).status_code == 422
    assert User.objects.filter(username__iexact="dora").count() == 1


def test_roles_accounts_and_members_are_changed(project: Project, adam: Program) -> None:
    dora = make_user(username="dora")
    changed = adam.post(f"people/{dora.id}", {"role": "engineer", "is_active": False}).json()
    assert (changed["role"], changed["is_active"]) == ("engineer", False)
    assert AuditEvent.objects.filter(verb="change role", by__username="adam").count() == 1
    adam.post(f"people/{dora.id}", {"role": "engineer"})
    assert AuditEvent.objects.filter(verb="change role").count() == 1, "nothing changed"
    other = make_user(username="otto", projects=[project])
    members = adam.post("projects/ours/members", {"add": [str(dora.id)]}).json()
    assert [one["username"] for one in members] == ["dora", "otto"]
    members = adam.post("projects/ours/members", {"remove": [str(other.id)]}).json()
    assert [one["username"] for one in members] == ["dora"]
    nobody = {"add": ["00000000-0000-0000-0000-000000000000"]}
    assert adam.post("projects/ours/members", nobody).status_code == 422


def test_no_token_makes_or_changes_an_admin(adam: Program) -> None:
    assert adam.post("people", {"username": "eve", "role": "admin"}).status_code == 422
    dora = make_user(username="dora")
    assert adam.post(f"people/{dora.id}", {"role": "admin"}).status_code == 422
    second = make_user(username="second", role=User.Role.ADMIN)
    for change in ({"role": "trainer"}, {"is_active": False}):
        assert adam.post(f"people/{second.id}", change).status_code == 404
    second.refresh_from_db()
    assert (second.role, second.is_active) == ("admin", True)


def test_accounts_need_an_admin_and_a_scope_of_their_own(project: Project, erin: Program) -> None:
    adam = make_user(username="adam", role=User.Role.ADMIN)
    others = [scope for scope in ApiToken.Scope.values if scope != "people"]
    for program in (erin, Program(adam, scopes=others)):
        assert program.get("people").status_code == 403
        assert program.post("people", {"username": "dora", "role": "trainer"}).status_code == 403
        assert program.post("projects/ours/members", {}).status_code == 403
    bound = Program(adam)
    ApiToken.objects.filter(id=bound.token.id).update(project=project)
    assert bound.get("people").status_code == 404
    assert bound.post("people", {"username": "dora", "role": "trainer"}).status_code == 404
    assert bound.post("projects/ours/members", {}).status_code == 200
    assert not User.objects.filter(username="dora").exists()
