"""Ratings that a project asks for: given by key before the order, needed before Submit, and said where they lack."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Comparison, Project, Ranking, User
from tests.browser.axe import violations
from tests.browser.conftest import NARROW
from tests.browser.ranking_page import board_is_ready, take_next
from tests.labeling.factories import make_project

OpenPage = Callable[..., Page]


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", asks_ratings=True)


@pytest.mark.in_both_browsers
def test_a_ranking_waits_for_its_ratings_which_have_keys(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    why_not, submit = page.locator("#why-not"), page.locator("#submit-ranking")
    expect(why_not).to_have_text("not rated yet: A, B, C, D")
    for key in "1234":
        page.keyboard.press(key)
    expect(why_not).to_have_text("not rated yet: A, B, C, D")
    page.keyboard.press("Control+Enter")
    for letter, overall in zip("ABCD", "7531", strict=True):
        expect(submit).to_be_disabled()
        card = page.locator(f".completion[data-letter={letter}]")
        card.focus()
        for key in ("r", overall, "Enter"):
            page.keyboard.press(key)
        expect(card).to_be_focused()
        expect(card.locator(".rating .given")).to_have_text(f"{overall}/7")
    expect(why_not).to_be_hidden()
    assert not Ranking.objects.exists()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    ranking = Ranking.objects.get()
    assert {str(one.completion_id): one.overall for one in ranking.ratings.all()} == dict(
        zip(ranking.shown_order, (7, 5, 3, 1), strict=True)
    )
    assert len(ranking.tiers) == 4  # a number in an open rating moves no card


def test_who_abstains_rates_nothing(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("a")
    page.get_by_role("button", name="They cannot be compared").click()
    expect(page.get_by_text("You abstained. Your reason is saved.")).to_be_visible()


def test_the_rating_is_typed_in_its_note_and_no_key(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("r")
    note = page.locator(".completion[data-letter=A] .rating textarea")
    note.focus()
    page.keyboard.type("r 4 < >")
    expect(note).to_have_value("r 4 < >")
    expect(page.locator(".completion[data-letter=A] .rating .given")).to_be_empty()


def test_a_phone_says_that_ratings_lack(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice, viewport=NARROW)
    page.get_by_role("button", name="Next comparison").tap()
    board_is_ready(page)
    for letter, tier in zip("ABCD", "1234", strict=True):
        page.locator(f".completion[data-letter={letter}] .tiers label", has_text=tier).tap()
    expect(page.locator("#why-not")).to_be_in_viewport(ratio=1)
    expect(page.locator("#why-not")).to_have_text("not rated yet: A, B, C, D")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
