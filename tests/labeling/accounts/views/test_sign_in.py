"""The door: who gets in, who is slowed down, and where one is led."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import User
from tests.labeling.factories import PASSWORD, make_user
from tests.labeling.signed_in import HTMX, as_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]


@pytest.fixture
def alice() -> User:
    return make_user(username="alice", password=PASSWORD)


def sign_in(client: Client, *, username: str = "alice", password: str = PASSWORD, **values: str) -> Any:
    return client.post(reverse("sign_in"), {"username": username, "password": password, **values})


def test_a_person_signs_in_and_is_led_home(client: Client, alice: User) -> None:
    answer = sign_in(client, username="ALICE")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_a_person_is_led_back_to_where_they_were_going(client: Client, alice: User) -> None:
    answer = client.get(reverse("account"))
    assert answer["Location"] == "/sign-in/?next=/account/"
    assert 'value="/account/"' in client.get(answer["Location"]).content.decode()
    assert sign_in(client, next="/account/")["Location"] == "/account/"


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_nobody_is_led_away_from_parley(client: Client, alice: User, evil: str) -> None:
    assert sign_in(client, next=evil)["Location"] == "/"


def test_a_wrong_password_says_no_more_than_that(client: Client, alice: User) -> None:
    known, unknown = sign_in(client, password="wrong"), sign_in(client, username="nobody", password="wrong")
    assert known.status_code == unknown.status_code == 422
    assert "do not belong together" in known.content.decode()
    assert "wrong" not in known.content.decode()


def test_guessing_is_slowed_down_and_says_for_how_long(client: Client, alice: User) -> None:
    for _ in range(5):
        sign_in(client, password="wrong")
    answer = sign_in(client)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 15 * 60 + 1
    assert "_auth_user_id" not in client.session


def test_a_closed_account_does_not_get_in(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert sign_in(client).status_code == 422


def test_only_a_new_parley_tells_where_the_first_passwords_are(client: Client, alice: User) -> None:
    assert "printed once" in client.get(reverse("sign_in")).content.decode()
    sign_in(client)
    assert "printed once" not in Client().get(reverse("sign_in")).content.decode()


def test_a_script_that_lost_its_session_gets_401_instead_of_a_page(client: Client) -> None:
    answer = client.get(reverse("history"), headers=HTMX, follow=True)
    assert answer.status_code == 401


def test_signing_out_ends_the_session(alice: User) -> None:
    client = as_user(alice)
    assert client.get(reverse("sign_out")).status_code == 405
    assert client.post(reverse("sign_out"))["Location"] == "/sign-in/"
    assert client.get(reverse("home")).status_code == 302


def test_the_first_sign_in_takes_over_the_browsers_time_zone(client: Client, alice: User) -> None:
    sign_in(client, time_zone="Europe/Lisbon")
    alice.refresh_from_db()
    assert alice.time_zone == "Europe/Lisbon"
    sign_in(Client(), time_zone="Asia/Tokyo")
    alice.refresh_from_db()
    assert alice.time_zone == "Europe/Lisbon"


def test_a_zone_that_a_browser_makes_up_is_left_alone(client: Client, alice: User) -> None:
    sign_in(client, time_zone="<script>")
    alice.refresh_from_db()
    assert alice.time_zone == "UTC"
