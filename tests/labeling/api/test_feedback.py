"""Feedback by the API: a thumb is kept once under its sender's id, and what is no thumb is refused where it stands."""

from typing import Any

import pytest

from labeling.models import AuditEvent, Project, Thumb
from labeling.web.form_fields import LONGEST_TEXT
from tests.labeling.api.api_client import Program, ids_of_all_pages
from tests.labeling.factories import make_project, make_thumb, make_user
from tests.labeling.imports.files import assistant, user

pytestmark = pytest.mark.django_db

PATH = "projects/ours/feedback"
GIVEN: dict[str, Any] = {
    "id": "m-1",
    "messages": [{"role": "system", "content": "Be brief."}, user("When did Apollo 11 land?")],
    "answer": "In 1968.",
    "thumb": "down",
    "reason": "The date is wrong.",
    "policy": "assistant-7",
    "trainer": "reader-3",
    "topic": "space",
}


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours")


@pytest.fixture
def erin(project: Project) -> Program:
    return Program(make_user(username="erin", projects=[project]))


def test_a_thumb_is_kept_as_it_was_sent(project: Project, erin: Program) -> None:
    answer = erin.post(PATH, GIVEN)
    assert answer.status_code == 201
    thumb = Thumb.objects.get()
    said = {"id": str(thumb.id), "outside_id": "m-1", "source": "api", "retracted_at": None, "comparison_id": None}
    assert {**GIVEN, **said}.items() <= answer.json().items()
    assert (thumb.project, thumb.up, thumb.policy, thumb.outside_policy) == (project, False, None, "assistant-7")
    assert (thumb.outside_trainer, thumb.created_by) == ("reader-3", erin.token.owner)
    assert AuditEvent.objects.get(verb="receive thumb").subject_id == str(thumb.id)


def test_the_least_that_a_thumb_says(erin: Program) -> None:
    answer = erin.post(PATH, {"id": "m", "messages": [user("Q")], "answer": "A", "thumb": "up"}).json()
    assert (answer["thumb"], answer["reason"], answer["policy"], answer["trainer"]) == ("up", "", None, "")


def test_the_same_thumb_again_is_the_same_row_and_another_under_its_id_is_refused(erin: Program) -> None:
    first = erin.post(PATH, GIVEN)
    again = erin.post(PATH, GIVEN)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    changes: list[dict[str, Any]] = [
        {"thumb": "up"}, {"answer": "In 1970."}, {"reason": "No."}, {"policy": "other"}, {"trainer": "reader-4"},
        {"messages": [user("Why?")]}, {"topic": "moon"},
    ]  # fmt: skip
    refused = [erin.post(PATH, GIVEN | change) for change in changes]
    assert [(one.status_code, one.json()["where"]) for one in refused] == [(409, "body.id")] * 7
    assert Thumb.objects.count() == AuditEvent.objects.filter(verb="receive thumb").count() == 1
    assert erin.post(PATH, GIVEN | {"id": "m-2"}).status_code == 201


def test_an_id_is_a_project_s_own(erin: Program) -> None:
    other = make_project(slug="theirs")
    other.memberships.create(user=erin.token.owner)
    assert erin.post(PATH, GIVEN).status_code == 201
    assert erin.post("projects/theirs/feedback", GIVEN | {"thumb": "up"}).status_code == 201


def test_a_policy_of_ours_is_told_by_its_name(project: Project, erin: Program) -> None:
    assert project.policy is not None
    assert erin.post(PATH, GIVEN | {"policy": project.policy.name}).json()["policy"] == project.policy.name
    assert Thumb.objects.get().policy == project.policy


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"thumb": "sideways"}, "thumb"),
        ({"thumb": True}, "thumb"),
        ({"thumb": None}, "thumb"),
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": 7}, "id"),
        ({"answer": ""}, "answer"),
        ({"answer": " \n"}, "body.answer"),
        ({"answer": "x" * (LONGEST_TEXT + 1)}, "answer"),
        ({"reason": "x" * 2001}, "reason"),
        ({"policy": "x" * 101}, "policy"),
        ({"trainer": "x" * 81}, "trainer"),
        ({"topic": "x" * 61}, "topic"),
        ({"messages": []}, "messages"),
        ({"messages": [user("Q"), assistant("A")]}, "body.messages"),
        ({"messages": [user("Q"), user("R")]}, "body.messages"),
        ({"messages": [assistant("A"), user("R")]}, "body.messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role"),
        ({"rating": 1}, "rating"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_is_no_thumb_is_refused_where_it_stands(erin: Program, change: dict[str, Any], where: str) -> None:
    refused = erin.post(PATH, GIVEN | change)
    assert refused.status_code == 422
    assert where in refused.json()["where"]
    assert not Thumb.objects.exists()


@pytest.mark.parametrize("field", ["id", "answer", "reason", "policy", "trainer"])
@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"], ids=["NUL", "surrogate"])
def test_a_character_that_cannot_be_kept_is_refused(erin: Program, field: str, text: str) -> None:
    assert erin.post(PATH, GIVEN | {field: text}).status_code == 422


def test_the_list_holds_every_thumb_once(project: Project, erin: Program) -> None:
    made = {str(make_thumb(project=project).id) for _ in range(5)}
    make_thumb(project=make_project())
    assert ids_of_all_pages(erin, PATH, limit=2) == sorted(made)
