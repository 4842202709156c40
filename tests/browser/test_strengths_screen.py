"""How much better each tier is than the next: said by key, mouse and touch, asked before submitting, kept and shown."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Comparison, Lease, Project, Ranking, User
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.browser.ranking_page import board_is_ready, take_next
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_project

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", asks_strengths=True)


@pytest.fixture
def board(open_page: OpenPage, alice: User, comparison: Comparison) -> Page:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    return page


def place(page: Page, keys: str) -> None:
    """Put A on the tier of the first key, B on that of the second, and so on."""
    for letter, key in zip("ABCD", keys, strict=False):
        page.locator(f".completion[data-letter={letter}]").focus()
        page.keyboard.press(key)


def chosen(page: Page) -> list[str]:
    """What is chosen in each gap in sight, best tiers first."""
    return page.locator(".gap:visible").evaluate_all(
        "(all) => all.map((gap) => gap.querySelector('input:checked + span')?.textContent ?? '')"
    )


@pytest.mark.in_both_browsers
def test_strengths_are_said_by_key_and_a_ranking_waits_for_the_last(board: Page) -> None:
    page = board
    expect(page.locator(".gap:visible")).to_have_count(0)
    place(page, "1224")
    expect(page.locator("#why-not")).to_have_text("how much better? A > B = C, B = C > D")
    expect(page.locator("#submit-ranking")).to_be_disabled()
    for _ in "far":
        page.keyboard.press(">")
    expect(page.locator("#live")).to_have_text("B = C better than D: far")
    page.keyboard.press("<")
    assert chosen(page) == ["", "clearly"]
    expect(page.locator("#why-not")).to_have_text("how much better? A > B = C")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("ArrowUp")
    page.keyboard.press(">")
    expect(page.locator("#why-not")).to_be_hidden()
    page.keyboard.press("u")
    expect(page.locator("#submit-ranking")).to_be_disabled()
    page.keyboard.press(">")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert Ranking.objects.get().strengths == [1, 2]


def test_the_best_tier_has_nothing_above_it(board: Page) -> None:
    place(board, "1")
    board.keyboard.press(">")
    expect(board.locator("#live")).to_have_text("nothing is ranked above it")


def test_what_was_said_of_two_tiers_goes_when_one_of_them_is_another(board: Page) -> None:
    page = board
    place(page, "1224")
    page.locator(".gap:visible").nth(0).get_by_text("far", exact=True).click()
    page.locator(".gap:visible").nth(1).get_by_text("a little", exact=True).click()
    assert chosen(page) == ["far", "a little"]
    page.locator(".completion[data-letter=D]").focus()
    page.keyboard.press("3")  # the same tiers with another number
    assert chosen(page) == ["far", "a little"]
    page.keyboard.press("4")
    place(page, "123")  # C comes between
    assert chosen(page) == ["", "", ""]
    page.keyboard.press("u")
    assert chosen(page) == ["far", "a little"]


def test_a_number_in_a_gap_moves_no_card(board: Page) -> None:
    page = board
    place(page, "1224")
    page.locator(".gap:visible").first.get_by_text("a little", exact=True).click()
    page.keyboard.press("3")
    expect(page.locator(".completion[data-letter=D] .place")).to_have_text("tier 4")
    page.keyboard.press(">")  # what the focus is in, not what the last card stands on
    assert chosen(page) == ["clearly", ""]


@pytest.mark.in_both_browsers
def test_strengths_are_restored_from_this_browser_and_from_the_server(board: Page) -> None:
    page = board
    place(page, "1224")
    page.keyboard.press(">")
    expect(page.locator("#save-state")).to_contain_text("saved")
    assert Lease.objects.get().draft["board"]["strengths"] == {"4": 1}
    page.reload()
    board_is_ready(page)
    assert chosen(page) == ["", "a little"]
    page.evaluate("localStorage.clear()")
    page.reload()
    board_is_ready(page)
    assert chosen(page) == ["", "a little"]


def test_two_tabs_show_the_strengths_of_both(board: Page) -> None:
    other = board.context.new_page()
    other.goto(board.url)
    board_is_ready(other)
    place(board, "1234")
    for key in (">", "ArrowUp", ">", ">", "ArrowUp", ">", ">", ">"):
        board.keyboard.press(key)
    board.locator(".completion[data-letter=D]").focus()
    board.keyboard.press("x")
    expect(board.locator("#save-state")).to_contain_text("saved")
    assert Lease.objects.get().draft["board"]["strengths"] == {"2": 3, "3": 2, "4": 1}
    place(other, "1244")
    expect(other.locator("#two-boards .theirs")).to_have_text("A ⋙ B ≫ C > | D")
    expect(other.locator("#two-boards .mine")).to_have_text("A > B > C = D")
    other.get_by_role("button", name="Keep that one").click()
    assert chosen(other) == ["far", "clearly", "a little"]


def test_a_submitted_ranking_shows_its_strengths_and_a_change_begins_with_them(
    board: Page, keep_screenshot: Keep
) -> None:
    page = board
    own = page.url
    place(page, "1224")
    for key in (">", ">", "ArrowUp", ">"):
        page.keyboard.press(key)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    page.goto(own)
    expect(page.locator(".tier-of .gap")).to_have_text(
        ["The tier above is a little better.", "The tier above is clearly better."]
    )
    look_at(page, "strengths-submitted", keep_screenshot, at=".tier-of .gap")
    page.goto("/history/")
    expect(page.get_by_text("A > B = C ≫ D")).to_be_visible()
    look_at(page, "strengths-my-work", keep_screenshot, at=".own-work")
    Project.objects.update(asks_strengths=False)  # what was said is not lost by a change all the same
    page.goto(own)
    page.keyboard.press("e")
    board_is_ready(page)
    assert chosen(page) == ["a little", "clearly"]
    page.locator(".gap:visible").nth(0).get_by_text("far", exact=True).click()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your change is saved")).to_be_visible()
    assert Ranking.objects.get(retracted_at=None).strengths == [3, 2]


def test_strengths_are_said_without_scripts(board: Page, keep_screenshot: Keep) -> None:
    plain = board.context.browser.new_context(  # type: ignore[union-attr]
        java_script_enabled=False, storage_state=board.context.storage_state()
    )
    bare = plain.new_page()
    bare.goto(board.url)
    for letter, tier in zip("ABCD", "1224", strict=True):
        bare.locator(f".completion[data-letter={letter}] .tiers label", has_text=tier).click()
    bare.locator(".gap[data-gap='4']").get_by_text("clearly", exact=True).click()
    keep_screenshot(bare, "strengths-without-scripts")
    bare.locator("#submit-ranking").click()
    expect(bare.get_by_text("Say how much better tier 1 is than tier 2, as you did of others.")).to_be_visible()
    expect(bare.locator(".gap[data-gap='4'] input[value='2']")).to_be_checked()
    bare.locator(".gap[data-gap='2']").get_by_text("far", exact=True).click()
    bare.locator("#submit-ranking").click()
    expect(bare.get_by_text("Your ranking is saved.")).to_be_visible()
    plain.close()
    assert Ranking.objects.get().strengths == [3, 2]


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
@pytest.mark.parametrize("layout", ["stacked", "columns", "two"])
def test_the_gaps_stand_between_the_tiers_in_every_layout(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Keep, layout: str, colour_scheme: str
) -> None:
    alice.preferences["layout"] = layout
    alice.save(update_fields=["preferences"])
    page = open_page("/p/bread/rank/", user=alice, viewport=DESKTOP, colour_scheme=colour_scheme)
    take_next(page)
    place(page, "1224")
    page.keyboard.press(">")
    expect(page.locator(".gap:visible")).to_have_count(2)
    page.locator(".gap:visible").first.scroll_into_view_if_needed()
    keep_screenshot(page, f"strengths-{layout}-{colour_scheme}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_on_a_phone_strengths_are_said_by_touch_and_what_lacks_is_said(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Keep, colour_scheme: str
) -> None:
    page = open_page("/p/bread/rank/", user=alice, viewport=NARROW, colour_scheme=colour_scheme)
    take_next(page)
    for letter, tier in zip("ABCD", "1224", strict=True):
        page.locator(f".completion[data-letter={letter}] .tiers label", has_text=tier).tap()
    expect(page.locator("#why-not")).to_be_visible()
    page.locator(".gap[data-gap='2']").get_by_text("clearly", exact=True).tap()
    keep_screenshot(page, f"strengths-phone-{colour_scheme}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    page.locator(".gap[data-gap='4']").get_by_text("far", exact=True).tap()
    page.locator("#submit-ranking").tap()
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert Ranking.objects.get().strengths == [2, 3]


def test_forced_colours_show_the_chosen_strength(board: Page) -> None:
    place(board, "1224")
    board.keyboard.press(">")
    board.emulate_media(forced_colors="active")
    background = "(element) => getComputedStyle(element).backgroundColor"
    choices = board.locator(".gap[data-gap='4'] .strengths span")
    assert choices.nth(0).evaluate(background) != choices.nth(1).evaluate(background)
