"""How one person gets in, for admins: tokens revoked, lost devices, links; and all of it confirmed first."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from labeling.accounts import second_factor
from labeling.accounts.api_tokens import find_token, make_token
from labeling.models import AccountLink, AuditEvent, Session, User
from tests.labeling.accounts.test_guessing import code_of
from tests.labeling.factories import PASSWORD, make_user
from tests.labeling.signed_in import as_user, page_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]


@pytest.fixture
def alice() -> User:
    return make_user(username="alice", password=PASSWORD)


@pytest.fixture
def admin() -> Client:
    return as_user(make_user(username="adam"))


def test_an_admin_sees_and_revokes_the_tokens_of_a_person(alice: User, admin: Client) -> None:
    token, text = make_token(owner=alice, name="nightly export", scopes=["read"], life=timedelta(days=1))
    page = page_of(admin, reverse("person_access", args=(alice.pk,)))
    assert "nightly export" in page
    assert text not in page
    bob = make_user(username="bob")
    assert admin.post(reverse("revoke_persons_token", args=(bob.pk, token.pk))).status_code == 404
    admin.post(reverse("revoke_persons_token", args=(alice.pk, token.pk)))
    assert find_token(text) is None
    assert AuditEvent.objects.get(verb="revoke token").by.username == "adam"


def test_who_lost_the_device_has_their_second_factors_and_sessions_taken_away(alice: User, admin: Client) -> None:
    alices = as_user(alice)
    alices.get(reverse("set_up_app"))
    alices.post(reverse("set_up_app"), {"code": code_of(alices.session["totp_secret"])})
    assert second_factor.has_second_factor(alice)
    admin.post(reverse("remove_second_factors", args=(alice.pk,)))
    assert not second_factor.has_second_factor(alice)
    assert second_factor.num_recovery_codes(alice) == 0
    assert not Session.objects.filter(user=alice).exists()
    event = AuditEvent.objects.get(verb="remove all second factors")
    assert (event.by.username, event.subject_id) == ("adam", str(alice.pk))


def test_a_link_to_a_new_password_is_shown_once_and_works_once(alice: User, admin: Client) -> None:
    answer = admin.post(reverse("make_password_link", args=(alice.pk,)))
    found = re.search(r"http://testserver(/sign-in/link/[^<]+)", answer.content.decode())
    assert found
    url = found[1]
    assert url not in page_of(admin, reverse("person_access", args=(alice.pk,)))
    new, visitor = "a much longer phrase", Client()
    assert "alice" in page_of(visitor, url)
    assert visitor.post(url, {"new_password1": "short", "new_password2": "short"}).status_code == 422
    assert visitor.post(url, {"new_password1": new, "new_password2": new})["Location"] == reverse("sign_in")
    alice.refresh_from_db()
    assert alice.check_password(new)
    assert visitor.get(url).status_code == 410
    assert visitor.post(url, {"new_password1": new, "new_password2": new}).status_code == 410


def test_a_link_made_before_the_account_was_closed_stays_dead(alice: User, admin: Client) -> None:
    url = reverse("account_link", args=(_secret_of(admin.post(reverse("make_password_link", args=(alice.pk,)))),))
    admin.post(reverse("close_account", args=(alice.pk,)))
    assert Client().get(url).status_code == 410
    assert admin.post(reverse("make_password_link", args=(alice.pk,))).status_code == 422
    admin.post(reverse("open_account", args=(alice.pk,)))
    assert Client().get(url).status_code == 410


def test_a_second_link_ends_the_first(alice: User, admin: Client) -> None:
    first, second = (_secret_of(admin.post(reverse("make_password_link", args=(alice.pk,)))) for _ in range(2))
    assert Client().get(reverse("account_link", args=(first,))).status_code == 410
    assert Client().get(reverse("account_link", args=(second,))).status_code == 200
    assert first not in str(list(AccountLink.objects.values()))


def test_where_mail_goes_out_the_link_goes_to_the_proven_address(alice: User, admin: Client, settings: Any) -> None:
    settings.CATCHES_MAIL = False
    User.objects.filter(pk=alice.pk).update(proven_email="alice@example.org", email="other@example.org")
    assert admin.post(reverse("make_password_link", args=(alice.pk,))).status_code == 302
    assert [message.to for message in mail.outbox] == [["alice@example.org"]]


def test_only_admins_who_have_proven_themselves_lately_change_people(alice: User) -> None:
    adam = make_user(username="adam")
    admin = as_user(adam)
    session = admin.session
    session["proven_at"] = 0
    session.save()
    url = reverse("person_access", args=(alice.pk,))
    assert admin.get(url)["Location"] == f"/account/confirm/?next={quote(url, safe='')}"
    for name in ("change_role", "close_account", "open_account", "reset_password", "make_password_link"):
        assert "/account/confirm/" in admin.post(reverse(name, args=(alice.pk,)), {"role": "admin"})["Location"], name
    alice.refresh_from_db()
    assert (alice.role, alice.is_active, alice.check_password(PASSWORD)) == ("trainer", True, True)


def _secret_of(answer: Any) -> str:
    found = re.search(r"/sign-in/link/([^/<]+)/", answer.content.decode())
    assert found
    return found[1]
