"""Two who act on one delivery at once: it is told once, and what was told is not told again."""

import pytest

from labeling.models import Delivery, Project, Webhook
from labeling.webhooks import deliveries
from tests.labeling.factories import make_user
from tests.labeling.overlapping import overlap
from tests.labeling.webhooks.listener import Listener

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def webhook(project: Project, listener: Listener, sent: object) -> Webhook:
    erin = make_user(username="erin", projects=[project])
    added = deliveries.add_webhook(project, url=listener.url, events=["export.ready"], by=erin)
    deliveries.announce(project, Webhook.Event.EXPORT_READY)
    return added


def test_an_attempt_that_two_workers_find_due_is_made_by_one(webhook: Webhook, listener: Listener) -> None:
    delivery = Delivery.objects.get()

    def deliver() -> bool:
        return deliveries.deliver(delivery.id)

    assert not overlap(deliver, deliver)
    assert len(listener.heard) == 1


def test_a_delivery_whose_answer_is_just_being_stored_is_not_tried_again(webhook: Webhook) -> None:
    delivery = Delivery.objects.get()
    assert (
        overlap(
            lambda: deliveries.deliver(delivery.id),
            lambda: deliveries.retry_deliveries(Webhook.objects.get(), by=make_user()),
        )
        == 0
    )
    delivery.refresh_from_db()
    assert delivery.state == Delivery.State.DONE
