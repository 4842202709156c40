"""A trainer judges and reports an answer in a chat; a reviewer triages with keys alone; the trainer reads why."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Page, expect

from labeling.models import Case, Dialogue, Probe, Project, Report, Thumb, User
from labeling.safety import reports
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_chat, make_policy, make_project, make_user

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def broker(engines: object) -> None:
    redis.Redis.from_url(settings.REDIS_URL).flushdb()


@pytest.fixture
def project(engines: object) -> Project:
    return make_project(slug="bread", name="Bread", policy=make_policy(name="plain"))


@pytest.fixture
def alice(project: Project) -> User:
    return make_user(username="alice", projects=[project])


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", projects=[project])


def test_an_answer_gets_a_thumb_a_better_one_and_a_report(
    open_page: OpenPage, project: Project, alice: User, keep_screenshot: KeepScreenshot
) -> None:
    chat = make_chat(project=project, author=alice, num_turns=2)
    page = open_page(f"/p/bread/chat/{chat.pk}/", user=alice)
    answer = page.locator(".is-assistant").last
    look_at(page, "chat-not-judged", keep_screenshot, at=".reaction >> nth=1")
    answer.get_by_role("button", name="A bad answer").press("Enter")
    expect(answer.get_by_role("button", name="A bad answer")).to_have_attribute("aria-pressed", "true")
    answer.get_by_text("Why, or a better answer").press("Enter")
    answer.get_by_label("Not true").check()
    answer.get_by_label("A better answer").fill("Knead it for ten minutes.")
    look_at(page, "chat-why", keep_screenshot, at=".why-form")
    page.keyboard.press("Control+Enter")
    expect(answer.get_by_text("Saved.")).to_be_visible()
    thumb = Thumb.objects.get()
    assert (thumb.up, thumb.reasons) == (False, ["not true"])
    assert thumb.better is not None
    assert thumb.better.state == Dialogue.State.SUBMITTED
    answer.locator(".report-box summary").press("Enter")
    answer.get_by_label("What is wrong").select_option("harmful")
    answer.get_by_label("In your words").fill("It is rude.")
    look_at(page, "chat-report", keep_screenshot, at=".report-box[open]")
    page.keyboard.press("Control+Enter")
    expect(answer.get_by_text("Reported. Thank you")).to_be_visible()
    assert (Report.objects.get().kind, Report.objects.get().note) == ("harmful", "It is rude.")
    answer.get_by_role("button", name="A bad answer").click()
    expect(answer.get_by_role("button", name="A bad answer")).to_have_attribute("aria-pressed", "false")
    assert not Thumb.objects.that_count().exists()
    page.reload()
    expect(page.locator(".is-assistant").last.locator(".report-box summary")).to_contain_text("Reported")


def test_a_reviewer_triages_with_keys_and_the_reporter_reads_why(
    open_page: OpenPage, project: Project, alice: User, rita: User, keep_screenshot: KeepScreenshot
) -> None:
    for num, kind in enumerate(("other", "false", "harmful")):
        message = make_chat(project=project, author=alice).messages.get(position=1)
        message.content = f"Bread number {num} is **not** bread."
        message.save()
        reports.report(project, by=alice, message=message, kind=kind, note=f"Note {num}")
    page = open_page("/p/bread/", user=rita)
    page.get_by_role("link", name="Triage").click()
    look_at(page, "triage-queue", keep_screenshot)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Note 2")).to_be_visible()
    expect(page.get_by_text("Bread number 2")).to_have_count(0)
    look_at(page, "triage-case", keep_screenshot)
    page.keyboard.press("j")
    expect(page.get_by_text("Note 1")).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_text("Note 2")).to_be_visible()
    page.keyboard.press("t")
    expect(page.get_by_text("Bread number 2")).to_be_visible()
    look_at(page, "triage-revealed", keep_screenshot, at=".revealed")
    page.keyboard.press("b")
    expect(page.get_by_text("kept, and learnt from by no policy")).to_be_visible()
    assert Probe.objects.get().answer == "Bread number 2 is **not** bread."
    page.keyboard.press("a")
    expect(page.get_by_label("Agreed: it is so")).to_be_checked()
    page.get_by_label("Why").fill("It would spoil a dinner.")
    look_at(page, "triage-decision", keep_screenshot, at=".decision")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Decided. Its reporters can read")).to_be_visible()
    expect(page.get_by_text("Note 1")).to_be_visible()  # the next one
    assert Case.objects.get(state="agreed").action == Case.Action.PROBE
    look_at(page, "triage-next", keep_screenshot)
    own = open_page(reverse("my_reports"), user=alice)
    expect(own.get_by_text("It would spoil a dinner.")).to_be_visible()
    look_at(own, "my-reports", keep_screenshot)
