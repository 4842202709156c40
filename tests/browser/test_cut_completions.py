"""Completions that end at the longest length sampled are marked on the board: wide and narrow, light and dark."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Comparison, User
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.browser.ranking_page import board_is_ready

OpenPage = Callable[..., Page]


@pytest.mark.parametrize(("viewport", "colour_scheme"), [(DESKTOP, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
def test_a_cut_completion_is_marked_and_a_whole_one_is_not(
    open_page: OpenPage,
    alice: User,
    comparison: Comparison,
    keep_screenshot: Callable[[Page, str], Path],
    viewport: dict[str, int],
    colour_scheme: str,
) -> None:
    comparison.completions.filter(index=2).update(finish_reason="length")
    cut = comparison.completions.get(index=2)
    page = open_page("/p/bread/rank/", user=alice, viewport=viewport, colour_scheme=colour_scheme)
    page.get_by_role("button", name="Next comparison").click()
    board_is_ready(page)
    letter = page.locator(f".completion[data-id='{cut.id}']").get_attribute("data-letter")
    page.locator(".overview button", has_text=letter).click()
    expect(page.locator(".cut")).to_have_count(1)
    expect(page.locator(f".completion[data-letter={letter}] .cut")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    page.locator(".cut").scroll_into_view_if_needed()
    keep_screenshot(page, f"cut-{viewport['width']}-{colour_scheme}")
