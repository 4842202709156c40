"""A trainer's day around the work itself: a tour, snippets, today's count, a word about a break, an empty queue."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.models import Comparison, Message, Project, Snippet, User
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.browser.ranking_page import board_is_ready, take_next
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_comparison, make_dialogue, make_user

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]

AT_WORK = """([user, minutes]) => localStorage.setItem(
  `parley:work:${user}`, JSON.stringify({since: Date.now() - minutes * 60_000, last: Date.now()}))"""
TOP = "(card) => card.getBoundingClientRect().top + scrollY"


@pytest.fixture
def newcomer(project: Project) -> User:
    return make_user(username="bob", projects=[project], preferences={})


@pytest.mark.parametrize(("viewport", "colours"), [(DESKTOP, "light"), (NARROW, "dark")])
def test_a_newcomer_is_shown_round_the_board_once(
    open_page: OpenPage,
    newcomer: User,
    comparison: Comparison,
    keep_screenshot: Keep,
    viewport: dict[str, int],
    colours: str,
) -> None:
    page = open_page("/p/bread/rank/", user=newcomer, viewport=viewport, colour_scheme=colours)
    take_next(page)
    tour = page.get_by_role("dialog", name="A tour of one minute")
    expect(tour.get_by_role("heading")).to_have_text("The prompt")
    expect(tour.get_by_role("button", name="Next")).to_be_focused()
    seen = []
    while (button := tour.get_by_role("button", name="Next")).count():
        seen.append(tour.get_by_role("heading").text_content())
        assert not violations(page)
        keep_screenshot(page, f"tour-{viewport['width']}-{len(seen)}")
        page.keyboard.press("1")  # the board behind the tour does nothing
        page.keyboard.press("Control+Enter")
        button.press("Enter")
    assert seen == ["The prompt", "The completions", "Tiers", "Unacceptable"]
    expect(page.locator(".overview .is-placed")).to_have_count(0)
    with page.expect_response("**/account/tour/"):
        tour.get_by_role("button", name="Begin").press("Enter")
    expect(tour).to_be_hidden()
    page.reload()
    board_is_ready(page)
    expect(tour).to_be_hidden()
    newcomer.refresh_from_db()
    assert newcomer.preferences["tours"] == ["rank"]


def test_a_tour_is_skipped_by_one_key_and_begun_again_from_the_keys(
    open_page: OpenPage, newcomer: User, project: Project
) -> None:
    dialogue = make_dialogue(project=project, author=newcomer, turns=())
    page = open_page(f"/p/bread/write/{dialogue.pk}/", user=newcomer)
    tour = page.get_by_role("dialog", name="A tour of one minute")
    expect(tour).to_be_visible()
    with page.expect_response("**/account/tour/"):
        page.keyboard.press("Escape")
    expect(tour).to_be_hidden()
    page.reload()
    page.locator("#composer").focus()
    page.keyboard.press("?")
    page.get_by_role("button", name="A tour of one minute").click()
    expect(tour.get_by_role("heading")).to_have_text("Who speaks")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_a_snippet_is_made_and_written_with_by_keyboard(
    open_page: OpenPage, alice: User, project: Project, keep_screenshot: Keep
) -> None:
    page = open_page("/account/", user=alice)
    page.get_by_role("link", name="My snippets").click()
    page.get_by_label("Name").fill("Tutor")
    page.get_by_label("Text").fill("You are a patient tutor.\nYou never give the answer away.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("The snippet is kept.")).to_be_visible()
    page.locator(".snippets summary b", has_text="Tutor").click()
    look_at(page, "snippets", keep_screenshot)
    dialogue = make_dialogue(project=project, author=alice, turns=())
    page.goto(f"/p/bread/write/{dialogue.pk}/")
    page.get_by_label("system").check(force=True)
    page.locator("#composer-text").fill("Be kind. ")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    look_at(page, "snippets-menu", keep_screenshot, at="#snippets")
    page.keyboard.press("1")
    text = page.locator("#composer-text")
    expect(text).to_be_focused()
    expect(text).to_have_value("Be kind. You are a patient tutor.\nYou never give the answer away.")
    page.keyboard.type(" Not even when begged.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("article.written")).to_have_count(1)
    message = Message.objects.get(dialogue=dialogue)
    assert (message.role, message.authorship) == ("system", Message.Authorship.TYPED)
    assert message.content.endswith("away. Not even when begged.")


def test_a_snippet_is_for_those_who_ask_and_not_for_answers(open_page: OpenPage, alice: User, project: Project) -> None:
    Snippet.objects.create(owner=alice, name="Tutor", text="You are a patient tutor.")
    dialogue = make_dialogue(project=project, author=alice, turns=[("user", "Why?", "typed")])
    page = open_page(f"/p/bread/write/{dialogue.pk}/", user=alice)
    expect(page.locator("#composer-text")).to_be_visible()
    expect(page.locator("#snippets")).to_be_hidden()
    page.get_by_label("system").check(force=True)
    expect(page.locator("#snippets")).to_be_visible()


def test_a_deleted_snippet_can_be_brought_back(open_page: OpenPage, alice: User) -> None:
    Snippet.objects.create(owner=alice, name="Tutor", text="You are a patient tutor.")
    page = open_page("/account/snippets/", user=alice)
    page.locator(".snippets summary b", has_text="Tutor").click()
    page.get_by_role("button", name="Delete Tutor").click()
    expect(page.get_by_text("“Tutor” is deleted.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".snippets summary b", has_text="Tutor")).to_be_visible()


def test_todays_count_stands_against_a_goal_of_ones_own(
    open_page: OpenPage, alice: User, project: Project, keep_screenshot: Keep
) -> None:
    for _ in range(2):
        make_dialogue(project=project, author=alice, state="submitted", submitted_at=timezone.now(), seconds=90)
    page = open_page("/account/", user=alice)
    page.get_by_label("Goal for a day").fill("3")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    look_at(page, "account", keep_screenshot, at="#id_daily_goal")
    for path, name in (("/history/", "my-work"), ("/p/bread/rank/", "nothing-to-rank"), ("/", "home")):
        page.goto(path)
        expect(page.get_by_text("2 of your 3")).to_be_visible()
        expect(page.get_by_text("(1 min 30 s each)")).to_be_visible()
        look_at(page, f"today-{name}", keep_screenshot, at=".today")


@pytest.mark.parametrize(("viewport", "colours"), [(DESKTOP, "light"), (NARROW, "dark")])
def test_a_break_is_spoken_of_between_words_and_moves_nothing(
    open_page: OpenPage,
    alice: User,
    comparison: Comparison,
    keep_screenshot: Keep,
    viewport: dict[str, int],
    colours: str,
) -> None:
    page = open_page("/p/bread/rank/", user=alice, viewport=viewport, colour_scheme=colours)
    take_next(page)
    word = page.locator("#break")
    expect(word).to_be_hidden()
    page.locator(".completion.is-current").focus()
    page.keyboard.press("n")
    top = page.locator(".completion.is-current").evaluate(TOP)
    page.keyboard.type("It is ")
    page.evaluate(AT_WORK, [str(alice.pk), 51])
    for _ in range(4):
        page.keyboard.type("hard ")
        page.wait_for_timeout(700)
        assert word.is_hidden(), "in the middle of typing"
    expect(word).to_be_visible()
    expect(page.locator("#note-on-ranking")).to_be_focused()
    expect(page.locator("#live")).to_have_text("50 minutes at work: a short break?")
    assert page.locator(".completion.is-current").evaluate(TOP) == top
    page.evaluate("scrollTo(0, 0)")
    keep_screenshot(page, f"break-{viewport['width']}")
    assert not violations(page)
    word.get_by_role("button", name="not now").click()
    expect(word).to_be_hidden()
    page.reload()
    board_is_ready(page)
    expect(word).to_be_hidden()


def test_no_break_is_spoken_of_where_that_is_switched_off(open_page: OpenPage, alice: User) -> None:
    page = open_page("/account/", user=alice)
    page.evaluate(AT_WORK, [str(alice.pk), 51])
    page.reload()
    expect(page.locator("#break")).to_be_visible()
    page.get_by_label("Minutes of work").fill("")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.locator("#break")).to_have_count(0)


def test_an_empty_queue_offers_something_else(open_page: OpenPage, alice: User, project: Project) -> None:
    make_comparison(project=project, state="sampling", round=project.current_round)
    page = open_page("/p/bread/rank/", user=alice)
    expect(page.get_by_role("heading", name="Nothing to rank just now")).to_be_visible()
    expect(page.get_by_text("1 more comparison is being sampled.")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing to rank just now")).to_be_visible()
    page.keyboard.press("w")
    expect(page.locator("h1")).to_have_text("Write")
