"""What is judged is what is stored: formulas, code and text from right to left, and the raw text on one key."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Completion, Dialogue, Project
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_user

OpenPage = Callable[..., Page]

CODE = 'def area(radius):  # of a disc\n    """In metres."""\n    return 3.14159 * radius ** 2\n'
TEXTS = [
    "The area is $A = \\pi r^2$, so for a sphere\n\n$$\nV = \\int_{-r}^{r} \\pi (r^2 - x^2)\\,dx = \\frac{4}{3}\\pi\n$$"
    "\n\nand \\boxed{} alone stays, \\(\\boxed{42}\\) is framed. It costs $5 and $10.\n\n1986. was a good year.\n\n"
    "\\begin{align}\na &= b + c \\\\\n  &= \\sqrt{\\frac{1}{2}}\n\\end{align}\n\nBroken: $\\frac{1$.",
    f"In Python:\n\n```python\n{CODE}```\n\nand a diff:\n\n```diff\n-old\n+new\n```\n\n    indented, in no language\n",
    "An English line.\n\nسطر بالعربية، ثم قائمة:\n\n1. أولا\n2. ثانيا\n\n2) two\n2) two again\n\n[1]: https://example.org",
    "  two  spaces,\ttab, \\\\ and \\( \r\nCRLF &amp; <b>no tag</b> \u202eturned\u202c\n\n\n",
]


@pytest.fixture
def project() -> Project:
    return make_project(slug="prose", name="Prose")


@pytest.fixture
def board(open_page: OpenPage, project: Project) -> Page:
    made = make_comparison(project=project, messages=[{"role": "user", "content": TEXTS[3]}])
    for completion in made.completions.all():
        Completion.objects.filter(pk=completion.pk).update(content=TEXTS[completion.index])
    page = open_page("/p/prose/rank/", user=make_user(username="alice", projects=[project]))
    page.get_by_role("button", name="Next comparison").click()
    expect(page.locator("html.has-board .completion")).to_have_count(4)
    return page


def raw_texts(page: Page, within: str) -> list[str]:
    return page.locator(f"{within} .raw").evaluate_all("(found) => found.map((one) => one.textContent)")


def test_one_key_shows_what_is_stored_and_the_same_key_what_was_shown(board: Page) -> None:
    rendered = board.locator("#ranking").inner_html()
    focused = board.evaluate("document.activeElement.dataset.letter")
    board.keyboard.press("v")
    expect(board.locator("#raw-toggle")).to_have_attribute("aria-pressed", "true")
    assert sorted(raw_texts(board, ".completion")) == sorted(TEXTS)
    assert raw_texts(board, ".prompt") == [TEXTS[3]]
    expect(board.locator(".completion math").first).to_be_hidden()
    assert board.evaluate("document.activeElement.dataset.letter") == focused
    board.keyboard.press("v")
    expect(board.locator(".raw")).to_have_count(0)
    assert board.locator("#ranking").inner_html() == rendered


def test_the_key_types_where_somebody_writes(open_page: OpenPage, project: Project) -> None:
    alice = make_user(username="alice", projects=[project])
    turns = [("user", TEXTS[0], "typed"), ("assistant", TEXTS[3], "typed")]
    dialogue = make_dialogue(project=project, author=alice, turns=turns)
    page = open_page(f"/p/prose/write/{dialogue.pk}/", user=alice)
    page.locator("#composer-text").focus()
    page.keyboard.press("v")
    expect(page.locator("#composer-text")).to_have_value("v")
    expect(page.locator(".raw")).to_have_count(0)
    page.locator("#raw-toggle").click()
    assert raw_texts(page, "#thread") == [TEXTS[0], TEXTS[3]]
    page.locator("#composer-text").press("Control+Enter")
    expect(page.locator("#thread .raw")).to_have_count(3)  # what is added later is shown as the rest is
    page.locator("#raw-toggle").click()
    expect(page.locator("#thread .raw")).to_have_count(0)


def test_a_page_without_texts_offers_no_raw_view(open_page: OpenPage, project: Project) -> None:
    page = open_page("/p/prose/rank/", user=make_user(username="alice", projects=[project]))
    page.keyboard.press("v")
    expect(page.locator("#raw-toggle")).to_be_hidden()


def test_code_is_copied_as_it_was_written(board: Page) -> None:
    board.context.grant_permissions(["clipboard-read", "clipboard-write"])
    block = board.locator(".completion .code", has_text="def area")
    block.get_by_role("button", name="Copy").click()
    expect(block.get_by_role("button", name="Copied")).to_be_visible()
    assert board.evaluate("navigator.clipboard.readText()") == CODE


def test_each_block_runs_in_its_own_direction(board: Page) -> None:
    card = board.locator(".completion", has_text="An English line.")
    direction = "(block) => getComputedStyle(block).direction"
    assert card.get_by_text("An English line.", exact=True).evaluate(direction) == "ltr"
    assert card.locator("p", has_text="سطر").evaluate(direction) == "rtl"
    number = card.locator("li", has_text="ثانيا")
    assert number.evaluate(direction) == "rtl"
    assert number.evaluate("(item) => getComputedStyle(item).marginRight") == "24px"  # where the number stands


def test_formulas_are_laid_out_as_mathematics(board: Page) -> None:
    card = board.locator(".completion", has_text="The area is")
    over, under = card.locator("math[display=block] mfrac > *").evaluate_all(
        "(parts) => parts.slice(0, 2).map((part) => part.getBoundingClientRect().top)"
    )
    assert over < under
    expect(card.locator("math")).to_have_count(4)
    expect(card.locator("code.tex")).to_have_text("$\\frac{1$")
    expect(card).to_contain_text("It costs $5 and $10.")


@pytest.mark.parametrize("viewport", [DESKTOP, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_it_is_readable_in_every_light(
    open_page: OpenPage,
    project: Project,
    viewport: dict[str, int],
    colour_scheme: str,
    keep_screenshot: Callable[..., Path],
) -> None:
    alice = make_user(username="alice", projects=[project])
    turns = [("user" if index % 2 == 0 else "assistant", text, "typed") for index, text in enumerate(TEXTS)]
    dialogue = make_dialogue(project=project, author=alice, turns=turns, state=Dialogue.State.SUBMITTED)
    page = open_page(f"/p/prose/write/{dialogue.pk}/", user=alice, viewport=viewport, colour_scheme=colour_scheme)
    for view in ("rendered", "raw"):
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        page.set_viewport_size({"width": viewport["width"], "height": 2000})
        keep_screenshot(page, f"prose-{view}-{viewport['width']}-{colour_scheme}")
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        assert violations(page) == []
        page.locator("#raw-toggle").click()


def test_the_board_is_readable(board: Page, keep_screenshot: Callable[[Page, str], Path]) -> None:
    look_at(board, "prose-board", keep_screenshot, at=".completion math")
