"""Correcting a completion and writing a better one on the ranking screen: keys, drafts, and a lost network."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from labeling.models import Comparison, Completion, Dialogue, Lease, Ranking, User
from tests.browser.axe import violations
from tests.browser.conftest import NARROW
from tests.browser.ranking_page import board_is_ready, take_next

OpenPage = Callable[..., Page]


def editor_of(page: Page, letter: str) -> str:
    identifier = page.locator(f".completion[data-letter={letter}]").get_attribute("data-id")
    return f'.better[data-better="{identifier}"]'


NEW = '.better[data-better=""]'


def saved(page: Page) -> None:
    expect(page.locator("#save-state")).to_have_attribute("data-state", "saved")


def test_a_completion_is_corrected_by_keyboard_and_the_ranking_goes_on(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("1")  # A is placed, and B has the focus
    origin = Completion.objects.get(id=page.locator(".completion[data-letter=B]").get_attribute("data-id"))
    page.keyboard.press("c")
    text = page.locator(f"{editor_of(page, 'B')} textarea")
    expect(text).to_be_focused()
    expect(text).to_have_value(origin.content)
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" Really.")
    keep_screenshot(page, "ranking-correct")
    page.keyboard.press("Control+Enter")
    expect(page.locator(editor_of(page, "B"))).to_contain_text("a reviewer will read it")
    answer = Dialogue.objects.get(author=alice).messages.get(role="assistant")
    assert (answer.content, answer.authorship) == (f"{origin.content} Really.", "edited")
    assert (answer.edit_distance, answer.completion) == (8, origin)
    page.keyboard.press("Escape")
    for key in ("2", "3", "4"):
        page.keyboard.press(key)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert len(Ranking.objects.get().shown_order) == 4


def test_a_better_one_is_written_at_the_boards_end(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("w")
    expect(page.locator(f"{NEW} textarea")).to_be_focused()
    page.keyboard.insert_text("Bake it longer, at 250 °C.")
    page.locator(NEW).get_by_role("button", name="Hand it in").click()
    link = page.locator(NEW).get_by_role("link", name="Look at it")
    expect(link).to_be_visible()
    dialogue = Dialogue.objects.get(author=alice)
    assert (link.get_attribute("href"), dialogue.lease) == (f"/p/bread/write/{dialogue.pk}/", Lease.objects.get())
    assert dialogue.messages.get(role="assistant").authorship == "typed"
    assert violations(page) == []


def test_a_text_that_is_not_handed_in_survives_a_closed_tab(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("w")
    page.keyboard.insert_text("Half a thought")
    saved(page)
    page.close()
    page = open_page("/p/bread/rank/", user=alice)  # another browser: what it shows comes from the server
    page.get_by_role("button", name="Go on with it").click()
    board_is_ready(page)
    expect(page.locator(f"{NEW} textarea")).to_have_value("Half a thought")
    page.locator(NEW).get_by_role("button", name="Discard").click()
    expect(page.locator(f"{NEW} .better-state")).to_contain_text("Discarded.")
    page.keyboard.press("Control+z")
    expect(page.locator(f"{NEW} textarea")).to_have_value("Half a thought")
    page.locator(NEW).get_by_role("button", name="Discard").click()
    saved(page)
    assert Lease.objects.get().draft["better"] == {}
    assert not Dialogue.objects.exists()


def test_a_ranking_waits_for_a_text_that_is_not_handed_in(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("w")
    page.keyboard.insert_text("Half a thought")
    page.keyboard.press("Escape")
    for letter, tier in zip("ABCD", "1234", strict=True):
        page.locator(f".completion[data-letter={letter}] .tiers label", has_text=tier).click()
    page.locator("#submit-ranking").click()
    expect(page.locator("#problem")).to_contain_text("not handed in yet")
    assert not Ranking.objects.exists()
    page.locator(f"{NEW} textarea").press("Control+Enter")
    expect(page.locator(NEW)).to_contain_text("a reviewer will read it")
    page.locator("#submit-ranking").click()
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert Ranking.objects.count() == Dialogue.objects.count() == 1


def test_a_lost_network_keeps_the_text_and_hands_it_in_once(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("w")
    page.keyboard.insert_text("Bake it longer.")
    page.context.set_offline(True)
    page.keyboard.press("Control+Enter")
    expect(page.locator(NEW)).to_contain_text("will be handed in")
    expect(page.locator(f"{NEW} textarea")).to_have_value("Bake it longer.")
    page.context.set_offline(False)
    expect(page.locator(NEW)).to_contain_text("a reviewer will read it")
    assert Dialogue.objects.count() == 1


def test_an_answer_that_got_lost_does_not_hand_it_in_twice(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    held: list[Route] = []
    page.route("**/better/", lambda route: route.continue_() if held else held.append(route))
    page.keyboard.press("w")
    expect(page.locator(f"{NEW} textarea")).to_be_focused()
    page.keyboard.insert_text("Bake it longer.")
    with page.expect_request("**/better/"):
        page.keyboard.press("Control+Enter")
    while not held:  # the request is told before it comes to its route
        page.wait_for_timeout(20)
    assert "reviewer" in held[0].fetch().text()  # stored, and the answer is lost
    with page.expect_response("**/better/"):
        held[0].abort()
    expect(page.locator(NEW)).to_contain_text("a reviewer will read it")
    assert Dialogue.objects.count() == 1


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_the_editors_fit_a_phone(
    open_page: OpenPage,
    alice: User,
    comparison: Comparison,
    colour_scheme: str,
    keep_screenshot: Callable[[Page, str], Path],
) -> None:
    page = open_page("/p/bread/rank/", user=alice, viewport=NARROW, colour_scheme=colour_scheme)
    page.locator("button.primary").tap()
    board_is_ready(page)
    page.locator(f"{editor_of(page, 'A')} summary").tap()
    page.locator(f"{NEW} summary").tap()
    page.locator(f"{NEW} textarea").fill("Bake it longer.")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert violations(page) == []
    keep_screenshot(page, f"ranking-correct-phone-{colour_scheme}")
