"""Invitations and new passwords by a link: mailed where mail goes out, handed over where it does not."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.accounts import links
from labeling.accounts.users import AccountError
from labeling.models import AccountLink, AuditEvent, User
from labeling.periodic import CHORES
from labeling.tasks import mail_link
from records.names import MAIL_LINK
from tests.labeling.factories import PASSWORD, make_user
from tests.labeling.overlapping import overlap
from tests.labeling.signed_in import as_user, page_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]

NEW = "a much longer phrase"
Sent = list[tuple[str, dict[str, str]]]


@pytest.fixture
def admin() -> Client:
    return as_user(make_user(username="adam"))


@pytest.fixture
def _mail_goes_out(settings: Any) -> None:
    settings.CATCHES_MAIL = False


def link_in(text: str) -> str:
    found = re.search(r"http://testserver(/sign-in/link/\S+?/)(?=[\s<]|$)", text)
    assert found, text
    return found[1]


def choose(url: str) -> Any:
    return Client().post(url, {"new_password1": NEW, "new_password2": NEW})


@pytest.mark.usefixtures("_mail_goes_out")
def test_somebody_is_invited_by_mail_and_chooses_a_password(admin: Client) -> None:
    values = {"username": "dora", "role": "reviewer", "email": "dora@example.org"}
    assert admin.post(reverse("people"), values).status_code == 302
    [message] = mail.outbox
    assert (message.to, message.subject) == (["dora@example.org"], "You are invited to Parley")
    assert "dora" in message.body
    dora = User.objects.get(username="dora")
    assert not dora.has_usable_password()
    url = link_in(message.body)
    assert Client().get(url).status_code == 200
    assert Client().get(url).status_code == 200, "programs that read mail open links, too"
    assert choose(url).status_code == 302
    dora.refresh_from_db()
    assert (dora.check_password(NEW), dora.proven_email, dora.email) == (True, "dora@example.org", "dora@example.org")
    assert choose(url).status_code == 410
    assert AuditEvent.objects.get(verb="use account link").by == dora


@pytest.mark.parametrize("values", [{"by_link": "on"}, {"email": "dora@example.org"}])
def test_without_a_mail_server_the_link_is_shown_once(admin: Client, values: dict[str, str]) -> None:
    answer = admin.post(reverse("people"), {"username": "dora", "role": "trainer", **values})
    assert not mail.outbox
    assert choose(link_in(answer.content.decode())).status_code == 302
    dora = User.objects.get(username="dora")
    assert (dora.check_password(NEW), dora.proven_email) == (True, ""), "no mail has reached it"
    assert "/sign-in/link/" not in page_of(admin, reverse("people"))


def ask(name: str, sent: Sent) -> str:
    """The answer to who asks at the door; a worker has done what it was sent by then."""
    answer = re.sub(
        r'X-CSRFToken": "\w+', "", Client().post(reverse("forgotten_password"), {"name": name}).content.decode()
    )
    [(task, values)] = sent
    assert task == MAIL_LINK
    sent.clear()
    mail_link(**values)
    return answer


@pytest.mark.usefixtures("_mail_goes_out")
def test_a_forgotten_password_is_mended_from_an_address_that_mail_has_reached(sent: Sent) -> None:
    alice = make_user(username="alice", password=PASSWORD, email="a@example.org", proven_email="a@example.org")
    inside = as_user(alice)
    for name in ("ALICE", "A@example.org"):
        mail.outbox.clear()
        assert "on its way" in ask(name, sent)
        assert choose(link_in(mail.outbox[0].body)).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert inside.get(reverse("account")).status_code == 302, "whoever was in is out"


@pytest.mark.usefixtures("_mail_goes_out")
def test_who_asks_learns_nothing_and_writes_to_nobody_else(sent: Sent) -> None:
    make_user(username="alice", email="typed@example.org")  # by her own hand, and perhaps wrongly
    make_user(username="bob", proven_email="bob@example.org", is_active=False)
    make_user(username="vera", proven_email="vera@example.org", role=User.Role.VISITOR)
    known = make_user(username="dora", proven_email="dora@example.org")
    names = ("alice", "typed@example.org", "bob", "vera", "nobody", "dora")
    assert len({ask(name, sent) for name in names}) == 1
    assert [message.to for message in mail.outbox] == [["dora@example.org"]]
    assert [link.user for link in AccountLink.objects.all()] == [known]
    for _ in range(links.MOST_ALIVE + 2):
        ask("dora", sent)
    assert AccountLink.objects.filter(user=known).count() == len(mail.outbox) == links.MOST_ALIVE


@pytest.mark.usefixtures("_mail_goes_out")
def test_questions_from_one_address_end(client: Client, sent: Sent) -> None:
    statuses = [client.post(reverse("forgotten_password"), {"name": "nobody"}).status_code for _ in range(21)]
    assert statuses == [*[200] * 20, 429]


def test_where_no_mail_goes_out_nobody_can_ask_for_it(client: Client) -> None:
    assert client.get(reverse("forgotten_password")).status_code == 404
    assert reverse("forgotten_password") not in page_of(client, reverse("sign_in"))


@pytest.mark.usefixtures("_mail_goes_out")
def test_an_address_is_proven_by_a_link_that_was_sent_there() -> None:
    alice = make_user(username="alice", email="a@example.org")
    browser = as_user(alice)
    assert reverse("prove_address") in page_of(browser, reverse("account"))
    browser.post(reverse("prove_address"))
    url = link_in(mail.outbox[0].body)
    assert Client().post(url).status_code == 302
    alice.refresh_from_db()
    assert alice.proven_email == "a@example.org"
    assert reverse("prove_address") not in page_of(browser, reverse("account"))


@pytest.mark.usefixtures("_mail_goes_out")
def test_a_link_to_an_address_that_was_changed_since_proves_nothing() -> None:
    alice = make_user(username="alice", email="a@example.org")
    as_user(alice).post(reverse("prove_address"))
    User.objects.update(email="b@example.org")
    assert Client().post(link_in(mail.outbox[0].body)).status_code == 410
    alice.refresh_from_db()
    assert alice.proven_email == ""


@pytest.mark.django_db(transaction=True)
def test_of_two_who_use_a_link_at_once_one_does() -> None:
    alice = make_user(username="alice")
    _link, secret = links.make_link(alice, purpose=AccountLink.Purpose.PASSWORD, by=None)
    first, second = links.find_link(secret), links.find_link(secret)
    assert first
    assert second
    with pytest.raises(AccountError, match="used already"):
        overlap(
            lambda: links.use_for_password(first, password=NEW),
            lambda: links.use_for_password(second, password="somebody else's choice"),
        )
    alice.refresh_from_db()
    assert alice.check_password(NEW)


def test_an_old_link_is_dead_and_swept() -> None:
    _link, secret = links.make_link(make_user(), purpose=AccountLink.Purpose.PASSWORD, by=None)
    url = reverse("account_link", args=(secret,))
    assert Client().get(url).status_code == 200
    assert CHORES["account links forgotten"]() == 0
    AccountLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert choose(url).status_code == 410
    assert CHORES["account links forgotten"]() == 1
