"""A submitted ranking opened again, changed, changed while it was sent, and one board in two tabs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from labeling.models import Comparison, Lease, Project, Ranking, User
from tests.browser.axe import violations
from tests.browser.ranking_page import board_is_ready, take_next
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_dialogue

OpenPage = Callable[..., Page]


def place(page: Page, keys: str = "1234") -> None:
    """Put A on the tier of the first key, B on that of the second, and so on."""
    for letter, key in zip("ABCD", keys, strict=False):
        page.locator(f".completion[data-letter={letter}]").focus()
        page.keyboard.press(key)


def letters_of(ranking: Ranking) -> str:
    names = dict(zip(ranking.shown_order, "ABCD", strict=True))
    return " > ".join("".join(sorted(names[one] for one in tier)) for tier in ranking.tiers)


@pytest.fixture
def submitted(open_page: OpenPage, alice: User, comparison: Comparison) -> Page:
    """The page after A > B > C > D was submitted from the board."""
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    place(page)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    return page


def own(page: Page) -> str:
    return f"/p/bread/rank/{Lease.objects.get().id}/"


def test_back_leads_to_the_ranking_and_not_to_a_live_board(
    submitted: Page, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = submitted
    page.go_back()
    expect(page.get_by_text("It counts. You can change it until")).to_be_visible()
    expect(page.locator("#ranking-form")).to_have_count(0)
    look_at(page, "submitted-ranking", keep_screenshot)
    page.keyboard.press("e")
    board_is_ready(page)
    expect(page.get_by_text("It counts until you submit the change")).to_be_visible()
    assert page.locator("[data-shelf='1'] .completion").get_attribute("data-letter") == "A"
    look_at(page, "changing-a-ranking", keep_screenshot)
    place(page, "4321")
    expect(page.locator("#save-state")).to_contain_text("saved")
    page.get_by_role("link", name="Leave it as it is").click()
    expect(page.get_by_text("You have begun to change it.")).to_be_visible()
    assert letters_of(Ranking.objects.get()) == "A > B > C > D"
    page.keyboard.press("e")
    board_is_ready(page)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your change is saved; this is the ranking that counts now.")).to_be_visible()
    assert letters_of(Ranking.objects.get(retracted_at=None)) == "D > C > B > A"
    page.go_back()
    expect(page.locator(".completion")).to_have_count(4)
    assert page.locator("[data-shelf='1'] .completion").get_attribute("data-letter") == "D"


def test_a_page_that_the_browser_kept_asks_what_became_of_it(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    with page.expect_navigation():
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    board_is_ready(page)


def test_what_is_changed_while_it_is_sent_is_said_not_to_count_and_is_kept(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    place(page)
    waiting: list[Route] = []
    page.route(page.url, lambda route: waiting.append(route) if route.request.method == "POST" else route.continue_())
    with page.expect_request(lambda request: request.method == "POST" and request.url == page.url):
        page.keyboard.press("Control+Enter")
    page.locator(".completion[data-letter=A]").focus()
    page.keyboard.press("4")
    waiting[0].continue_()
    expect(page.get_by_text("You changed the board while it was being sent.")).to_be_visible()
    page.unroute_all()
    assert letters_of(Ranking.objects.get()) == "A > B > C > D"
    page.keyboard.press("e")
    board_is_ready(page)
    assert page.locator("[data-shelf='4'] .completion").count() == 2
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your change is saved")).to_be_visible()
    assert letters_of(Ranking.objects.get(retracted_at=None)) == "B > C > AD"


def test_a_change_refused_after_its_time_loses_nothing(submitted: Page) -> None:
    page = submitted
    page.goto(own(page))
    page.keyboard.press("e")
    board_is_ready(page)
    place(page, "4321")
    Project.objects.update(minutes_to_change=0)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#problem")).to_contain_text("is over, so the ranking that you submitted counts")
    assert page.locator("[data-shelf='4'] .completion").get_attribute("data-letter") == "A"
    page.get_by_role("link", name="Open the ranking that counts").click()
    expect(page.get_by_text("A change that you began was not submitted in time.")).to_be_visible()
    assert letters_of(Ranking.objects.get()) == "A > B > C > D"


def test_two_tabs_on_one_board_show_both_and_keep_the_one_that_is_chosen(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    one = open_page("/p/bread/rank/", user=alice)
    take_next(one)
    other = one.context.new_page()
    other.goto(one.url)
    board_is_ready(other)
    place(one, "1233")
    expect(one.locator("#save-state")).to_contain_text("saved")
    place(other, "43")
    expect(other.locator("#two-boards")).to_be_visible()
    expect(other.locator("#two-boards .mine")).to_have_text("B > A; unranked: C, D")
    expect(other.locator("#two-boards .theirs")).to_have_text("A > B > C = D")
    assert not violations(other)
    keep_screenshot(other, "two-tabs")
    other.get_by_role("button", name="Keep that one").click()
    expect(other.locator("#save-state")).to_contain_text("saved")
    assert other.locator("[data-shelf='3'] .completion").count() == 2
    place(other, "2")
    expect(other.locator("#save-state")).to_contain_text("saving")
    expect(other.locator("#save-state")).to_contain_text("saved")
    place(one, "44")
    expect(one.locator("#two-boards")).to_be_visible()
    one.get_by_role("button", name="Keep this one").click()
    expect(one.locator("#save-state")).to_contain_text("saved")
    assert sorted(Lease.objects.get().draft["board"]["shelves"].values()) == [3, 3, 4, 4]


def test_a_tab_is_told_that_the_other_has_submitted(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    one = open_page("/p/bread/rank/", user=alice)
    take_next(one)
    other = one.context.new_page()
    other.goto(one.url)
    board_is_ready(other)
    place(one)
    one.keyboard.press("Control+Enter")
    expect(one.get_by_text("Your ranking is saved.")).to_be_visible()
    place(other, "43")
    expect(other.get_by_text("This ranking was submitted already")).to_be_visible()
    other.get_by_role("link", name="Open the ranking that counts").click()
    expect(other.get_by_text("It counts. You can change it until")).to_be_visible()


def test_a_reload_and_a_lost_answer_are_no_other_tab(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    lost: list[int] = []

    def lose_the_first_answer(route: Route) -> None:
        if lost:
            return route.continue_()
        lost.append(route.fetch().status)
        return route.abort()

    page.route("**/draft/", lose_the_first_answer)
    place(page, "12")
    expect(page.locator("#save-state")).to_contain_text("kept in this browser")
    place(page, "43")
    expect(page.locator("#save-state")).to_contain_text("saved")
    place(page, "1")
    page.reload()  # its last draft is sent as it goes
    board_is_ready(page)
    place(page, "34")
    expect(page.locator("#save-state")).to_contain_text("saved")
    expect(page.locator("#two-boards")).to_be_hidden()


def test_my_work_opens_tells_apart_and_withdraws(
    submitted: Page, project: Project, alice: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = submitted
    make_dialogue(project=project, author=alice, state="returned", review_comment="Say how hot the oven is.")
    page.goto("/history/")
    look_at(page, "my-work", keep_screenshot, at="#rankings")
    page.get_by_role("link", name="My sourdough rises").first.click()
    expect(page.get_by_text("It counts. You can change it until")).to_be_visible()
    page.goto("/history/")
    page.get_by_label("What", exact=True).select_option("rankings")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#dialogues")).to_have_count(0)
    page.get_by_role("link", name="Withdraw: My sourdough").click()
    look_at(page, "withdraw-a-ranking", keep_screenshot)
    page.get_by_label("Reason").fill("I had not read D.")
    page.get_by_role("button", name="Withdraw", exact=True).click()
    expect(page.get_by_text("The ranking is withdrawn and counts no more.")).to_be_visible()
    assert Ranking.objects.filter(retracted_at=None).count() == 0
    page.get_by_role("button", name="Undo the withdrawal").click()
    expect(page.get_by_text("The ranking counts again.")).to_be_visible()
    assert Ranking.objects.filter(retracted_at=None).count() == 1
