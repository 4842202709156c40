"""Real deliveries before the verifier that receivers use: the package of Standard Webhooks."""

from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.models import AuditEvent, Delivery, Project, User, Webhook
from labeling.models.webhooks import new_secret
from labeling.webhooks import deliveries
from tests.labeling.signed_in import as_user
from tests.labeling.webhooks.listener import Listener

pytest.importorskip("standardwebhooks", reason="standardwebhooks, of the extra dev, is not installed")
import standardwebhooks

pytestmark = pytest.mark.django_db
Verifier = standardwebhooks.Webhook
Refused = standardwebhooks.WebhookVerificationError


@pytest.fixture
def webhook(project: Project, erin: User, listener: Listener) -> Webhook:
    return deliveries.add_webhook(project, url=listener.url, events=["export.ready"], by=erin)


def heard(webhook: Webhook, listener: Listener) -> tuple[bytes, dict[str, str]]:
    """What the listener is told of one event: its body and headers, as they came over the network."""
    deliveries.announce(webhook.project, Webhook.Event.EXPORT_READY, export_id="é-1")
    assert deliveries.deliver(Delivery.objects.latest("created_at").id)
    headers, body = listener.heard[-1]
    return body, headers


def test_the_verifier_accepts_what_we_sent_and_nothing_else(webhook: Webhook, listener: Listener) -> None:
    body, headers = heard(webhook, listener)
    verifier = Verifier(webhook.secret)
    assert verifier.verify(body, headers)["export_id"] == "é-1"
    for changed in (
        (body + b" ", headers),
        (body, headers | {"webhook-id": "another"}),
        (body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}),
    ):
        with pytest.raises(Refused):
            verifier.verify(*changed)
    with pytest.raises(Refused):
        Verifier(new_secret()).verify(body, headers)


def test_while_a_secret_is_changed_both_verify(webhook: Webhook, listener: Listener, erin: User) -> None:
    old = webhook.secret
    page = as_user(erin).post(reverse("rotate_webhook", args=(webhook.project.slug, webhook.id)))
    webhook.refresh_from_db()
    assert webhook.secret != old
    assert webhook.secret in unescape(page.content.decode())
    assert AuditEvent.objects.filter(verb="rotate secret of webhook", by=erin).exists()
    body, headers = heard(webhook, listener)
    assert len(headers["webhook-signature"].split()) == 2
    for secret in (old, webhook.secret):
        assert Verifier(secret).verify(body, headers)["event"] == "export.ready"
    Webhook.objects.update(old_secret_until=timezone.now() - timedelta(seconds=1))
    body, headers = heard(webhook, listener)
    assert Verifier(webhook.secret).verify(body, headers)
    with pytest.raises(Refused):
        Verifier(old).verify(body, headers)


def test_a_secret_of_before_verifies_too(webhook: Webhook, listener: Listener) -> None:
    Webhook.objects.update(secret="whsec_Zm9v-2Jhc_mJheiBxdXV4IGZvbyBiYXIgYmF6IHF1dXg")  # token_urlsafe's alphabet
    webhook.refresh_from_db()
    body, headers = heard(webhook, listener)
    assert Verifier(webhook.secret).verify(body, headers)


def test_a_closed_webhook_gets_no_new_secret(webhook: Webhook, erin: User) -> None:
    deliveries.close_webhook(webhook, by=erin)
    with pytest.raises(deliveries.WebhookError, match="told nothing"):
        deliveries.rotate_secret(webhook, by=erin)
