"""The public door: the link, the boxes, what is said to whom, and how often."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail, signing
from django.test import Client
from django.utils import timezone

from labeling.models import CaughtMail, Consent, DoorLink, Preview, User
from labeling.preview import door
from labeling.preview import mail as preview_mail
from tests.labeling.overlapping import overlap
from tests.labeling.preview.material import BOXES, link_in, make_preview, make_visitor, opened, sign_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def preview() -> Preview:
    return make_preview()


def knock(preview: Preview, page: str = "sign-up", client: Client | None = None, **values: Any) -> Any:
    form = {"email": "Vera@Example.org", "opened": opened(), **(BOXES if page == "sign-up" else {}), **values}
    return (client or Client()).post(f"/t/{preview.slug}/{page}/", form)


def test_a_stranger_comes_in_by_the_link(preview: Preview) -> None:
    client = Client()
    assert knock(preview, client=client)["Location"] == f"/t/{preview.slug}/sent/"
    assert mail.outbox[0].to == ["vera@example.org"]
    path = link_in()
    assert not User.objects.filter(role="visitor").exists()
    assert "agree to the terms" in client.get(path).content.decode()
    assert client.post(path)["Location"] == f"/t/{preview.slug}/chat/"
    user = User.objects.get(role="visitor")
    assert (user.email, user.has_usable_password()) == ("vera@example.org", False)
    consent = Consent.objects.get()
    assert (consent.user, consent.adult, consent.training, consent.terms_version) == (user, True, False, 1)
    assert client.get(f"/t/{preview.slug}/chat/").status_code == 200
    assert DoorLink.objects.get().email == ""  # the address is stored once


@pytest.mark.parametrize("missing", ["adult", "terms"])
def test_without_a_needed_box_nobody_is_sent_a_link(preview: Preview, missing: str) -> None:
    boxes = {name: value for name, value in BOXES.items() if name != missing}
    form = {"email": "v@example.org", "opened": opened(), **boxes}
    assert Client().post(f"/t/{preview.slug}/sign-up/", form).status_code == 422
    assert mail.outbox == []


def test_training_is_a_box_of_its_own_and_not_ticked(preview: Preview) -> None:
    page = Client().get(f"/t/{preview.slug}/sign-up/").content.decode()
    assert 'name="training"' in page
    assert "checked" not in page
    sign_up(preview, training="on")
    assert Consent.objects.get().training is True


def test_a_link_works_once(preview: Preview) -> None:
    knock(preview)
    path = link_in()
    assert [Client().post(path).status_code for _ in range(2)] == [302, 410]
    assert User.objects.filter(role="visitor").count() == 1


def test_a_link_of_another_purpose_another_preview_or_another_day_opens_nothing(preview: Preview) -> None:
    knock(preview)
    link = DoorLink.objects.get()
    foreign = signing.dumps({"link": str(link.id), "preview": preview.pk}, salt="parley: another purpose")
    other = make_preview()
    for path in (
        f"/t/{preview.slug}/open/{foreign}/",
        f"/t/{other.slug}/open/{door.token_of(link)}/",
        f"/t/{preview.slug}/open/{door.token_of(link)[:-1]}x/",
    ):
        assert Client().post(path).status_code == 410
    assert not User.objects.filter(role="visitor").exists()


def test_a_link_lapses_after_twenty_minutes(preview: Preview, monkeypatch: pytest.MonkeyPatch) -> None:
    knock(preview)
    monkeypatch.setattr(door, "LINK_LIFE", timedelta(seconds=-1))
    assert Client().post(link_in()).status_code == 410


def test_nobody_learns_whether_an_address_is_known(preview: Preview) -> None:
    make_visitor(preview, email="vera@example.org")
    answers = {}
    for email in ("vera@example.org", "nobody@example.org"):
        client = Client()
        answer = knock(preview, "sign-in", client, email=email)
        shown = re.sub(r'X-CSRFToken": "\w+', "", client.get(answer["Location"]).content.decode())
        answers[email] = (answer.status_code, answer["Location"], shown, len(mail.outbox), str(mail.outbox[-1].subject))
        mail.outbox.clear()
    known, unknown = answers.values()
    assert known == unknown


def test_who_signs_in_with_an_unknown_address_agrees_on_the_link_s_page(preview: Preview) -> None:
    knock(preview, "sign-in")
    path = link_in()
    assert Client().post(path).status_code == 422
    assert not User.objects.filter(role="visitor").exists()
    assert Client().post(path, BOXES).status_code == 302
    assert Consent.objects.get().user.email == "vera@example.org"


def test_changed_terms_are_agreed_to_at_the_next_link(preview: Preview) -> None:
    make_visitor(preview)
    knock(preview, "sign-in")
    preview.terms_versions.create(version=2, text="Be very careful.")
    path = link_in()
    assert Client().post(path).status_code == 422
    assert Client().post(path, BOXES).status_code == 302
    found = [(one.terms_version, one.withdrawn_at is None) for one in Consent.objects.order_by("at")]
    assert found == [(1, False), (2, True)]


def test_an_address_is_one_visitor_however_it_is_written(preview: Preview) -> None:
    for email in ("vera@example.org", "VERA@example.org"):
        sign_up(preview, email)
    assert User.objects.filter(role="visitor").count() == 1


@pytest.mark.parametrize(
    ("values", "status", "num_sent"),
    [
        ({"website": "https://spam.example"}, 302, 0),
        ({"opened": 0.1}, 422, 0),
        ({"opened": 25 * 3600.0}, 422, 0),
        ({"opened": "made up"}, 422, 0),
        ({}, 302, 1),
    ],
)
def test_programs_are_kept_out_politely(preview: Preview, values: dict[str, Any], status: int, num_sent: int) -> None:
    since = values.get("opened", 10.0)
    values = {**values, "opened": opened(since) if isinstance(since, float) else since}
    assert (knock(preview, **values).status_code, len(mail.outbox)) == (status, num_sent)


def test_five_sign_ups_a_day_come_from_one_network(preview: Preview) -> None:
    statuses = [knock(preview, email=f"v{number}@example.org").status_code for number in range(6)]
    assert statuses == [302] * 5 + [429]
    other = Client(REMOTE_ADDR="192.0.2.7")
    assert knock(preview, client=other, email="w@example.org").status_code == 302


def test_the_same_mailbox_is_not_flooded(preview: Preview) -> None:
    for number in range(7):
        assert knock(preview, "sign-in", Client(REMOTE_ADDR=f"192.0.2.{number}")).status_code == 302
    assert len(mail.outbox) == door.LINKS_PER_EMAIL


def test_addresses_and_links_are_forgotten_after_a_day(preview: Preview) -> None:
    knock(preview)
    DoorLink.objects.update(created_at=timezone.now() - timedelta(hours=23))
    assert door.forget_links() == 0
    DoorLink.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert door.forget_links() == 1


def test_the_hash_of_an_address_is_another_tomorrow(monkeypatch: pytest.MonkeyPatch) -> None:
    today = door.address_hash("192.0.2.7")
    assert today == door.address_hash("192.0.2.7") != door.address_hash("192.0.2.8")
    assert door.address_hash("2001:db8::1") == door.address_hash("2001:db8::2")  # one customer's
    later = timezone.now() + timedelta(days=1)
    monkeypatch.setattr("labeling.preview.door.timezone.now", lambda: later)
    assert door.address_hash("192.0.2.7") != today


def test_without_a_mail_server_an_admin_reads_what_was_caught(preview: Preview, settings: Any) -> None:
    settings.EMAIL_BACKEND = "labeling.preview.mail.CatchingBackend"
    knock(preview)
    caught = CaughtMail.objects.get()
    assert caught.to == "vera@example.org"
    assert f"/t/{preview.slug}/open/" in caught.body
    CaughtMail.objects.update(at=timezone.now() - timedelta(hours=25))
    assert preview_mail.forget_caught() == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_sign_ups_of_one_network_are_counted_one_after_the_other(preview: Preview) -> None:
    def ask(number: int) -> None:
        door.ask_for_link(
            preview,
            email=f"v{number}@example.org",
            address="192.0.2.7",
            url_of=str,
            terms_version=1,
        )

    for number in range(4):
        ask(number)
    with pytest.raises(door.TooMany):
        overlap(lambda: ask(4), lambda: ask(5))


@pytest.mark.django_db(transaction=True)
def test_a_link_that_is_opened_twice_at_once_lets_in_once(preview: Preview) -> None:
    knock(preview)
    token = door.token_of(DoorLink.objects.get())
    with pytest.raises(door.DoorError):
        overlap(
            lambda: door.open_door(door.find_link(preview, token)),
            lambda: door.open_door(door.find_link(preview, token)),
        )
