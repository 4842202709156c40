"""What axe cannot see: nothing moves away by itself, zoom leaves room to read, forced colours, no scripts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from labeling.models import Comparison, Dialogue, Project, User
from tests.browser.ranking_page import board_is_ready, take_next
from tests.labeling.factories import make_chat, make_dialogue, make_project, make_user

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]

ZOOMED = {"200 %": {"width": 640, "height": 400}, "400 %": {"width": 320, "height": 256}}  # of 1280 by 800 and 1024
TURNS = [("user", "Why is the sky blue?", "typed"), ("assistant", "Light scatters. " * 60, "typed")]
# The share of the screen's height that stays under bars wherever one scrolls.
COVERED = """() => {
  scrollTo(0, document.body.scrollHeight / 2);
  const bars = [...document.querySelectorAll('main, main *, .bar')].filter((one) =>
    ['fixed', 'sticky'].includes(getComputedStyle(one).position) && one.checkVisibility());
  const seen = bars.map((one) => one.getBoundingClientRect())
    .map(({top, bottom}) => Math.min(bottom, innerHeight) - Math.max(top, 0)).filter((height) => height > 0);
  return seen.reduce((sum, height) => sum + height, 0) / innerHeight;
}"""


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", asks_ratings=False)


def test_arrows_among_the_tiers_move_no_card_and_space_keeps_the_focus(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    page.keyboard.press("Enter")
    board_is_ready(page)
    page.keyboard.press("Tab")
    radios = page.locator(".completion[data-letter=A] .tiers input")
    expect(radios.nth(0)).to_be_focused()
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(radios.nth(2)).to_be_focused()
    expect(page.locator(".unranked .completion")).to_have_count(4)
    page.keyboard.press("Space")
    expect(page.locator("[data-shelf='3'] .completion[data-letter=A]")).to_be_visible()
    expect(radios.nth(2)).to_be_focused()
    for key in ("ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("[data-shelf='2'] .completion[data-letter=A]")).to_be_visible()
    expect(radios.nth(1)).to_be_focused()


@pytest.mark.parametrize("zoom", ZOOMED)
def test_zoom_leaves_the_text_readable(
    open_page: OpenPage, alice: User, project: Project, comparison: Comparison, keep_screenshot: Keep, zoom: str
) -> None:
    """WCAG 1.4.10: no scrolling in two directions, and bars that leave most of the height to the text."""
    draft = make_dialogue(project=project, author=alice, turns=TURNS)
    submitted = make_dialogue(project=project, author=alice, turns=TURNS, state=Dialogue.State.SUBMITTED)
    chat = make_chat(project=project, author=alice)
    rita = make_user(username="rita", role=User.Role.REVIEWER, projects=[project])
    written = {"write": draft, "chat": chat}
    paths = [f"/p/bread/{name}/{dialogue.pk}/" for name, dialogue in written.items()]
    found = {}
    page = open_page("/p/bread/rank/", user=alice, viewport=ZOOMED[zoom])
    page.keyboard.press("Enter")
    board_is_ready(page)
    reviewing = open_page(f"/p/bread/review/{submitted.pk}/", user=rita, viewport=ZOOMED[zoom])
    for path in (page.url, *paths, "/p/bread/guidelines/", reviewing.url):
        here = reviewing if path == reviewing.url else page
        here.goto(path)
        here.wait_for_load_state()
        keep_screenshot(here, f"zoom-{zoom.split()[0]}-{path.split('/p/bread/')[1].split('/')[0]}")
        wide = here.evaluate("document.documentElement.scrollWidth > innerWidth")
        found[path] = (wide, here.evaluate(COVERED) > 0.25)
    assert found == dict.fromkeys(found, (False, False))


def test_forced_colours_show_the_chosen_role_and_tab(
    open_page: OpenPage, alice: User, project: Project, keep_screenshot: Keep
) -> None:
    draft = make_dialogue(project=project, author=alice, turns=TURNS)
    page = open_page(f"/p/bread/write/{draft.pk}/", user=alice)
    page.emulate_media(forced_colors="active")
    keep_screenshot(page, "forced-colours-writing")
    chosen, other = page.locator(".roles input:checked + span"), page.locator(".roles input:not(:checked) + span").first
    assert _colour(chosen, "backgroundColor") != _colour(other, "backgroundColor")
    tab, another = page.locator(".bar nav [aria-current]"), page.locator(".bar nav a:not([aria-current])").first
    assert _colour(tab, "borderBottomColor") != _colour(another, "borderBottomColor")


def _colour(element: Locator, name: str) -> str:
    return str(element.evaluate("(element, name) => getComputedStyle(element)[name]", name))


def test_each_control_of_a_card_says_its_letter_and_the_card_its_place(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    for letter in "ABCD":
        for name in ("tie", "unacceptable"):
            expect(page.get_by_role("button", name=f"{name} {letter}")).to_have_count(1)
        for name in ("Correct", "Report"):
            expect(page.locator("summary", has_text=f"{name} {letter}")).to_have_count(1)
    first = page.locator(".completion[data-letter=A]")
    expect(first).to_have_accessible_name("A unranked")
    page.keyboard.press("2")
    expect(first).to_have_accessible_name("A tier 2")


def test_without_scripts_a_line_says_what_is_missing(open_page: OpenPage, alice: User, project: Project) -> None:
    """Read as the text that it is where scripts run: switched off by Playwright, Chromium still shows no <noscript>."""
    page = open_page("/p/bread/write/", user=alice)
    line = page.locator("main > noscript")
    assert "nothing is kept before that: no key, no dragging" in str(line.evaluate("(element) => element.textContent"))
    expect(line).to_be_hidden()
