"""Ranking while the network is lost or the time is over: work is kept, sent once, and what became of it is said."""

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from labeling.models import Comparison, Lease, Project, Ranking, User
from labeling.rankings import assignment
from tests.browser.ranking_page import take_next
from tests.labeling.factories import make_user, places_of

OpenPage = Callable[..., Page]


def place_all(page: Page) -> None:
    for key in ("1", "2", "3", "4"):
        page.keyboard.press(key)


def run_out() -> None:
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert assignment.expire_leases() == 1


def test_the_board_says_that_the_network_is_lost_and_keeps_the_work(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.context.set_offline(True)
    page.keyboard.press("2")
    expect(page.locator("#save-state")).to_contain_text("kept in this browser")
    assert Lease.objects.get().draft == {}
    page.context.set_offline(False)
    expect(page.locator("#save-state")).to_contain_text("saved")
    assert 2 in Lease.objects.get().draft["board"]["shelves"].values()


def test_an_answer_that_got_lost_makes_no_second_ranking(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    place_all(page)
    lost: list[int] = []

    def lose_the_first_answer(route: Route) -> None:
        if route.request.method != "POST" or lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    page.route(page.url, lose_the_first_answer)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.").first).to_be_visible()
    assert lost == [200]
    assert Ranking.objects.count() == 1
    assert places_of(comparison) == (1, 0, 0, 1)


def test_a_late_ranking_counts_while_a_place_is_free(open_page: OpenPage, alice: User, comparison: Comparison) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    place_all(page)
    run_out()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert places_of(comparison) == (1, 0, 0, 1)


def test_a_late_ranking_without_a_place_is_kept_and_explained(
    open_page: OpenPage, alice: User, project: Project, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    place_all(page)
    expect(page.locator("#save-state")).to_contain_text("saved")
    run_out()
    bob = make_user(username="bob", projects=[project])
    assert isinstance(assignment.claim(project, by=bob), Lease)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your time was over and others took the place.")).to_be_visible()
    late = Lease.objects.get(trainer=alice)
    assert late.state == Lease.State.LATE
    assert len(late.draft["submission"]["tiers"]) == 4
    assert not Ranking.objects.exists()
    assert places_of(comparison) == (1, 0, 1, 0)
