"""Webhooks: told once it is true, signed, again until they take it, and never inside our own network."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from labeling import exports
from labeling.models import AuditEvent, Delivery, Project, User, Webhook
from labeling.rounds import promotion
from labeling.webhooks import deliveries, outbound_http
from labeling.webhooks.deliveries import PAUSES, WebhookError
from labeling.webhooks.outbound_http import OutboundError
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_comparison, make_project, make_served_policy, make_user
from tests.labeling.webhooks.listener import Listener

pytestmark = pytest.mark.django_db
ALL = Webhook.Event.values


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours")


@pytest.fixture
def erin(project: Project) -> User:
    return make_user(username="erin", projects=[project])


@pytest.fixture
def webhook(project: Project, erin: User, listener: Listener) -> Webhook:
    return deliveries.add_webhook(project, url=listener.url, events=ALL, by=erin)


def announced(project: Project) -> Delivery:
    deliveries.announce(project, Webhook.Event.EXPORT_READY, export_id="e-1")
    return Delivery.objects.latest("created_at")


def make_due() -> None:
    Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def test_what_happens_in_the_loop_is_announced(project: Project, erin: User, webhook: Webhook) -> None:
    make_comparison(project=project)
    alice = Program(make_user(username="alice", projects=[project]))
    lease = alice.post("projects/ours/claim").json()["lease"]
    order = {"tiers": [[one["id"]] for one in lease["completions"]]}
    assert alice.post(f"projects/ours/leases/{lease['id']}/ranking", order).status_code == 201
    assert alice.post(f"projects/ours/leases/{lease['id']}/ranking", order).status_code == 201
    export = exports.request_export(project, kind="rankings", by=erin, notify_worker=False)
    assert exports.build(export.id)
    promotion.promote(make_served_policy(), project=project, by=erin, reason="Tried by hand.")
    told = {row.event: json.loads(row.body) for row in Delivery.objects.all()}
    assert Delivery.objects.count() == 3
    assert told["comparison.completed"]["comparison_id"] == str(project.comparisons.get().id)
    assert (told["export.ready"]["export_id"], told["export.ready"]["num_records"]) == (str(export.id), 1)
    assert (told["round.finished"]["round"], told["round.finished"]["promoted"]) == (1, "served")
    assert {one["project"] for one in told.values()} == {"ours"}


def test_only_those_who_asked_are_told(project: Project, erin: User, listener: Listener) -> None:
    deliveries.add_webhook(project, url=listener.url, events=["round.finished"], by=erin)
    deliveries.add_webhook(make_project(), url=listener.url, events=ALL, by=erin)
    deliveries.announce(project, Webhook.Event.EXPORT_READY)
    assert not Delivery.objects.exists()


def test_what_was_rolled_back_was_never_announced(project: Project, webhook: Webhook) -> None:
    with transaction.atomic():
        announced(project)
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


def test_a_delivery_is_signed_over_its_id_time_and_body(project: Project, webhook: Webhook, listener: Listener) -> None:
    delivery = announced(project)
    assert deliveries.deliver(delivery.id)
    headers, body = listener.heard[0]
    assert (headers["Parley-Event"], headers["webhook-id"]) == ("export.ready", str(delivery.id))
    at = headers["webhook-timestamp"]
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"), validate=True)
    assert len(key) == 32
    mac = hmac.new(key, f"{delivery.id}.{at}.".encode() + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert abs(int(at) - timezone.now().timestamp()) < 60
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status, delivery.num_attempts) == ("done", 200, 1)
    assert not deliveries.deliver(delivery.id)
    assert len(listener.heard) == 1


@pytest.mark.parametrize("status", [500, 404, 302])
def test_it_is_told_again_later_and_later_and_at_last_no_more(
    project: Project, webhook: Webhook, listener: Listener, status: int
) -> None:
    delivery = announced(project)
    listener.statuses[:] = [status] * 20
    for num, pause in enumerate(PAUSES, start=1):
        assert not deliveries.deliver(delivery.id)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.status, delivery.num_attempts) == ("waiting", status, num)
        assert abs((delivery.due_at - timezone.now()) - pause) < timedelta(seconds=20)
        assert not deliveries.deliver(delivery.id)  # not due yet
        make_due()
    deliveries.deliver(delivery.id)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.num_attempts) == ("failed", len(PAUSES) + 1)
    assert delivery.finished_at is not None
    assert len(listener.heard) == len(PAUSES) + 1


def test_an_attempt_that_died_is_made_again(project: Project, webhook: Webhook, listener: Listener) -> None:
    delivery = announced(project)
    assert deliveries._claim(delivery.id) is not None  # and then the worker is killed
    assert deliveries.sweep_deliveries() == 0
    make_due()
    assert deliveries.sweep_deliveries() == 1
    assert deliveries.deliver(delivery.id)


def test_a_webhook_has_so_many_attempts_under_way_and_the_next_waits_in_turn(
    project: Project, webhook: Webhook, erin: User, listener: Listener
) -> None:
    for _ in range(deliveries.AT_ONCE):
        assert deliveries._claim(announced(project).id) is not None
    third = announced(project)
    assert not deliveries.deliver(third.id)
    third.refresh_from_db()
    assert (third.state, third.num_attempts) == ("waiting", 0)  # no attempt is used up
    assert third.due_at > timezone.now()
    other = deliveries.add_webhook(project, url=listener.url, events=ALL, by=erin)
    announced(project)
    assert deliveries.deliver(other.deliveries.get().id)
    Delivery.objects.update(attempt_ends_at=timezone.now() - timedelta(seconds=1))  # as of workers that were killed
    make_due()
    assert deliveries.deliver(third.id)
    assert Delivery.objects.get(id=third.id).attempt_ends_at is None


def test_a_closed_webhook_hears_nothing_more(
    project: Project, erin: User, webhook: Webhook, listener: Listener
) -> None:
    delivery = announced(project)
    deliveries.close_webhook(webhook, by=erin)
    assert not deliveries.deliver(delivery.id)
    deliveries.announce(project, Webhook.Event.EXPORT_READY)
    assert Delivery.objects.count() == 1
    assert not listener.heard
    assert AuditEvent.objects.filter(verb="close webhook", by=erin).exists()


def test_what_was_given_up_is_told_once_more_when_asked(
    project: Project, erin: User, webhook: Webhook, listener: Listener
) -> None:
    delivery = announced(project)
    listener.statuses = [500] * (len(PAUSES) + 2)
    for _ in range(len(PAUSES) + 1):
        make_due()
        assert not deliveries.deliver(delivery.id)
    assert deliveries.delivery_counts(webhook) == {"total": 1, "waiting": 0, "done": 0, "failed": 1}
    assert deliveries.retry_deliveries(webhook, by=erin) == 1
    assert not deliveries.deliver(delivery.id)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.num_attempts) == ("failed", len(PAUSES) + 2)
    assert deliveries.retry_deliveries(webhook, by=erin) == 1
    assert deliveries.deliver(delivery.id)
    assert deliveries.retry_deliveries(webhook, by=erin) == 0
    assert deliveries.delivery_counts(webhook)["done"] == 1
    tried = AuditEvent.objects.filter(verb="try webhook again", by=erin).order_by("id")
    assert [event.detail["num"] for event in tried] == [1, 1, 0]


def test_a_closed_webhook_is_not_tried_again(project: Project, erin: User, webhook: Webhook) -> None:
    announced(project)
    deliveries.close_webhook(webhook, by=erin)
    webhook.refresh_from_db()
    assert deliveries.retry_deliveries(webhook, by=erin) == 0
    assert deliveries.delivery_counts(webhook)["failed"] == 1


def test_the_log_is_forgotten_after_a_month(project: Project, webhook: Webhook) -> None:
    deliveries.deliver(announced(project).id)
    deliveries.sweep_deliveries()
    assert Delivery.objects.count() == 1
    Delivery.objects.update(finished_at=timezone.now() - timedelta(days=31))
    deliveries.sweep_deliveries()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "https://", "example.org", "https://u:p@example.org/",
        "https://example.org:port/", "https://exam ple.org/", "https://example.org/\r\nHost: x", "https://[::1/", "",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(project: Project, erin: User, url: str) -> None:
    with pytest.raises(WebhookError):
        deliveries.add_webhook(project, url=url, events=ALL, by=erin)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "[::1]", "[fd00::1]",
     "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "100.64.0.1",
     "224.0.0.1"],
)  # fmt: skip
def test_no_machine_of_our_own_network_is_called(host: str, settings: Any) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = ["elsewhere"]
    with pytest.raises(OutboundError):
        outbound_http.post(f"https://{host}:1/", b"{}", {})


@pytest.mark.parametrize("host", ["10.1.2.3", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254"])
def test_an_address_in_our_own_network_is_refused_when_it_is_added(project: Project, erin: User, host: str) -> None:
    with pytest.raises(WebhookError, match="private network"):
        deliveries.add_webhook(project, url=f"https://{host}/hook", events=ALL, by=erin)


def test_a_name_that_cannot_be_resolved_now_is_added(project: Project, erin: User) -> None:
    assert deliveries.add_webhook(project, url="https://hooks.invalid/", events=ALL, by=erin).closed_at is None


def test_public_addresses_are_told_from_others() -> None:
    assert outbound_http.is_public("93.184.216.34")
    assert outbound_http.is_public("2606:4700:4700::1111")
    assert not outbound_http.is_public("fe80::1%eth0")


def test_a_name_is_judged_by_every_address_it_has(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    public = [f"93.184.216.{number}" for number in range(4)]
    both = [(2, 1, 6, "", (address, 443)) for address in (*public, "10.0.0.1")]
    settings.WEBHOOK_PRIVATE_HOSTS = ["another.example"]
    monkeypatch.setattr("labeling.webhooks.outbound_http.socket.getaddrinfo", lambda *_, **__: both)
    with pytest.raises(OutboundError, match="private network"):
        outbound_http.post("https://two-faced.example/", b"{}", {})


def test_the_api_adds_lists_and_closes_webhooks(project: Project, erin: User, listener: Listener) -> None:
    program = Program(erin)
    given = {"url": listener.url, "events": ["export.ready"]}
    added = program.post("projects/ours/webhooks", given)
    assert added.status_code == 201
    assert added.json()["secret"].startswith("whsec_")
    assert "secret" not in program.get("projects/ours/webhooks").json()["results"][0]
    deliveries.deliver(announced(project).id)
    path = f"projects/ours/webhooks/{added.json()['id']}"
    log = program.get(f"{path}/deliveries").json()["results"]
    assert [(row["state"], row["status"]) for row in log] == [("done", 200)]
    assert program.post(f"{path}/close").json()["closed_at"] is not None
    refused = program.post("projects/ours/webhooks", {**given, "events": ["moon.rose"]})
    assert (refused.status_code, "moon" in refused.json()["what"] or "Choose" in refused.json()["what"]) == (422, True)
    stranger = Program(make_user(username="charlie", role="engineer"))
    assert stranger.get(f"{path}/deliveries").status_code == 404


def test_an_attempt_that_ends_after_the_next_began_changes_nothing(
    project: Project, webhook: Webhook, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the address takes so long that the delivery is due again meanwhile."""
    delivery = announced(project)
    post = outbound_http.post

    def slowly(*arguments: Any) -> int:
        Delivery.objects.update(num_attempts=2)
        return post(*arguments)

    monkeypatch.setattr(outbound_http, "post", slowly)
    deliveries.deliver(delivery.id)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.status) == ("waiting", None)


