"""What changed between two exports, and that an export holds what was taken back, as an engineer sees them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.models import Export, Project, Ranking, User
from tests.browser.axe import violations
from tests.browser.conftest import NARROW
from tests.labeling.exports.material import exported, make_ranking
from tests.labeling.factories import make_comparison, make_policy, make_project, make_user

OpenPage = Callable[..., Page]

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def project(engines: object) -> Project:
    return make_project(slug="bread", name="Bread", policy=make_policy(name="start"))


@pytest.fixture
def exports(project: Project) -> tuple[Export, Export]:
    """An older one of which two rankings were retracted since, and a newer one."""
    alice = make_user(username="alice", projects=[project])
    questions = ("How long does a sourdough rest?", "Why is my crust so pale?", "Rye or wheat, and why?", "Which oven?")
    rankings = []
    for question in questions:
        comparison = make_comparison(project=project, messages=[{"role": "user", "content": question}])
        rankings.append(make_ranking(project=project, comparison=comparison, trainer=alice))
    older = exported(project)
    Ranking.objects.filter(id__in=[one.id for one in rankings[:2]]).update(retracted_at=timezone.now())
    Ranking.objects.filter(id=rankings[2].id).update(seconds=99.0)
    make_ranking(project=project, trainer=alice)
    return older, exported(project)


def test_an_engineer_goes_from_an_export_to_what_changed(
    open_page: OpenPage,
    erin: User,
    exports: tuple[Export, Export],
    keep_screenshot: Callable[[Page, str], Path],
) -> None:
    older, newer = exports
    page = open_page(f"/p/bread/data/exports/{older.id}/", user=erin)
    expect(page.get_by_text("2 of its records were retracted or withdrawn")).to_be_visible()
    keep_screenshot(page, "export-taken-back")
    page.goto(f"/p/bread/data/exports/{newer.id}/")
    page.get_by_role("button", name="See what changed").click()
    expect(page.get_by_role("heading", name="What changed", exact=True)).to_be_visible()
    expect(page.get_by_text("Why is my crust so pale?")).to_be_visible()
    expect(page.get_by_role("cell", name="seconds")).to_be_visible()


@pytest.mark.parametrize("name", ["export", "differences", "data"])
def test_the_page_is_accessible_wide_and_narrow(
    open_page: OpenPage,
    erin: User,
    exports: tuple[Export, Export],
    keep_screenshot: Callable[[Page, str], Path],
    name: str,
) -> None:
    older, newer = exports
    addresses = {
        "export": f"/p/bread/data/exports/{older.id}/",
        "differences": f"/p/bread/data/exports/{newer.id}/differences/?other={older.id}",
        "data": "/p/bread/data/",
    }
    page = open_page(addresses[name], user=erin)
    for details in page.locator("main details").all():
        details.evaluate("(element) => { element.open = true }")
    keep_screenshot(page, f"{name}-wide")
    assert violations(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    keep_screenshot(page, f"{name}-narrow-dark")
    if name == "data":
        page.locator("#id_guideline_versions").scroll_into_view_if_needed()
        page.evaluate("document.querySelector('#id_guideline_versions').scrollIntoView()")
        keep_screenshot(page, "data-filters-narrow-dark")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
