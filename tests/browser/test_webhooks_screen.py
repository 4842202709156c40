"""An engineer adds a webhook, reads what it was told, and closes it: on a desk and on a phone."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.models import Delivery, Project, User, Webhook
from tests.browser.screenshots import look_at

URL = "https://hooks.invalid/a-long-way-to-a-hook/of-the-nightly-training-of-the-team?project=bread"


def test_a_webhook_is_added_its_log_read_and_closed(
    open_page: Callable[..., Page], project: Project, erin: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/bread/data/", user=erin)
    page.get_by_role("link", name="Webhooks").click()
    expect(page.get_by_text("No address is told of anything yet.")).to_be_visible()
    page.get_by_label("Address").fill(URL)
    page.get_by_label("An export is done").check()
    page.get_by_role("button", name="Add it").click()
    webhook = Webhook.objects.get(project=project)
    expect(page.locator("output.password")).to_have_text(webhook.secret)
    _tell(webhook)
    page.goto("/p/bread/data/webhooks/")
    look_at(page, "webhooks", keep_screenshot)
    page.get_by_role("link", name=URL).click()
    expect(page.get_by_text("It answered 503.")).to_be_visible()
    page.get_by_text("export.ready").first.click()
    look_at(page, "webhook", keep_screenshot)
    page.get_by_role("button", name="New secret").click()
    expect(page.locator("output.password")).not_to_have_text(webhook.secret)
    look_at(page, "webhook-rotated", keep_screenshot)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("No address is told of anything yet.")).to_be_visible()


def _tell(webhook: Webhook) -> None:
    """A delivery in each state."""
    now = timezone.now()
    common = {"webhook": webhook, "event": "export.ready", "due_at": now + timedelta(minutes=5)}
    body = '{"event": "export.ready", "project": "bread", "export_id": "b4a7c2d0-0000-4000-8000-000000000000"}'
    for changes in (
        {"state": "done", "num_attempts": 1, "status": 204},
        {"state": "waiting", "num_attempts": 2, "status": 503, "error": "It answered 503."},
        {"state": "failed", "num_attempts": 7, "error": "It did not answer within 10 seconds."},
    ):
        Delivery.objects.create(**common, body=body, **changes)
