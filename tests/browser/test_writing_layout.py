"""Where things lie on the pages of writing and chatting, and what has the focus there."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Dialogue, Project, SamplingRun, User
from tests.answering import answer, stream_words, wait_for_run
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.labeling.factories import make_dialogue, make_project

SIZES = pytest.mark.parametrize("viewport", [DESKTOP, NARROW], ids=["wide", "narrow"])

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]
LONG = "A paragraph of a long answer, as people write them.\n\n" * 12
# How far an element reaches below the upper edge of the bar at the bottom.
UNDER_THE_BAR = """(element) => {
  const bar = document.querySelector('.acts').getBoundingClientRect();
  return element.getBoundingClientRect().bottom - bar.top;
}"""


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


def long_dialogue(project: Project, alice: User, **fields: object) -> Dialogue:
    turns = [
        ("user", "Why?", "typed"),
        ("assistant", LONG, "typed"),
        ("user", LONG, "typed"),
        ("assistant", LONG, "typed"),
    ]
    return make_dialogue(project=project, author=alice, turns=turns, **fields)


@SIZES
def test_what_is_written_under_a_long_dialogue_stays_in_sight(
    viewport: dict[str, int], open_page: OpenPage, alice: User, project: Project, keep_screenshot: Keep
) -> None:
    dialogue = long_dialogue(project, alice)
    page = open_page(f"/p/sky/write/{dialogue.pk}/", user=alice, viewport=viewport)
    text = page.locator("#composer-text")
    expect(text).to_be_focused()
    text.press_sequentially("\n".join("abcdefghijk"))
    assert text.evaluate(UNDER_THE_BAR) <= 0
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread article")).to_have_count(5)
    keep_screenshot(page, f"layout-long-dialogue-{viewport['width']}")
    assert text.evaluate(UNDER_THE_BAR) <= 0
    expect(text).to_be_in_viewport(ratio=0.9)


@SIZES
def test_a_refused_submission_says_so_where_it_is_seen(
    viewport: dict[str, int], open_page: OpenPage, alice: User, project: Project, keep_screenshot: Keep
) -> None:
    dialogue = long_dialogue(project, alice)
    dialogue.messages.filter(position=3).delete()
    page = open_page(f"/p/sky/write/{dialogue.pk}/", user=alice, viewport=viewport)
    page.evaluate("window.scrollTo(0, 0)")
    page.locator("#submit-dialogue").click()
    expect(page.get_by_role("alert")).to_contain_text("A dialogue ends with an answer")
    keep_screenshot(page, f"layout-refused-submission-{viewport['width']}")
    expect(page.locator("#composer-problem")).to_be_in_viewport(ratio=1)
    assert page.locator("#composer-problem").evaluate(UNDER_THE_BAR) <= 0


@SIZES
def test_a_new_dialogue_is_written_from_the_first_letter(
    viewport: dict[str, int], open_page: OpenPage, alice: User
) -> None:
    page = open_page("/p/sky/write/", user=alice, viewport=viewport)
    page.get_by_role("button", name="Start from nothing").click()
    expect(page.locator("#composer-text")).to_be_focused()
    page.keyboard.type("more water, 0 doubts?")
    expect(page.locator("#composer-text")).to_have_value("more water, 0 doubts?")


@SIZES
def test_a_returned_dialogue_opens_at_the_answer_to_mend(
    viewport: dict[str, int], open_page: OpenPage, alice: User, project: Project, keep_screenshot: Keep
) -> None:
    fields = {"state": Dialogue.State.RETURNED, "review_comment": "The answer is too long."}
    dialogue = long_dialogue(project, alice, **fields)
    page = open_page(f"/p/sky/write/{dialogue.pk}/", user=alice, viewport=viewport)
    expect(page.get_by_text("The answer is too long.")).to_be_in_viewport()
    keep_screenshot(page, f"layout-returned-{viewport['width']}")
    page.keyboard.press("Enter")
    edit = page.locator("#thread article").nth(3).get_by_label("The message")
    expect(edit).to_be_focused()
    expect(edit).to_be_in_viewport()


def test_three_answers_of_a_chat_lie_side_by_side(open_page: OpenPage, alice: User, keep_screenshot: Keep) -> None:
    page = begin_chat(open_page, alice)
    answer(ask(page, drafts="3"), "One.", "Two. " * 30, "Three.")
    expect(page.get_by_role("button", name="Choose")).to_have_count(3)
    keep_screenshot(page, "layout-three-answers")
    tops = page.locator(".candidate").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().top)")
    assert len(set(tops)) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not violations(page)


@SIZES
def test_an_answer_that_streams_is_followed_above_the_composer(
    viewport: dict[str, int], open_page: OpenPage, alice: User, keep_screenshot: Keep
) -> None:
    page = begin_chat(open_page, alice, viewport=viewport)
    run = ask(page)
    stream_words(run, index=0, text="word " * 400 + "end")
    expect(page.locator(".candidate .prose")).to_contain_text("end")
    expect(page.locator("[data-stop]")).to_be_in_viewport(ratio=1)
    keep_screenshot(page, f"layout-streaming-{viewport['width']}")
    assert page.locator(".candidate").evaluate(UNDER_THE_BAR) <= 0


def test_escape_stops_a_chats_answer_also_from_the_composer(open_page: OpenPage, alice: User) -> None:
    page = begin_chat(open_page, alice)
    run = ask(page)
    stream_words(run, index=0, text="Sunlight has all")
    expect(page.locator(".candidate .prose")).to_contain_text("Sunlight")
    page.locator("#composer-text").focus()
    with page.expect_response("**/stop/**"):
        page.keyboard.press("Escape")
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_the_focus_stays_at_the_composer_after_escape(open_page: OpenPage, alice: User, project: Project) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=[("user", "Why?", "typed")])
    page = open_page(f"/p/sky/write/{dialogue.pk}/", user=alice)
    page.locator("#composer-text").fill("**Because**")
    page.keyboard.press("Escape")
    expect(page.locator("#composer")).to_be_focused()
    page.keyboard.press("w")
    expect(page.locator("#composer-text")).to_be_focused()
    page.locator("[data-tool=edit]").click()
    expect(page.locator(".edit-form textarea")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-tool=edit]")).to_be_focused()


def test_a_refused_sign_in_leaves_the_focus_on_the_password(open_page: OpenPage, alice: User) -> None:
    page = open_page("/sign-in/")
    page.get_by_label("Name").fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()


def ask(page: Page, *, drafts: str = "1") -> SamplingRun:
    page.get_by_label("Answers to choose from").select_option(drafts)
    page.locator("#composer-text").fill("Why is the sky blue?")
    page.keyboard.press("Control+Enter")
    return wait_for_run(purpose="chat")


def begin_chat(open_page: OpenPage, alice: User, **options: object) -> Page:
    page = open_page("/p/sky/chat/", user=alice, **options)
    page.get_by_role("button", name="Start a chat").click()
    expect(page.locator("#composer-text")).to_be_focused()
    return page
