"""Second factors: set up, asked for, required of roles, lost; and confirming who one is before what matters."""

import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from labeling.accounts import second_factor
from labeling.models import AuditEvent, User
from labeling.web import proof
from tests.labeling.accounts.test_guessing import code_of
from tests.labeling.factories import PASSWORD, make_user
from tests.labeling.overlapping import overlap
from tests.labeling.signed_in import HTMX, as_user, page_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]


@pytest.fixture
def alice() -> User:
    return make_user(username="alice", password=PASSWORD)


def set_up_app(browser: Client) -> tuple[str, list[str]]:
    """The secret of an app that is set up with this browser, and the recovery codes."""
    page_of(browser, reverse("set_up_app"))
    secret = browser.session["totp_secret"]
    answer = browser.post(reverse("set_up_app"), {"code": code_of(secret, steps=-1)})
    return secret, re.findall(r"<code>(\d+)</code>", answer.content.decode())


def give_password(browser: Client, **values: str) -> Any:
    return browser.post(reverse("sign_in"), {"username": "alice", "password": PASSWORD, **values})


def is_in(browser: Client) -> bool:
    return browser.get(reverse("account")).status_code == 200


def age(browser: Client, *, minutes: int) -> None:
    """As if its person had last proven who they are so long ago."""
    session = browser.session
    session[proof.PROVEN_AT] = time.time() - 60 * minutes
    session.save()


def test_with_an_app_the_password_alone_opens_nothing(alice: User) -> None:
    secret, codes = set_up_app(as_user(alice))
    assert len(codes) == len(set(codes)) == 10
    browser = Client()
    assert give_password(browser, next="/account/")["Location"] == reverse("second_step")
    assert not is_in(browser)
    assert browser.post(reverse("second_step"), {"code": "000000"}).status_code == 422
    assert (
        browser.post(reverse("second_step"), {"code": f" {code_of(secret)[:3]} {code_of(secret)[3:]}"})["Location"]
        == "/account/"
    )
    assert is_in(browser)
    assert AuditEvent.objects.get(verb="sign in").detail == {"method": "password", "second_factor": "app"}


def test_a_code_and_a_recovery_code_let_in_once(alice: User) -> None:
    secret, codes = set_up_app(as_user(alice))
    for code in (code_of(secret), codes[0]):
        first, second = Client(), Client()
        for browser, status in ((first, 302), (second, 422)):
            give_password(browser)
            assert browser.post(reverse("second_step"), {"code": code}).status_code == status
    assert second_factor.num_recovery_codes(alice) == 9
    assert AuditEvent.objects.get(verb="use recovery code").detail == {"num_left": 9}


@pytest.mark.django_db(transaction=True)
def test_two_requests_with_one_code_let_one_in(alice: User) -> None:
    secret, codes = set_up_app(as_user(alice))
    for code in (code_of(secret), codes[0]):
        accepted: list[str | None] = []

        def accept(code: str = code, accepted: list[str | None] = accepted) -> None:
            accepted.append(second_factor.accept_code(alice, code))

        overlap(accept, accept)
        assert sorted(map(bool, accepted)) == [False, True]


def test_secrets_are_not_in_the_database_as_they_are(alice: User) -> None:
    secret, codes = set_up_app(as_user(alice))
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert len([code for code in codes if code not in stored]) == 10


def test_a_new_secret_key_reads_what_the_old_one_wrote(alice: User, settings: Any) -> None:
    secret, _codes = set_up_app(as_user(alice))
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key " * 5
    assert second_factor.accept_code(alice, code_of(secret)) == "app"


