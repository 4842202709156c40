"""The pages of webhooks: added with a secret shown once, their log, tried again, closed."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Delivery, Project, User, Webhook
from labeling.webhooks import deliveries
from tests.labeling.factories import make_project, make_user
from tests.labeling.signed_in import as_user
from tests.labeling.webhooks.listener import Listener

pytestmark = pytest.mark.django_db
SECRET = r'<output class="password">(\S+)</output>'


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours")


@pytest.fixture
def webhook(project: Project, erin: User, listener: Listener) -> Webhook:
    return deliveries.add_webhook(project, url=listener.url, events=["export.ready"], by=erin)


def page_of(browser: Client, webhook: Webhook) -> str:
    return str(browser.get(reverse("webhook", args=("ours", webhook.id))).content.decode())


def test_its_secret_is_shown_once(erin: User, erins_browser: Client, project: Project, listener: Listener) -> None:
    given = {"url": listener.url, "events": ["export.ready", "round.finished"]}
    answer = erins_browser.post(reverse("webhooks", args=("ours",)), given)
    webhook = Webhook.objects.get(project=project)
    assert re.search(SECRET, answer.content.decode())[1] == webhook.secret
    assert (webhook.url, webhook.events, webhook.created_by) == (listener.url, given["events"], erin)
    listed = erins_browser.get(reverse("webhooks", args=("ours",))).content.decode()
    assert webhook.secret not in listed
    assert "A round has closed" in listed


@pytest.mark.parametrize(
    "wrong", [{"url": "no address"}, {"url": "http://10.0.0.1/"}, {"events": []}, {"events": ["moon.rose"]}]
)
def test_what_makes_no_sense_is_refused(erins_browser: Client, wrong: dict[str, object]) -> None:
    given = {"url": "https://203.0.113.9/hook", "events": ["export.ready"], **wrong}
    answer = erins_browser.post(reverse("webhooks", args=("ours",)), given)
    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert not Webhook.objects.exists()


def test_the_log_says_what_was_told_and_answered(
    project: Project, erins_browser: Client, webhook: Webhook, listener: Listener
) -> None:
    assert "Nothing has happened" in page_of(erins_browser, webhook)
    deliveries.announce(project, Webhook.Event.EXPORT_READY, export_id="e-<1>")
    listener.statuses = [503]
    deliveries.deliver(Delivery.objects.get().id)
    page = page_of(erins_browser, webhook)
    assert "It answered 503." in page
    assert "e-&lt;1&gt;" in page
    erins_browser.post(reverse("retry_webhook", args=("ours", webhook.id)))
    assert deliveries.deliver(Delivery.objects.get().id)
    assert ">taken<" in page_of(erins_browser, webhook)


def test_a_closed_one_is_listed_no_more(erins_browser: Client, webhook: Webhook) -> None:
    erins_browser.post(reverse("close_webhook", args=("ours", webhook.id)))
    assert webhook.url not in erins_browser.get(reverse("webhooks", args=("ours",))).content.decode()
    page = page_of(erins_browser, webhook)
    assert "closed" in page
    assert "Try again" not in page


def test_strangers_and_trainers_find_none(project: Project, webhook: Webhook) -> None:
    path = reverse("webhook", args=("ours", webhook.id))
    assert as_user(make_user(username="alice", projects=[project])).get(path).status_code == 403
    assert as_user(make_user(username="eve", role="engineer")).get(path).status_code == 404
