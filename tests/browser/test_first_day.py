"""A newcomer's first day by keyboard alone, a reviewer who makes a reference, and axe on all their pages."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Comparison, Membership, PracticeRanking, Project, Ranking, Reference, User
from tests.browser.axe import violations
from tests.browser.conftest import NARROW, PHONE
from tests.browser.ranking_page import ANSWERS, QUESTION, board_is_ready, bread_comparison
from tests.labeling.factories import make_project, make_reference

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]

EXPLANATION = "The first names **one cause** and a test for it. The third is padding: nobody asked for history."


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", practice_required=True)


@pytest.fixture
def practice(project: Project) -> list[Reference]:
    return [bread_reference(project, "practice", lesson=lesson) for lesson in ("Length is not quality", "Ask back")]


def bread_reference(project: Project, use: str, **fields: str | None) -> Reference:
    reference = make_reference(project=project, use=use, explanation=EXPLANATION, unacceptable_from=3, **fields)
    Comparison.objects.filter(id=reference.comparison_id).update(messages=[{"role": "user", "content": QUESTION}])
    for completion in reference.comparison.completions.all():
        completion.content = ANSWERS[completion.index]
        completion.save(update_fields=["content"])
        reference.remarks[str(completion.id)] = f"What number *{completion.index}* is worth."
    reference.save(update_fields=["remarks"])
    return reference


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_a_newcomer_goes_from_the_guidelines_to_real_work_by_keyboard(
    open_page: OpenPage, alice: User, practice: list[Reference], project: Project, keep_screenshot: Keep
) -> None:
    bread_comparison(project)
    page = open_page("/", user=alice)
    for heading in ("Guidelines", "Bread", "Practice"):
        press(page, "Enter")
        expect(page.locator("h1")).to_have_text(heading)
    keep_screenshot(page, "practice")
    press(page, "Enter")
    board_is_ready(page)
    expect(page.locator(".prompt header .stamp")).to_have_text("Practice 1 of 2: nothing here is counted.")
    press(page, "2", "1", "3", "2", "Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Length is not quality")
    expect(page.locator(".pairs li")).to_have_count(6)
    expect(page.get_by_text("names one cause")).to_be_visible()
    keep_screenshot(page, "practice-result")
    assert Membership.objects.get(user=alice).practised_at is None
    press(page, "Enter")
    board_is_ready(page)
    press(page, "1", "1", "1", "x", "Control+Enter")
    expect(page.get_by_text("That was the last one of the set.")).to_be_visible()
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text("Practice")
    expect(page.get_by_text("done on")).to_be_visible()
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text("Rank")
    press(page, "Enter")
    board_is_ready(page)
    assert page.url.count("/rank/") == 1
    assert PracticeRanking.objects.filter(trainer=alice).count() == 2
    assert not Ranking.objects.exists()


def test_a_practice_board_survives_a_closed_tab(open_page: OpenPage, alice: User, practice: list[Reference]) -> None:
    page = open_page(f"/p/bread/practice/{practice[0].comparison_id}/", user=alice)
    board_is_ready(page)
    press(page, "2", "1")
    page.reload()
    board_is_ready(page)
    expect(page.locator(".overview .is-placed")).to_have_count(2)


def test_a_reviewer_adopts_a_ranking_and_makes_it_gold(
    open_page: OpenPage, rita: User, project: Project, keep_screenshot: Keep
) -> None:
    comparison = bread_comparison(project)
    ids = [str(completion.id) for completion in comparison.completions.order_by("index")]
    Ranking.objects.create(
        comparison=comparison, trainer=rita, submission_key=comparison.id, tiers=[[ids[3]], ids[:2], [ids[2]]]
    )
    page = open_page("/p/bread/quality/", user=rita)
    page.get_by_role("link", name="Practice and gold items").click()
    press(page, "n")
    page.get_by_role("link", name="My sourdough").click()
    board_is_ready(page)
    expect(page.locator("#submit-ranking")).to_be_disabled()
    page.get_by_role("link", name="D > A = B > C").click()
    board_is_ready(page)
    press(page, "x")
    page.get_by_label("Gold: looks like").check()
    page.get_by_label("What it teaches").fill("Ask back")
    keep_screenshot(page, "reference")
    press(page, "Control+Enter")
    expect(page.get_by_text("The reference ranking is in use.")).to_be_visible()
    reference = Reference.objects.get()
    assert (reference.comparison.use, reference.lesson, [len(tier) for tier in reference.tiers]) == (
        "gold",
        "Ask back",
        [1, 2, 1],
    )
    page.get_by_role("button", name="Retire").click()
    expect(page.get_by_text("retired", exact=True)).to_be_visible()


def test_a_practice_board_works_on_a_phone(open_page: OpenPage, alice: User, practice: list[Reference]) -> None:
    page = open_page(f"/p/bread/practice/{practice[0].comparison_id}/", user=alice, viewport=PHONE)
    board_is_ready(page)
    expect(page.locator(".completion:visible")).to_have_count(1)
    for tier in ("1", "2", "3", "4"):
        page.locator(".completion.is-current .tiers label", has_text=tier).tap()
    page.locator("#submit-ranking").tap()
    expect(page.locator(".pairs li")).to_have_count(6)


TRAINER_PAGES = ("practice/", "practice/{practice}/", "practice/done/{done}/")
REVIEWER_PAGES = (
    "quality/",
    "quality/references/",
    "quality/references/choose/",
    "quality/references/{work}/new/",
    "quality/references/{practice}/",
)


@pytest.mark.parametrize(
    ("name", "path"),
    [*(("alice", path) for path in TRAINER_PAGES), *(("rita", path) for path in REVIEWER_PAGES)],
)
def test_each_page_is_accessible_and_narrow(
    open_page: OpenPage,
    project: Project,
    alice: User,
    rita: User,
    practice: list[Reference],
    keep_screenshot: Keep,
    name: str,
    path: str,
) -> None:
    work = bread_comparison(project)
    order = [identifier for tier in practice[0].tiers for identifier in tier]
    done = PracticeRanking.objects.create(
        comparison=practice[0].comparison,
        trainer=alice,
        submission_key=work.id,
        tiers=[order[1:2], order[:1], order[2:]],
        shown_order=order,
    )
    values = {"practice": practice[1].comparison_id, "done": done.id, "work": work.id}
    page = open_page(f"/p/bread/{path.format(**values)}", user={"alice": alice, "rita": rita}[name])
    expect(page.locator("header.bar")).to_be_visible()
    slug = "-".join(re.findall(r"\w+", path))
    for width, scheme in ((1280, "light"), (1280, "dark"), (NARROW["width"], "light"), (NARROW["width"], "dark")):
        page.set_viewport_size({"width": width, "height": 1200})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert violations(page) == []
        keep_screenshot(page, f"{slug}-{width}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