def test_what_is_closed_while_it_is_told_stays_failed(
    project: Project, erin: User, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = announced(project)
    post = outbound_http.post

    def close_meanwhile(*arguments: Any) -> int:
        deliveries.close_webhook(webhook, by=erin)
        return post(*arguments)

    monkeypatch.setattr(outbound_http, "post", close_meanwhile)
    deliveries.deliver(delivery.id)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == ("failed", "The webhook was closed.")


def test_what_waits_longer_than_the_log_is_kept_is_not_forgotten(project: Project, webhook: Webhook) -> None:
    announced(project)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    deliveries.sweep_deliveries()
    assert Delivery.objects.count() == 1


def test_a_project_has_so_many_open_webhooks_and_no_more(project: Project, erin: User, listener: Listener) -> None:
    def add() -> Webhook:
        return deliveries.add_webhook(project, url=listener.url, events=ALL, by=erin)

    added = [add() for _ in range(deliveries.MOST_PER_PROJECT)]
    assert AuditEvent.objects.filter(verb="add webhook", by=erin).count() == len(added)
    with pytest.raises(WebhookError, match="close one first"):
        add()
    for _ in range(2):
        deliveries.close_webhook(added[0], by=erin)
    assert AuditEvent.objects.filter(verb="close webhook").count() == 1
    add()
