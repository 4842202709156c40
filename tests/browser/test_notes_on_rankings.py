"""The note on a ranking as a whole: written by key, kept in the draft, restored, handed in and read again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from labeling.models import Comparison, Lease, Ranking, User
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.browser.ranking_page import board_is_ready, take_next

OpenPage = Callable[..., Page]
WORDS = "A and C were hard to tell apart. The guidelines say nothing of <b>baking</b> times."


def test_a_note_is_written_by_key_and_is_there_after_a_reload(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("n")
    note = page.get_by_label("Note on this ranking")
    expect(note).to_be_focused()
    page.keyboard.type(WORDS)  # each key of the board among them stays a letter
    expect(page.locator("#save-state")).to_contain_text("saved")
    assert Lease.objects.get().draft["note"] == WORDS
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(note).to_have_value(WORDS)
    page.locator(".completion[data-letter=A]").focus()
    for key in "1234":
        page.keyboard.press(key)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert Ranking.objects.get().note == WORDS
    page.goto("/history/")
    expect(page.get_by_text(WORDS)).to_be_visible()


def test_a_refused_ranking_keeps_its_note(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    note = page.get_by_label("Note on this ranking")
    note.fill(WORDS)
    page.locator(".completion[data-letter=A]").focus()
    for key in "1234":
        page.keyboard.press(key)
    page.route("**/rank/*/", refuse)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#problem")).to_contain_text("not now")
    expect(note).to_have_value(WORDS)
    page.reload()
    expect(note).to_have_value(WORDS)


def refuse(route: Route) -> None:
    """Answer a submission as a server of an hour that does not take it."""
    if route.request.method == "POST":
        route.fulfill(status=409, content_type="application/json", body='{"error": "not now"}')
    else:
        route.continue_()


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, NARROW], ids=["desktop", "narrow"])
def test_the_note_can_be_read_and_reached_everywhere(
    open_page: OpenPage,
    alice: User,
    comparison: Comparison,
    keep_screenshot: Callable[[Page, str], Path],
    viewport: dict[str, int],
    colour_scheme: str,
) -> None:
    page = open_page("/p/bread/rank/", user=alice, viewport=viewport, colour_scheme=colour_scheme)
    page.get_by_role("button", name="Next comparison").click()
    board_is_ready(page)
    note = page.get_by_label("Note on this ranking")
    note.fill(WORDS)
    bar = page.locator("#save-state" if viewport == DESKTOP else ".completion.is-current > header").bounding_box()
    field = note.bounding_box()
    assert bar is not None
    assert field is not None
    assert field["y"] + field["height"] <= bar["y"]  # what is written is not under the bars
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    keep_screenshot(page, f"note-on-ranking-{viewport['width']}-{colour_scheme}")
