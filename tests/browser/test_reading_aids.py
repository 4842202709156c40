"""Search within completions, the differences of two, and scrolling in step: seen, counted, and never part of a text."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Comparison, Project, User
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.browser.ranking_page import board_is_ready, take_next
from tests.labeling.factories import make_comparison

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]

TEXTS = [
    "The **quick** brown fox.\n\nA fox (twice) is quick-witted.",
    "The **slow** brown fox.\n\nA fox (twice) is quick-witted.",
    "Nothing of that kind. FOX in capitals, and brown\nfox over two lines.",
    "C++ is no regular expression: `a.*b`, and İstanbul stays.",
]
# The texts that are marked by a name, each with the letter of its card, by highlights or by mark elements.
MARKED = """(name) => {
  const marks = [...document.querySelectorAll(`mark.${name}`)];
  const ranges = CSS.highlights ? [...(CSS.highlights.get(name) ?? [])] : marks;
  return ranges.map((one) => {
    const text = one instanceof Range ? one.toString() : one.textContent;
    const node = one instanceof Range ? one.startContainer.parentElement : one;
    return `${node.closest('.completion').dataset.letter} ${text}`;
  }).sort();
}"""
SHOWN = "[...document.querySelectorAll('.completion > .prose')].map((text) => text.innerHTML)"
WITHOUT_HIGHLIGHTS = "Object.defineProperty(CSS, 'highlights', {value: undefined})"


@pytest.fixture
def comparison(project: Project) -> Comparison:
    made = make_comparison(project=project, messages=[{"role": "user", "content": "Say something."}])
    for completion in made.completions.all():
        completion.content = TEXTS[completion.index]
        completion.save(update_fields=["content"])
    return made


@pytest.fixture
def board(open_page: OpenPage, alice: User, comparison: Comparison) -> Page:
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    return page


def letter_of(page: Page, words: str) -> str:
    return str(page.locator(".completion", has_text=words).get_attribute("data-letter"))


def look_for(page: Page, words: str) -> None:
    page.keyboard.press("/")
    page.get_by_label("Find in the completions").fill(words)


@pytest.mark.in_both_browsers
def test_words_are_found_in_all_cards_and_stepped_through(board: Page) -> None:
    page = board
    before = page.evaluate(SHOWN)
    look_for(page, "FOX")
    expect(page.locator("#find [role=status]")).to_have_text("1 of 6")
    assert len(page.evaluate(MARKED, "found")) == 5
    (first,) = page.evaluate(MARKED, "found-now")
    page.keyboard.press("Enter")
    expect(page.locator("#find [role=status]")).to_have_text("2 of 6")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#find [role=status]")).to_have_text("6 of 6")
    assert page.evaluate(MARKED, "found-now") != [first]
    page.get_by_role("button", name="Next match").click()
    assert page.evaluate(MARKED, "found-now") == [first]
    assert page.evaluate(SHOWN) == before
    page.get_by_label("Find in the completions").press("Escape")
    expect(page.locator("#find")).to_be_hidden()
    assert page.evaluate(MARKED, "found") == page.evaluate(MARKED, "found-now") == []
    page.keyboard.press("1")  # the focus is on the board again
    expect(page.locator(".completion .place").filter(has_text="tier 1")).to_have_count(1)


@pytest.mark.parametrize(
    ("words", "num"),
    [
        ("brown fox", 3),  # over emphasis and over a line's end
        ("a.*b", 1),
        ("C++", 1),
        ("fox. A", 0),  # not over paragraphs
        ("(twice)", 2),
        ("i̇stanbul", 0),
        ("İSTANBUL", 1),
        ("  ", 0),
        ("zebra", 0),
    ],
)
def test_what_is_looked_for_is_meant_as_it_is_written(board: Page, words: str, num: int) -> None:
    look_for(board, words)
    board.wait_for_timeout(50)
    assert len(board.evaluate(MARKED, "found") + board.evaluate(MARKED, "found-now")) >= num
    said = "" if not words.strip() else f"1 of {num}" if num else "not found"
    expect(board.locator("#find [role=status]")).to_have_text(said)


def test_keys_typed_in_the_search_rank_nothing(board: Page) -> None:
    board.keyboard.press("/")
    board.keyboard.type("1x=d/i ?")
    expect(board.get_by_label("Find in the completions")).to_have_value("1x=d/i ?")
    expect(board.locator(".unranked .completion")).to_have_count(4)
    expect(board.locator("#differences")).to_be_hidden()


@pytest.mark.in_both_browsers
def test_the_words_in_which_two_completions_differ_are_marked_in_both(board: Page) -> None:
    page = board
    one, other = letter_of(page, "The quick"), letter_of(page, "The slow")
    before = page.evaluate(SHOWN)
    page.locator(f".completion[data-letter={one}]").focus()
    page.keyboard.press("d")
    page.get_by_label("One completion", exact=True).select_option(label=one)
    page.get_by_label("The other completion", exact=True).select_option(label=other)
    expect(page.locator("#differences [role=status]")).to_have_text(f"Words that differ: 1 in {one}, 1 in {other}.")
    assert page.evaluate(MARKED, "differs") == sorted([f"{one} quick", f"{other} slow"])
    page.get_by_label("The other completion", exact=True).select_option(label=one)
    expect(page.locator("#differences [role=status]")).to_have_text("Choose two different ones.")
    page.keyboard.press("Escape")
    assert page.evaluate(MARKED, "differs") == []
    assert page.evaluate(SHOWN) == before


def test_marks_follow_the_texts_as_they_are_stored(board: Page) -> None:
    page = board
    look_for(page, "**quick**")
    expect(page.locator("#find [role=status]")).to_have_text("not found")
    page.locator("#raw-toggle").click()
    expect(page.locator("#find [role=status]")).to_have_text("1 of 1")
    page.locator("#raw-toggle").click()
    expect(page.locator("#find [role=status]")).to_have_text("not found")


def test_without_highlights_elements_mark_and_leave_the_text_as_it_was(board: Page) -> None:
    page = board
    page.add_init_script(WITHOUT_HIGHLIGHTS)
    page.reload()
    board_is_ready(page)
    before = page.evaluate(SHOWN)
    look_for(page, "brown fox")
    expect(page.locator("#find [role=status]")).to_have_text("1 of 3")
    assert "brown" in "".join(page.evaluate(MARKED, "found-now"))
    page.keyboard.press("Enter")
    expect(page.locator("#find [role=status]")).to_have_text("2 of 3")
    assert page.locator("mark").count() == 4  # one match goes over a line's end, which is an element
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    expect(page.locator("mark.differs").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("mark")).to_have_count(0)
    assert page.evaluate(SHOWN) == before


def test_texts_too_far_apart_are_said_to_be_and_take_no_time(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    for completion in comparison.completions.all():
        completion.content = " ".join(f"w{(7 * number + completion.index) * number % 9973}" for number in range(9000))
        completion.save(update_fields=["content"])
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    page.keyboard.press("d")
    expect(page.locator("#differences [role=status]")).to_contain_text("Too far apart to be laid beside each other")


@pytest.mark.in_both_browsers
def test_columns_scroll_in_step_and_only_when_asked(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: Keep
) -> None:
    for completion in comparison.completions.all():
        completion.content = "A paragraph to be read.\n\n" * (40 + 20 * completion.index)
        completion.save(update_fields=["content"])
    alice.preferences["layout"] = "columns"
    alice.save(update_fields=["preferences"])
    page = open_page("/p/bread/rank/", user=alice)
    take_next(page)
    texts = page.locator(".completion > .prose")
    room = "text.scrollHeight - text.clientHeight"
    share = f"(text) => {room} > 0 ? text.scrollTop / ({room}) : -1"
    assert texts.nth(0).evaluate(share) == -1  # whole, as ever
    page.keyboard.press("i")
    expect(page.locator("#in-step")).to_have_attribute("aria-pressed", "true")
    texts.nth(1).evaluate("(text) => { text.scrollTop = (text.scrollHeight - text.clientHeight) / 2; }")
    page.wait_for_timeout(300)
    assert [round(texts.nth(at).evaluate(share), 1) for at in range(4)] == [0.5] * 4
    texts.nth(3).hover()
    page.mouse.wheel(0, 5000)
    page.wait_for_timeout(500)
    assert [round(texts.nth(at).evaluate(share), 1) for at in range(4)] == [1.0] * 4
    keep_screenshot(page, "reading-in-step")
    better, note = (page.locator(one).bounding_box() for one in (".better-new", ".note-on-ranking"))
    assert better is not None
    assert note is not None
    assert better["y"] + better["height"] <= note["y"]  # one below the other
    if page.context.browser.browser_type.name == "chromium":  # type: ignore[union-attr]
        assert violations(page) == []
    page.reload()
    expect(page.locator("#in-step")).to_have_attribute("aria-pressed", "true")
    page.locator("#in-step").click()
    assert texts.nth(0).evaluate(share) == -1


@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, NARROW], ids=["desktop", "narrow"])
def test_the_aids_fit_wherever_they_are_used(
    open_page: OpenPage,
    alice: User,
    comparison: Comparison,
    keep_screenshot: Keep,
    viewport: dict[str, int],
    colour_scheme: str,
) -> None:
    page = open_page("/p/bread/rank/", user=alice, viewport=viewport, colour_scheme=colour_scheme)
    page.get_by_role("button", name="Next comparison").click()
    board_is_ready(page)
    name = f"{viewport['width']}-{colour_scheme}"
    keep_screenshot(page, f"reading-before-{name}")
    page.get_by_role("button", name="find").click()
    page.get_by_label("Find in the completions").fill("fox")
    for _ in range(3):
        page.get_by_role("button", name="Next match").click()
    expect(page.get_by_label("Find in the completions")).to_be_in_viewport(ratio=1)
    keep_screenshot(page, f"reading-find-{name}")
    assert violations(page) == []
    page.get_by_role("button", name="Close the search").click()
    page.get_by_role("button", name="differences").click()
    expect(page.get_by_label("One completion", exact=True)).to_be_in_viewport(ratio=1)
    keep_screenshot(page, f"reading-differences-{name}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    page.emulate_media(forced_colors="active")
    keep_screenshot(page, f"reading-forced-{name}")