def test_the_second_step_is_nobodys_without_the_first_and_not_for_long(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, _codes = set_up_app(as_user(alice))
    assert Client().get(reverse("second_step"))["Location"] == reverse("sign_in")
    assert Client().post(reverse("second_step"), {"code": code_of(secret)})["Location"] == reverse("sign_in")
    browser = Client()
    give_password(browser)
    alice.set_password("another long phrase")
    alice.save()
    assert browser.get(reverse("second_step"))["Location"] == reverse("sign_in"), "the password was changed"
    alice.set_password(PASSWORD)
    alice.save()
    give_password(browser)
    later = time.time() + 601
    monkeypatch.setattr("labeling.accounts.entering.time.time", lambda: later)
    assert browser.get(reverse("second_step"))["Location"] == reverse("sign_in")


def test_new_recovery_codes_void_the_old(alice: User) -> None:
    browser = as_user(alice)
    assert browser.post(reverse("recovery_codes")).status_code == 422, "they stand in for nothing"
    _secret, old = set_up_app(browser)
    answer = browser.post(reverse("recovery_codes"))
    new = re.findall(r"<code>(\d+)</code>", answer.content.decode())
    assert not set(old) & set(new)
    assert second_factor.accept_code(alice, old[0]) is None
    assert second_factor.accept_code(alice, new[0]) == "recovery code"
    assert new[1] not in page_of(browser, reverse("second_factor"))


def test_with_the_last_factor_the_recovery_codes_go(alice: User) -> None:
    browser = as_user(alice)
    _secret, codes = set_up_app(browser)
    factor = second_factor.factors_of(alice).get()
    assert as_user(make_user(username="bob")).post(reverse("remove_factor", args=(factor.pk,))).status_code == 404
    browser.post(reverse("remove_factor", args=(factor.pk,)))
    assert not Authenticator.objects.exists()
    assert second_factor.accept_code(alice, codes[0]) is None
    assert AuditEvent.objects.filter(verb="remove second factor", by=alice).count() == 1


def test_a_role_that_needs_a_second_factor_opens_nothing_before_it_has_one(alice: User, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = ["trainer"]
    browser = as_user(alice)
    for name in ("home", "account", "tokens", "sessions"):
        assert browser.get(reverse(name))["Location"] == reverse("second_factor"), name
    assert "Set one up" in page_of(browser, reverse("second_factor"))
    set_up_app(browser)
    assert browser.get(reverse("home")).status_code == 200
    factor = second_factor.factors_of(alice).get()
    assert browser.post(reverse("remove_factor", args=(factor.pk,))).status_code == 422
    assert as_user(make_user(username="rita")).get(reverse("home")).status_code == 200, "another role"


def test_a_session_from_before_the_rule_gives_the_code_and_goes_on(alice: User, settings: Any) -> None:
    browser = as_user(alice)
    secret, _codes = set_up_app(as_user(alice))
    settings.REQUIRE_SECOND_FACTOR = ["trainer"]
    assert browser.get(reverse("home"))["Location"] == reverse("second_factor")
    assert reverse("confirm") in page_of(browser, reverse("second_factor"))
    browser.post(reverse("confirm"), {"password": PASSWORD})
    assert browser.get(reverse("home")).status_code == 302, "a password is no second factor"
    browser.post(reverse("confirm"), {"code": code_of(secret)})
    assert browser.get(reverse("home")).status_code == 200


def test_who_has_not_proven_themselves_lately_does_so_and_comes_back(alice: User) -> None:
    browser = as_user(alice)
    age(browser, minutes=29)
    assert browser.get(reverse("tokens")).status_code == 200
    age(browser, minutes=31)
    asked = browser.get(reverse("tokens"))["Location"]
    assert asked == "/account/confirm/?next=%2Faccount%2Ftokens%2F"
    assert browser.get(reverse("tokens"), headers=HTMX)["HX-Redirect"] == asked
    assert browser.post(reverse("confirm"), {"password": "wrong", "next": "/account/tokens/"}).status_code == 422
    assert browser.get(reverse("tokens")).status_code == 302
    back = browser.post(reverse("confirm"), {"password": PASSWORD, "next": "/account/tokens/"})
    assert back["Location"] == "/account/tokens/"
    assert browser.get(reverse("tokens")).status_code == 200
    assert browser.post(reverse("confirm"), {"password": PASSWORD, "next": "//evil.example"})["Location"] == "/"


def test_a_form_that_was_opened_in_time_can_still_be_sent(alice: User) -> None:
    browser = as_user(alice)
    token = {"token-name": "nightly", "token-scopes": ["read"], "token-life": "7"}
    age(browser, minutes=44)
    assert "Your new token" in browser.post(reverse("tokens"), token).content.decode()
    age(browser, minutes=46)
    answer = browser.post(reverse("tokens"), token, headers={"Referer": "http://testserver/account/tokens/"})
    assert answer["Location"] == "/account/confirm/?next=%2Faccount%2Ftokens%2F"
    assert alice.api_tokens.count() == 1
    answer = browser.post(reverse("confirm"), {"password": PASSWORD, "next": "/account/tokens/"})
    page = page_of(browser, answer["Location"])
    held = re.findall(r'<input type="hidden" name="(token-\w+)" value="([^"]*)">', page)
    assert dict(held) == {"token-name": "nightly", "token-scopes": "read", "token-life": "7"}
    assert 'action="/account/tokens/"' in page
    browser.post(reverse("tokens"), dict(held))
    assert alice.api_tokens.count() == 2
    assert browser.get(reverse("held_form"))["Location"] == "/", "it is shown once"


def test_by_a_setting_of_0_nothing_is_to_be_confirmed(alice: User, settings: Any) -> None:
    settings.CONFIRM_MINUTES = 0
    browser = as_user(alice)
    age(browser, minutes=10_000)
    assert browser.get(reverse("tokens")).status_code == 200


def test_what_lets_people_in_and_takes_data_out_is_confirmed() -> None:
    from django.urls import get_resolver

    confirmed = {one.name for one in get_resolver().url_patterns if getattr(one.callback, "is_confirmed", False)}
    assert confirmed >= {
        "new_export",
        "export_file",
        "tokens",
        "people",
        "change_role",
        "open_account",
        "close_account",
        "reset_password",
        "set_up_app",
        "add_passkey",
        "remove_factor",
        "recovery_codes",
        "join_provider",
        "person_access",
        "make_password_link",
        "remove_second_factors",
    }


@pytest.mark.parametrize("credential", ["", "[]", "{}", '"x"', '{"id": "AA", "response": {}}', "not json"])
def test_what_is_no_passkey_is_refused(alice: User, credential: str) -> None:
    stranger, browser = Client(), as_user(alice)
    assert stranger.post(reverse("passkey_challenge")).status_code == 200
    assert stranger.post(reverse("passkey_sign_in"), {"credential": credential}).status_code == 422
    for start, end in (("passkey_creation", "add_passkey"), ("passkey_challenge", "confirm_by_passkey")):
        assert browser.post(reverse(start)).status_code == 200
        assert browser.post(reverse(end), {"credential": credential}).status_code == 422
    assert not Authenticator.objects.exists()


def test_the_session_of_somebody_on_the_way_in_ends_soon(alice: User) -> None:
    stranger = Client()
    stranger.post(reverse("passkey_challenge"))
    assert stranger.session.get_expiry_age() <= 600
    give_password(stranger)
    assert stranger.session.get_expiry_age() > 13 * 24 * 3600
