"""Two trainers disagree; it is listed, sent, ordered blind, decided, returned, made a reference and exported."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.exports import build, request_export
from labeling.models import Adjudication, Comparison, Export, Project, Ranking, Reference, User
from tests.browser.ranking_page import QUESTION, board_is_ready, bread_comparison, take_next
from tests.browser.screenshots import look_at
from tests.labeling.exports.material import directory_of, rankings_in
from tests.labeling.factories import make_project, make_user

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]
SHORT = QUESTION[:30]


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", rankings_wanted=2, asks_ratings=False, minutes_to_change=0)


@pytest.fixture
def comparison(project: Project) -> Comparison:
    comparison = bread_comparison(project)
    Comparison.objects.filter(id=comparison.id).update(rankings_wanted=2, open_slots=2)
    return comparison


def place(page: Page, keys: str) -> None:
    """The completions on the tiers of the keys, in the order in which the project has them, whatever is shown."""
    order = {
        str(one.id): key
        for one, key in zip(Comparison.objects.get(use="work").completions.order_by("index"), keys, strict=True)
    }
    for identifier, key in order.items():
        page.locator(f".completion[data-id='{identifier}']").focus()
        page.keyboard.press(key)


def rank(open_page: OpenPage, by: User, keys: str, note: str) -> None:
    page = open_page("/p/bread/rank/", user=by)
    take_next(page)
    place(page, keys)
    page.locator("#note-on-ranking").fill(note)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()


def test_a_disagreement_is_settled_blind_returned_made_a_reference_and_exported(
    open_page: OpenPage,
    project: Project,
    comparison: Comparison,
    alice: User,
    keep_screenshot: KeepScreenshot,
    store: Path,
) -> None:
    bob = make_user(username="bob", projects=[project])
    adam, rita = (
        make_user(username="adam", role="admin"),
        make_user(username="rita", role="reviewer", projects=[project]),
    )
    rank(open_page, alice, "1234", "The first says what to do.")
    rank(open_page, bob, "4321", "I like questions.")

    admin = open_page("/p/bread/quality/", user=adam)
    admin.get_by_role("link", name="Disagreements").click()
    expect(admin.get_by_role("cell", name="100 %")).to_be_visible()
    look_at(admin, "disagreements", keep_screenshot)
    admin.get_by_role("link", name=SHORT).click()
    expect(admin.get_by_text("D > C > B > A")).to_be_visible()
    expect(admin.get_by_text("I like questions.")).to_be_visible()
    look_at(admin, "disagreement", keep_screenshot, at=".orders-beside")
    admin.get_by_role("button", name="Send to adjudication").click()
    expect(admin.get_by_text("Sent to adjudication.")).to_be_visible()

    page = open_page("/p/bread/quality/disagreements/", user=rita)
    page.get_by_role("link", name=SHORT).click()
    expect(page.get_by_text("The orders are hidden from you")).to_be_visible()
    expect(page.get_by_text("I like questions.")).to_have_count(0)
    look_at(page, "disagreement-hidden", keep_screenshot)
    page.goto("/p/bread/quality/adjudications/")
    look_at(page, "adjudications", keep_screenshot)
    page.keyboard.press("Enter")
    board_is_ready(page)
    expect(page.get_by_text("I like questions.")).to_have_count(0)
    expect(page.locator("#lease-clock")).not_to_be_empty()
    place(page, "1243")
    expect(page.locator("#save-state")).to_contain_text("saved")
    page.reload()
    board_is_ready(page)
    expect(page.locator(".unranked .completion")).to_have_count(0)
    look_at(page, "adjudication-board", keep_screenshot, at=".acts")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Now see how the others ranked it.")).to_be_visible()
    expect(page.get_by_text("A > B > D > C")).to_be_visible()
    expect(page.get_by_text("I like questions.")).to_be_visible()
    look_at(page, "adjudication-decide", keep_screenshot, at=".decision")
    page.get_by_label("a mistake").check()
    page.get_by_label("In your words").fill("A question back is no answer.")
    page.get_by_label("Bob").check()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("The adjudication counts.")).to_be_visible()
    look_at(page, "adjudication-done", keep_screenshot)
    page.get_by_role("link", name="Make it a reference ranking").click()
    board_is_ready(page)
    expect(page.locator(".unranked .completion")).to_have_count(0)
    page.get_by_label("Gold").check()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("The reference ranking is in use.")).to_be_visible()
    assert len(Reference.objects.get().tiers) == 4

    mine = open_page("/history/", user=bob)
    expect(mine.get_by_text("A question back is no answer.")).to_be_visible()
    look_at(mine, "returned-ranking", keep_screenshot, at="#rankings")
    mine.get_by_role("link", name="Look at it again").click()
    board_is_ready(mine)
    place(mine, "1234")
    mine.keyboard.press("Control+Enter")
    expect(mine.get_by_text("Your change is saved")).to_be_visible()
    assert Ranking.objects.filter(retracted_at=None).count() == 2
    assert Comparison.objects.get(id=comparison.id).distance == 0

    export = request_export(
        project, kind="rankings", filters={"disagreements": "adjudicated"}, by=adam, notify_worker=False
    )
    assert build(export.id)
    (record,) = rankings_in(Export.objects.get(id=export.id))
    given = Adjudication.objects.get()
    assert (record.id, record.adjudication, record.note) == (str(given.id), "mistake", given.words)
    assert "stands in their place" in (directory_of(export) / "card.md").read_text()
    page.goto(f"/p/bread/quality/adjudications/{given.id}/")
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.get_by_text("Withdrawn. The rankings stand")).to_be_visible()
