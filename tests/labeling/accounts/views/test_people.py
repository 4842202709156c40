"""People, for admins: accounts with passwords shown once, roles, and a Parley that never loses its last admin."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import User
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]


@pytest.fixture
def adam() -> User:
    return make_user(username="adam", role=User.Role.ADMIN)


@pytest.fixture
def admin(adam: User) -> Client:
    return as_user(adam)


def shown_password(answer: Any) -> str:
    found = re.search(r'<output class="password">([^<]+)</output>', answer.content.decode())
    assert found
    return found[1]


def test_a_new_account_works_with_the_password_that_is_shown_once(admin: Client) -> None:
    project = make_project()
    answer = admin.post(reverse("people"), {"username": "dora", "role": "reviewer", "projects": [project.pk]})
    dora = User.objects.get(username="dora")
    assert dora.check_password(shown_password(answer))
    assert (dora.role, list(dora.projects.all())) == ("reviewer", [project])
    assert 'class="password"' not in admin.get(reverse("people")).content.decode()


@pytest.mark.parametrize("username", ["adam", "ADAM", "two words", "", "x" * 81])
def test_a_name_that_is_taken_or_unusable_is_refused(admin: Client, username: str) -> None:
    assert admin.post(reverse("people"), {"username": username, "role": "trainer"}).status_code == 422
    assert User.objects.count() == 1


def test_a_role_is_changed(admin: Client) -> None:
    alice = make_user(username="alice")
    admin.post(reverse("change_role", args=(alice.pk,)), {"role": "engineer"})
    alice.refresh_from_db()
    assert alice.role == "engineer"
    assert admin.post(reverse("change_role", args=(alice.pk,)), {"role": "emperor"}).status_code == 422


def test_the_last_admin_stays_one(admin: Client, adam: User) -> None:
    demoted = admin.post(reverse("change_role", args=(adam.pk,)), {"role": "trainer"})
    closed = admin.post(reverse("close_account", args=(adam.pk,)))
    assert (demoted.status_code, closed.status_code) == (422, 422)
    assert "This is the last admin" in closed.content.decode()
    adam.refresh_from_db()
    assert adam.is_admin
    assert adam.is_active


def test_a_closed_account_is_signed_out_and_can_be_opened_again(admin: Client) -> None:
    alice = make_user(username="alice")
    hers = as_user(alice)
    admin.post(reverse("close_account", args=(alice.pk,)))
    assert hers.get(reverse("home")).status_code == 302
    admin.post(reverse("open_account", args=(alice.pk,)))
    assert as_user(alice).get(reverse("home")).status_code == 200


def test_a_new_password_replaces_the_old(admin: Client) -> None:
    alice = make_user(username="alice")
    answer = admin.post(reverse("reset_password", args=(alice.pk,)))
    alice.refresh_from_db()
    assert alice.check_password(shown_password(answer))


def test_a_reset_and_a_closing_say_how_many_tokens_they_revoked(admin: Client) -> None:
    alice = make_user(username="alice")
    programs = [Program(alice), Program(alice)]
    answer = admin.post(reverse("reset_password", args=(alice.pk,)))
    assert "2 tokens of the API were revoked" in answer.content.decode()
    alice.refresh_from_db()
    programs.append(Program(alice))
    answer = admin.post(reverse("close_account", args=(alice.pk,)), follow=True)
    assert "1 token of the API was revoked" in answer.content.decode()
    assert "revoked" not in admin.post(reverse("open_account", args=(alice.pk,)), follow=True).content.decode()
    assert [program.get("me").status_code for program in programs] == [401] * 3


def test_a_reset_ends_every_session(admin: Client) -> None:
    alice = make_user(username="alice")
    hers = [as_user(alice), as_user(alice)]
    admin.post(reverse("reset_password", args=(alice.pk,)))
    assert [client.get(reverse("home")).status_code for client in hers] == [302, 302]


@pytest.mark.parametrize("role", [User.Role.TRAINER, User.Role.REVIEWER, User.Role.ENGINEER])
def test_only_admins_see_people(role: str) -> None:
    somebody = make_user(role=role)
    client = as_user(somebody)
    assert client.get(reverse("people")).status_code == 403
    assert client.post(reverse("change_role", args=(somebody.pk,)), {"role": "admin"}).status_code == 403


def test_more_people_cost_no_more_queries(admin: Client, django_assert_num_queries: Any) -> None:
    project = make_project()
    for _ in range(2):
        make_user(projects=[project])
    with django_assert_num_queries(5):
        admin.get(reverse("people"))
    for _ in range(8):
        make_user(projects=[project, make_project()])
    with django_assert_num_queries(5):
        admin.get(reverse("people"))
