"""Where things lie on the ranking screen: what is within reach, what is left to read, and at which zoom."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Comparison, Project, User
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.browser.ranking_page import board_is_ready, bread_comparison, take_next

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]
CODE = "Try this:\n\n```python\n" + "very_long_name_of_a_function(with_an_argument, and_another) + " * 4 + "1\n```\n"
IN_VIEW = "(element) => { const box = element.getBoundingClientRect(); return box.bottom - innerHeight }"
# What is left for reading between whatever stays on the screen while the page scrolls.
LEFT_TO_READ = """() => {
  window.scrollTo(0, 300);
  const fixed = [...document.querySelectorAll('body *')].filter((element) => {
    const { position } = getComputedStyle(element);
    return ['fixed', 'sticky'].includes(position) && element.offsetParent !== null || position === 'fixed';
  }).map((element) => element.getBoundingClientRect()).filter((box) => box.height > 0 && box.width > innerWidth * 0.8);
  let covered = 0;
  for (let y = 0; y < innerHeight; y += 1) covered += fixed.some((box) => box.top <= y && y < box.bottom) ? 1 : 0;
  return innerHeight - covered;
}"""


def open_board(open_page: OpenPage, alice: User, viewport: dict[str, int], *, colours: str = "light") -> Page:
    page = open_page("/p/bread/rank/", user=alice, viewport=viewport, colour_scheme=colours)
    take_next(page)
    return page


def write_long(comparison: Comparison, content: str) -> None:
    for completion in comparison.completions.all():
        completion.content = content
        completion.save(update_fields=["content"])


def test_abstain_and_skip_stay_on_a_narrow_phone_once_the_board_is_saved(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Keep
) -> None:
    page = open_board(open_page, alice, NARROW, colours="dark")
    page.locator(".completion[data-letter=A] .tiers label", has_text="2").tap()
    expect(page.locator("#save-state")).to_contain_text("saved")
    keep_screenshot(page, "layout-ranking-phone-dark")
    below = [page.locator(f"summary[data-key={key}]").evaluate(IN_VIEW) for key in "as"]
    assert max(below) <= 0, below
    page.locator("summary[data-key=s]").tap()
    expect(page.get_by_role("button", name="Not my topic")).to_be_in_viewport(ratio=1)
    assert not violations(page)


def test_a_phone_leaves_two_thirds_of_its_height_for_reading(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    write_long(comparison, "A paragraph to be read.\n\n" * 40)
    page = open_board(open_page, alice, NARROW)
    page.locator(".completion[data-letter=A] .tiers label", has_text="2").tap()
    expect(page.locator("#save-state")).to_contain_text("saved")
    assert page.evaluate(LEFT_TO_READ) >= 490


@pytest.mark.parametrize("viewport", [{"width": 640, "height": 400}, {"width": 320, "height": 200}])
def test_zoomed_in_the_bars_fold_away(
    viewport: dict[str, int], open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Keep
) -> None:
    write_long(comparison, "A paragraph to be read.\n\n" * 40)
    page = open_board(open_page, alice, viewport)
    left = page.evaluate(LEFT_TO_READ)
    keep_screenshot(page, f"layout-ranking-zoom-{viewport['width']}")
    assert left >= viewport["height"] * 0.8
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_four_columns_are_whole_at_1280(
    open_page: OpenPage, alice: User, project: Project, comparison: Comparison, keep_screenshot: Keep
) -> None:
    alice.preferences["layout"] = "columns"
    alice.save(update_fields=["preferences"])
    page = open_board(open_page, alice, DESKTOP)
    keep_screenshot(page, "layout-columns")
    expect(page.locator(".completion[data-letter=D]")).to_be_in_viewport(ratio=0.99)
    for key in "123":
        page.keyboard.press(key)
    keep_screenshot(page, "layout-columns-ranked")
    page.keyboard.press("4")
    expect(page.locator(".completion[data-letter=D]")).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize("layout", ["stacked", "columns", "two"])
@pytest.mark.parametrize("width", [360, 900, 1280])
def test_long_code_stays_in_its_card(
    layout: str, width: int, open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    write_long(comparison, CODE)
    alice.preferences["layout"] = layout
    alice.save(update_fields=["preferences"])
    page = open_board(open_page, alice, {"width": width, "height": 740})
    rights = page.locator(".completion").evaluate_all("(all) => all.map((card) => card.getBoundingClientRect().right)")
    within = page.locator(".board").evaluate("(board) => board.getBoundingClientRect().left + board.scrollWidth")
    assert max(rights) <= within
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_saved_ranking_is_said_without_moving_the_next_board(
    open_page: OpenPage, alice: User, project: Project, comparison: Comparison, keep_screenshot: Keep
) -> None:
    bread_comparison(project)
    page = open_board(open_page, alice, DESKTOP)
    before = page.locator(".prompt").bounding_box()
    for key in "1234":
        page.keyboard.press(key)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    board_is_ready(page)
    keep_screenshot(page, "layout-saved-message")
    after = page.locator(".prompt").bounding_box()
    assert before is not None
    assert after is not None
    assert after["y"] == before["y"]


def test_forced_colours_show_the_chosen_tier_and_tab(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Keep
) -> None:
    page = open_board(open_page, alice, DESKTOP)
    page.keyboard.press("2")
    page.emulate_media(forced_colors="active")
    keep_screenshot(page, "layout-forced-colours")
    background = "(element) => getComputedStyle(element).backgroundColor"
    tiers = page.locator(".completion[data-letter=A] .tiers span")
    assert tiers.nth(1).evaluate(background) != tiers.nth(0).evaluate(background)
    border = "(element) => getComputedStyle(element).borderBottomColor"
    tabs = page.locator(".bar nav a")
    assert tabs.and_(page.locator("[aria-current]")).evaluate(border) != tabs.first.evaluate(border)


def test_over_long_cards_the_tiers_and_the_line_come_to_the_hand(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Keep
) -> None:
    write_long(comparison, "A paragraph to be read.\n\n" * 30)
    page = open_board(open_page, alice, DESKTOP)
    for letter, place in (("A", "2"), ("B", "line")):
        handle = page.locator(f".completion[data-letter={letter}] .handle")
        handle.scroll_into_view_if_needed()
        handle.hover()
        page.mouse.down()
        target = page.locator(f".dock [data-drop='{place}']")
        expect(target).to_be_in_viewport(ratio=1)
        target.hover()
        expect(target).to_have_class("is-over")
        keep_screenshot(page, f"layout-dragging-{letter}")
        page.mouse.up()
        expect(page.locator(".dock")).to_have_count(0)
    expect(page.locator(".completion[data-letter=A] .place")).to_have_text("tier 2")
    expect(page.locator(".completion[data-letter=B] .place")).to_have_text("tier 4, unacceptable")


def test_a_hand_that_holds_still_at_the_edge_scrolls_on(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    write_long(comparison, "A paragraph to be read.\n\n" * 30)
    page = open_board(open_page, alice, DESKTOP)
    page.locator(".completion[data-letter=A] .handle").hover()
    page.mouse.down()
    page.mouse.move(700, 760)
    expect(page.locator(".completion[data-letter=B]")).to_be_in_viewport()
    assert page.evaluate("scrollY") > 400
    page.mouse.up()
