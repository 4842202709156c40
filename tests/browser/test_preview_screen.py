"""A stranger's way through the public door: in by the caught mail, a chat, two models, Mine, and everything deleted."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import (
    CaughtMail,
    Dialogue,
    Message,
    Preview,
    PreviewSample,
    Project,
    Ranking,
    SampleAnswer,
    SamplingRun,
    User,
)
from labeling.preview.forms import QUICKEST
from tests.answering import answer, finish_stream, send_result, stream_words, wait_for_run
from tests.browser.axe import violations
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_policy, make_project
from tests.labeling.preview.material import chat, make_preview, make_visitor

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

WELCOME = """Sprout is a small language model that people at the **Parley** project are teaching, ranking by ranking, \
what a good answer is.

Come in and talk with it. What it gets wrong tells us most."""
SAID = (
    "Sunlight has all colours in it. The air bounces the blue around the most, so blue comes to your eyes from "
    "every side of the sky.",
    "The sky is blue because of the ocean, which is blue, and the sky is like a mirror that shows it.",
)


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", policy=make_policy(name="sprout-2"))


@pytest.fixture
def preview(project: Project) -> Preview:
    made = make_preview(project=project, second_policy=make_policy(name="sprout-1"), welcome=WELCOME)
    said = [{"role": "user", "content": "Explain to a child why the sky is blue."}]
    for chosen_from in (1, 4):
        sample = PreviewSample.objects.create(preview=made, messages=said, chosen_from=chosen_from)
        for side, policy in enumerate((project.policy, made.second_policy)):
            SampleAnswer.objects.create(
                sample=sample, side=side, policy=policy, content=SAID[side], finish_reason="stop",
                sampling={"temperature": 0.7, "top_p": 1.0, "seed": 4711, "max_new_tokens": 256},
            )  # fmt: skip
        PreviewSample.objects.filter(pk=sample.pk).update(frozen_at=sample.created_at)
    return made


def link_of(page: Page) -> str:
    """The path of the link that was caught."""
    for _ in range(100):
        caught = CaughtMail.objects.first()
        if caught is not None:
            found = re.search(r"http://[^/]+(/\S+)", caught.body)
            assert found is not None
            return found.group(1)
        page.wait_for_timeout(50)
    raise AssertionError("no mail was caught")


def finish(run: SamplingRun, text: str) -> None:
    stream_words(run, index=0, text=text)
    answer(run, text)
    finish_stream(run)


@pytest.mark.in_both_browsers
def test_a_stranger_comes_in_chats_compares_and_deletes_everything(
    open_page: OpenPage, preview: Preview, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page("/t/sky/")
    page.get_by_role("link", name="Try it").click()
    page.get_by_label("Your e-mail address").fill("vera@example.org")
    page.get_by_label("18 or older").check()
    page.get_by_label("agree to them").check()
    expect(page.get_by_label("Models may learn")).not_to_be_checked()
    page.wait_for_timeout(QUICKEST * 1000)  # nobody reads the boxes faster
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(link_of(page))
    page.get_by_role("button", name="Come in").click()
    page.locator("#composer-text").fill("Why is the sky blue?")
    page.keyboard.press("Control+Enter")
    run = wait_for_run(purpose="chat")
    stream_words(run, index=0, text="Sunlight has")
    expect(page.locator(".candidate .prose")).to_contain_text("Sunlight has")
    answer(run, SAID[0])
    finish_stream(run)
    expect(page.locator(".message.is-assistant")).to_contain_text("every side of the sky")
    page.locator("#composer-text").fill("And the sunset?")
    page.get_by_role("button", name="Ask two models").click()
    expect(page.locator(".of-two .run")).to_have_count(2)
    expect(page.locator("#composer-text")).to_have_value("")
    for one in SamplingRun.objects.filter(dialogue__isnull=False, position=3).order_by("created_at"):
        finish(one, f"Said by {one.policy.name[::-1]}.")
    expect(page.get_by_role("button", name="The left one is better")).to_be_visible()
    keep_screenshot(page, "preview-two")
    assert "sprout-1" not in page.locator("#thread").inner_text()
    page.get_by_role("button", name="The left one is better").click()
    expect(page.locator(".message.is-assistant")).to_have_count(2)
    assert Ranking.objects.get().is_choice
    page.get_by_role("link", name="Mine").click()
    expect(page.locator(".visits li")).to_contain_text("Why is the sky blue?")
    page.get_by_role("link", name="Delete all of it").click()
    page.get_by_role("button", name="Delete everything of mine").click()
    expect(page.locator(".notice.success")).to_contain_text("Everything of yours is deleted")
    expect(page.get_by_role("link", name="Try it")).to_be_visible()
    assert (Dialogue.objects.count(), Message.objects.count(), Ranking.objects.count()) == (0, 0, 0)
    assert not User.objects.filter(email__contains="vera").exists()


def test_by_keys_alone_a_visitor_signs_in_says_something_and_deletes_a_chat(
    open_page: OpenPage, preview: Preview
) -> None:
    visitor = make_visitor(preview)
    kept = chat(preview, visitor, "Why?")
    page = open_page("/t/sky/sign-in/")
    page.get_by_label("Your e-mail address").focus()
    page.keyboard.type("vera@example.org")
    page.wait_for_timeout(QUICKEST * 1000)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(link_of(page))
    expect(page.get_by_role("button", name="Come in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#composer-text")).to_be_focused()
    page.keyboard.type("Are you there?")
    page.keyboard.press("Control+Enter")
    finish(wait_for_run(purpose="chat"), "I am.")
    expect(page.locator(".message.is-assistant")).to_contain_text("I am.")
    page.get_by_role("link", name="Mine").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".visits li")).to_have_count(2)
    page.locator(".visits summary").last.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".notice.success")).to_contain_text("That chat is deleted")
    assert not Dialogue.objects.filter(pk=kept.pk).exists()


PAGES = {
    "public": "/t/sky/",
    "sign-up": "/t/sky/sign-up/",
    "sign-in": "/t/sky/sign-in/",
    "terms": "/t/sky/terms/",
    "new-chat": "/t/sky/chat/",
    "mine": "/t/sky/mine/",
    "delete": "/t/sky/mine/delete/",
    "chat": "/t/sky/chat/{dialogue}/",
}


def test_every_public_page_is_accessible_narrow_and_wide_in_both_colours(
    open_page: OpenPage, preview: Preview, keep_screenshot: KeepScreenshot
) -> None:
    visitor = make_visitor(preview)
    chat(preview, visitor, "Write me a poem about the sea, of four lines, and let the last one rhyme with the first.")
    dialogue = chat(preview, visitor, "Why is the sky blue?", "And the *sunset*?")
    for signed_in in (None, visitor):
        page = open_page("/t/sky/", user=signed_in)
        for name, path in PAGES.items():
            if (signed_in is None) != (name in ("public", "sign-up", "sign-in", "terms")):
                continue
            page.goto(path.format(dialogue=dialogue.pk))
            look_at(page, f"preview-{name}", keep_screenshot, at="h1")


def test_an_admin_sets_a_preview_up_and_finds_the_samples(
    open_page: OpenPage, project: Project, keep_screenshot: KeepScreenshot
) -> None:
    adam = User.objects.create_user("adam", None, role="admin", preferences={"tours": ["rank", "write"]})
    other = make_policy(name="sprout-1")
    page = open_page("/p/sky/settings/preview/", user=adam)
    page.get_by_label("Title").fill("Sprout")
    page.get_by_label("Open to the public").check()
    page.get_by_label("Second model").select_option("sprout-1")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice.success")).to_be_visible()
    look_at(page, "preview-settings", keep_screenshot)
    assert Preview.objects.get().second_policy == other
    page.get_by_role("link", name="Samples").click()
    page.get_by_label("Prompt").fill("Why is the sky blue?")
    page.get_by_role("button", name="Sample it").click()
    expect(page.locator(".sample")).to_contain_text("being sampled")
    for run in SamplingRun.objects.filter(purpose="evaluation"):
        run.refresh_from_db()
        send_result(run, f"By {run.policy.name}.")
    page.reload()
    page.get_by_role("button", name="Pin it").click()
    expect(page.locator(".sample .stamp").first).to_contain_text("seed")
    look_at(page, "preview-samples", keep_screenshot)
    page.goto("/t/sky/")
    expect(page.locator(".sample")).to_contain_text("By sprout-1.")
    assert violations(page) == []
