"""The ranking screen as trainers use it: by keyboard alone, by mouse, on a phone, and without a network."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Comparison, Completion, Lease, Project, Ranking, Report, User
from tests.browser.conftest import NARROW, PHONE
from tests.browser.ranking_page import board_is_ready, take_next

OpenPage = Callable[..., Page]


def text_of(tiers: list[list[str]]) -> list[set[int]]:
    """The tiers as sets of the completions' own indices."""
    return [set(Completion.objects.filter(id__in=tier).values_list("index", flat=True)) for tier in tiers]


def index_at(page: Page, letter: str) -> int:
    identifier = page.locator(f".completion[data-letter={letter}]").get_attribute("data-id")
    return Completion.objects.get(id=identifier).index


@pytest.mark.in_both_browsers
def test_four_completions_are_ranked_with_six_keys(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    letters = [index_at(page, letter) for letter in "ABCD"]
    for key in ("2", "1", "3", "2"):
        page.keyboard.press(key)
    keep_screenshot(page, "ranking")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    ranking = Ranking.objects.get()
    assert text_of(ranking.tiers) == [{letters[1]}, {letters[0], letters[3]}, {letters[2]}]
    assert ranking.unacceptable_from is None
    assert ranking.lease is not None
    assert ranking.shown_order == ranking.lease.shown_order


def test_an_untouched_board_cannot_be_submitted(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    expect(page.locator("#submit-ranking")).to_be_disabled()
    page.keyboard.press("Control+Enter")
    page.keyboard.press("1")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#why-not")).to_contain_text("B, C, D")
    assert not Ranking.objects.exists()


@pytest.mark.in_both_browsers
def test_keys_tie_move_draw_the_line_and_undo(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    letters = [index_at(page, letter) for letter in "ABCD"]
    for key in ("1", "2", "3", "x"):
        page.keyboard.press(key)
    expect(page.locator(".completion[data-letter=D].is-unacceptable")).to_be_visible()
    page.locator(".overview button", has_text="C").click()
    page.keyboard.press("=")
    expect(page.locator(".completion[data-letter=C] .place")).to_have_text("tier 2, tied with B")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator(".completion[data-letter=C] .place")).to_have_text("tier 1, tied with A")
    page.keyboard.press("u")
    expect(page.locator(".completion[data-letter=C] .place")).to_have_text("tier 2, tied with B")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    ranking = Ranking.objects.get()
    assert text_of(ranking.tiers) == [{letters[0]}, {letters[1], letters[2]}, {letters[3]}]
    assert ranking.unacceptable_from == 2


def test_focus_stays_on_the_card_that_moves_and_the_move_is_announced(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("Alt+ArrowDown")
    assert page.evaluate("document.activeElement.dataset.letter") == "A"
    expect(page.locator("#live")).to_have_text("A tier 1")


@pytest.mark.in_both_browsers
def test_the_mouse_does_it_all(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    page.get_by_role("button", name="Next comparison").click()
    board_is_ready(page)
    for letter, tier in zip("ABCD", "1123", strict=True):
        page.locator(f".completion[data-letter={letter}] .tiers label", has_text=tier).click()
    drag(page, "D", to_shelf="1")
    expect(page.locator(".completion[data-letter=D] .place")).to_have_text("tier 1, tied with A, B")
    page.locator(".completion[data-letter=C] [data-act=unacceptable]").click()
    page.locator("#submit-ranking").click()
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    ranking = Ranking.objects.get()
    assert [len(tier) for tier in ranking.tiers] == [3, 1]
    assert ranking.unacceptable_from == 1


def drag(page: Page, letter: str, *, to_shelf: str) -> None:
    handle = page.locator(f".completion[data-letter={letter}] .handle")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.evaluate("window.scrollTo(0, 0)")
    target = page.locator(f"[data-shelf='{to_shelf}']").bounding_box()
    assert target is not None
    page.mouse.move(target["x"] + 40, target["y"] + 30, steps=4)
    page.mouse.up()


def test_a_phone_shows_one_completion_and_nothing_overflows(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    for viewport in (PHONE, NARROW):
        page = open_page("/p/bread/rank/", user=alice, viewport=viewport)
        page.locator("button.primary").tap()
        board_is_ready(page)
        expect(page.locator(".completion:visible")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_screenshot(page, "ranking-phone")
    for letter, tier in zip("ABCD", "3214", strict=True):
        page.locator(f".completion[data-letter={letter}] .tiers label", has_text=tier).tap()
    page.locator("#submit-ranking").tap()
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert len(Ranking.objects.get().tiers) == 4


@pytest.mark.in_both_browsers
def test_a_closed_tab_loses_nothing(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("3")
    page.keyboard.press("1")
    expect(page.locator("#save-state")).to_contain_text("saved")
    page.close()
    page = open_page("/p/bread/rank/", user=alice)  # another browser: what it shows comes from the server
    page.get_by_role("button", name="Go on with it").click()
    board_is_ready(page)
    expect(page.locator(".completion[data-letter=A] .place")).to_have_text("tier 3")
    expect(page.locator(".completion[data-letter=B] .place")).to_have_text("tier 1")


@pytest.mark.in_both_browsers
def test_a_lost_network_keeps_the_ranking_and_sends_it_once(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.context.set_offline(True)
    for key in ("1", "2", "3", "4"):
        page.keyboard.press(key)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#save-state")).to_contain_text("will be sent")
    assert not Ranking.objects.exists()
    page.context.set_offline(False)
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert Ranking.objects.count() == 1


def test_a_skipped_comparison_does_not_come_back(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Not my topic")).to_be_visible()
    page.keyboard.press("3")
    expect(page.locator("h1")).to_have_text("Rank")
    lease = Lease.objects.get()
    assert (lease.state, lease.skip_reason) == (Lease.State.SKIPPED, "I would rather not read this")
    page.keyboard.press("Enter")
    expect(page.locator(".completion")).to_have_count(0)


def test_abstaining_is_a_ranking_with_a_reason(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("a")
    page.get_by_role("button", name="They cannot be compared").click()
    expect(page.get_by_text("You abstained. Your reason is saved.")).to_be_visible()
    ranking = Ranking.objects.get()
    assert (ranking.tiers, ranking.abstained) == ([], "They cannot be compared")


def test_a_completion_is_reported_from_the_board(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    card = page.locator(".completion[data-letter=B]")
    card.locator(".report-box summary").click()
    card.get_by_role("combobox").select_option("false")
    card.get_by_role("button", name="Send report").click()
    expect(card.get_by_text("Thank you")).to_be_visible()
    report = Report.objects.get()
    assert (report.kind, report.reporter) == ("false", alice)
    assert not Ranking.objects.exists()


def test_ratings_place_the_board_and_contradictions_are_said(
    open_page: OpenPage, alice: User, project: Project, comparison: Comparison
) -> None:
    Project.objects.filter(pk=project.pk).update(asks_ratings=True)
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    for letter, overall in zip("ABCD", "6272", strict=True):
        card = page.locator(f".completion[data-letter={letter}]")
        card.locator(".rating summary").click()
        card.locator(".overall label", has_text=overall).click()
        card.locator(".rating summary").click()
    page.locator("#sort-by-rating").click()
    expect(page.locator(".completion[data-letter=D] .place")).to_have_text("tier 3, tied with B")
    page.locator(".overview button", has_text="B").click()
    page.keyboard.press("1")
    expect(page.locator("#contradictions")).to_contain_text("You rated A above B, yet ranked B above A.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    ranking = Ranking.objects.get()
    assert sorted(ranking.ratings.values_list("overall", flat=True)) == [2, 2, 6, 7]


def test_the_page_works_without_scripts(
    browser: object, open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    plain = page.context.browser.new_context(  # type: ignore[union-attr]
        java_script_enabled=False, storage_state=page.context.storage_state()
    )
    bare = plain.new_page()
    bare.goto(page.url)
    for letter, tier in zip("ABCD", "1234", strict=True):
        bare.locator(f".completion[data-letter={letter}] .tiers label", has_text=tier).click()
    bare.locator("#line").select_option("4")
    bare.locator("#submit-ranking").click()
    expect(bare.get_by_text("Your ranking is saved.")).to_be_visible()
    plain.close()
    assert Ranking.objects.get().unacceptable_from == 3


@pytest.mark.parametrize("layout", ["columns", "two"])
def test_layouts_show_whole_texts_and_are_remembered(
    open_page: OpenPage, alice: User, comparison: Comparison, layout: str, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/bread/rank/", user=alice, viewport={"width": 1500, "height": 900})
    take_next(page)
    page.keyboard.press("1")
    page.keyboard.press("3")
    page.get_by_text("layout", exact=True).click()
    page.locator(f"input[name=layout][value={layout}]").check()
    page.locator("#ranking .prompt").click()
    expect(page.locator("#save-state")).to_contain_text("saved")
    keep_screenshot(page, f"ranking-{layout}")
    page.reload()
    expect(page.locator(f"#ranking[data-layout={layout}]")).to_be_visible()
    visible = page.locator(".completion:visible")
    expect(visible).to_have_count(2 if layout == "two" else 4)
