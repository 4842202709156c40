"""Where people are signed in: listed, ended by them or by an admin, and gone for good."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.accounts import presence, sessions, users
from labeling.models import AuditEvent, Session, User
from labeling.periodic import CHORES
from tests.labeling.factories import PASSWORD, make_user
from tests.labeling.signed_in import HTMX, as_user, page_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Mobile Safari/604.1"


@pytest.fixture
def alice() -> User:
    return make_user(username="alice", password=PASSWORD)


@pytest.fixture
def adams_browser() -> Client:
    return as_user(make_user(username="adam"))


def signed_in_with(agent: str, *, address: str = "192.0.2.7") -> Client:
    browser = Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)
    browser.post(reverse("sign_in"), {"username": "alice", "password": PASSWORD})
    return browser


def is_in(browser: Client) -> bool:
    return browser.get(reverse("account")).status_code == 200


def session_of(browser: Client) -> Session:
    return Session.objects.get(session_key=browser.cookies["sessionid"].value)


def seen(session: Session, *, ago: timedelta) -> None:
    Session.objects.filter(pk=session.pk).update(last_seen_at=timezone.now() - ago)


def test_a_person_sees_their_devices_and_ends_one(alice: User) -> None:
    here, phone = signed_in_with(FIREFOX), signed_in_with(IPHONE, address="198.51.100.9")
    page = page_of(here, reverse("sessions"))
    for words in ("Firefox on Linux", "Safari on iPhone", "192.0.2.7", "198.51.100.9"):
        assert words in page
    assert page.count("this one") == 1
    assert session_of(phone).session_key not in page, "the key would open the door"
    here.post(reverse("end_session", args=(session_of(phone).id,)))
    assert (is_in(here), is_in(phone)) == (True, False)
    assert AuditEvent.objects.get(verb="end session").by == alice


def test_all_others_are_ended_at_once(alice: User) -> None:
    here, others = signed_in_with(FIREFOX), [signed_in_with(IPHONE) for _ in range(2)]
    assert here.post(reverse("end_other_sessions")).status_code == 302
    assert [is_in(one) for one in (here, *others)] == [True, False, False]
    assert AuditEvent.objects.get(verb="end sessions").detail == {"num_sessions": 2}


def test_nobody_ends_the_session_of_somebody_else(alice: User) -> None:
    alices, bobs = signed_in_with(FIREFOX), as_user(make_user(username="bob"))
    assert bobs.post(reverse("end_session", args=(session_of(alices).id,))).status_code == 404
    url = reverse("end_persons_session", args=(alice.pk, session_of(alices).id))
    assert bobs.post(url).status_code == 403
    assert is_in(alices)


def test_an_admin_sees_and_ends_the_sessions_of_a_person(alice: User, adams_browser: Client) -> None:
    one, other = signed_in_with(FIREFOX), signed_in_with(IPHONE)
    assert "Safari on iPhone" in page_of(adams_browser, reverse("person_access", args=(alice.pk,)))
    adams_browser.post(reverse("end_persons_session", args=(alice.pk, session_of(other).id)))
    assert (is_in(one), is_in(other)) == (True, False)
    adams_browser.post(reverse("end_persons_sessions", args=(alice.pk,)))
    assert not is_in(one)


def test_the_sessions_of_a_closed_account_do_not_come_back_when_it_is_opened_again(
    alice: User, adams_browser: Client
) -> None:
    browser = signed_in_with(FIREFOX)
    adams_browser.post(reverse("close_account", args=(alice.pk,)))
    assert not is_in(browser)
    adams_browser.post(reverse("open_account", args=(alice.pk,)))
    assert authenticate(username="alice", password=PASSWORD) == alice, "the password is the same"
    assert not is_in(browser)


def test_a_new_password_ends_the_other_sessions_and_not_the_one_that_set_it(alice: User) -> None:
    here, other = signed_in_with(FIREFOX), signed_in_with(IPHONE)
    new = "a much longer phrase"
    here.post(reverse("change_password"), {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert (is_in(here), is_in(other)) == (True, False)
    assert list(Session.objects.filter(user=alice)) == [session_of(here)]
    assert "Firefox on Linux" in page_of(here, reverse("sessions"))
    users.reset_password(alice, by=make_user(role=User.Role.ADMIN))
    assert not Session.objects.filter(user=alice).exists()


def test_a_page_that_was_on_its_way_does_not_bring_an_ended_session_back(alice: User) -> None:
    browser = signed_in_with(FIREFOX)
    store = browser.session
    store["late"] = True
    sessions.end_sessions(alice, by=alice)
    with pytest.raises(UpdateError):
        store.save()
    assert not Session.objects.exists()


def test_an_idle_session_is_over_and_swept(alice: User, settings: Any) -> None:
    settings.IDLE_MINUTES = 60
    browser, idle = signed_in_with(FIREFOX), signed_in_with(IPHONE)
    seen(session_of(browser), ago=timedelta(minutes=59))
    seen(session_of(idle), ago=timedelta(minutes=61))
    assert (is_in(browser), is_in(idle)) == (True, False)
    assert "iPhone" not in page_of(browser, reverse("sessions"))
    assert CHORES["sessions ended"]() == 1
    settings.IDLE_MINUTES = 0
    seen(session_of(browser), ago=timedelta(days=13))
    assert is_in(browser), "0 lets nobody's session end by idling"


def test_expired_sessions_are_swept(alice: User) -> None:
    signed_in_with(FIREFOX)
    Session.objects.update(expire_date=timezone.now())
    assert CHORES["sessions ended"]() == 1
    assert not Session.objects.exists()


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(alice: User) -> None:
    browser = signed_in_with(FIREFOX)
    long_ago = presence.PRECISION + timedelta(seconds=5)
    seen(session_of(browser), ago=long_ago)
    then = session_of(browser).last_seen_at
    browser.get(reverse("account"), headers=HTMX)
    browser.get(reverse("account"), headers={"Accept": "text/event-stream"})
    assert session_of(browser).last_seen_at == then
    browser.get(reverse("account"))
    now = session_of(browser).last_seen_at
    assert now > then
    browser.get(reverse("account"))
    assert session_of(browser).last_seen_at == now, "written at every page"


def test_a_session_keeps_when_it_began_and_where_through_every_save(alice: User) -> None:
    browser = signed_in_with(FIREFOX)
    before = session_of(browser)
    store = browser.session
    store["something"] = "else"
    store.save()
    after = session_of(browser)
    assert (after.id, after.begun_at, after.agent, after.user) == (before.id, before.begun_at, FIREFOX, alice)
