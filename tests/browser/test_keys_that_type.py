"""Inside a text every key types: no shortcut takes a character that some keyboard makes with Alt or AltGr.

Outside of texts single keys press buttons, unless the person has switched them off.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from labeling.models import Comparison, Dialogue, Project, User
from tests.answering import answer, wait_for_run
from tests.browser.ranking_page import board_is_ready
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_dialogue, make_project

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

QUESTION = ("user", "How do I keep basil alive?", "typed")
SUGGESTIONS = ("Give it light.", "Water it.", "Move it.")
ALT, CTRL_AND_ALT = {"altKey": True}, {"altKey": True, "ctrlKey": True}  # as a Mac's Option; as AltGr on Windows
CHARACTER_KEYS = [f"Digit{n}" for n in range(10)] + [f"Key{chr(n)}" for n in range(ord("A"), ord("Z") + 1)]
CHARACTER_KEYS += ["Minus", "Equal", "Slash", "Comma", "Period", "Space"]
MOST_KEYS = 126  # the character keys alone, with Alt, and with Ctrl and Alt


@pytest.fixture
def project() -> Project:
    return make_project(slug="basil", num_suggestions=3, asks_ratings=True)


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=[QUESTION])


def taken_from(field: Locator) -> list[str]:
    """The character keys that the page keeps from typing in this text; for each of them it could do something."""
    keys = [
        {"code": code, "key": code[-1].lower() if not modifiers else "£", **modifiers}
        for code in CHARACTER_KEYS
        for modifiers in ({}, ALT, CTRL_AND_ALT)
    ]
    assert len(keys) == MOST_KEYS
    return field.evaluate(
        "(field, keys) => keys.filter((key) => !field.dispatchEvent("
        "new KeyboardEvent('keydown', {...key, bubbles: true, cancelable: true}))).map((key) => key.code)",
        keys,
    )


def test_a_character_made_with_alt_is_typed_while_suggestions_wait(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(f"/p/basil/write/{draft.pk}/", user=alice)
    answer(wait_for_run(purpose="suggestion"), *SUGGESTIONS)
    expect(page.locator(".candidate .take")).to_have_count(3)
    text = page.locator("#composer-text")
    text.fill("It costs ")
    look_at(page, "keys-while-typing", keep_screenshot, at="#composer")
    option_3 = {"key": "£", "code": "Digit3", "text": "£", "windowsVirtualKeyCode": 51, "modifiers": 1}
    page.context.new_cdp_session(page).send("Input.dispatchKeyEvent", {"type": "keyDown", **option_3})
    expect(text).to_have_value("It costs £")
    assert taken_from(text) == []
    expect(text).to_have_value("It costs £")
    expect(page.locator("#composer-preview")).to_be_hidden()


def test_esc_leaves_the_composer_for_single_keys_and_a_taken_suggestion_is_typed_on(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(f"/p/basil/write/{draft.pk}/", user=alice)
    answer(wait_for_run(purpose="suggestion"), *SUGGESTIONS)
    expect(page.locator(".candidate .take")).to_have_count(3)
    text = page.locator("#composer-text")
    text.focus()
    first = page.locator(".candidate .take kbd").first
    assert before(first) == '"Esc "'
    page.keyboard.press("Escape")
    expect(page.locator("#composer")).to_be_focused()
    assert before(first) == "none"
    look_at(page, "keys-after-esc", keep_screenshot, at="#composer")
    page.keyboard.press("1")
    expect(text).to_be_focused()
    page.keyboard.type(" Water it too.")
    expect(text).to_have_value("Give it light. Water it too.")
    for key in ("Escape", "w"):
        page.keyboard.press(key)
    expect(text).to_be_focused()


def test_no_text_of_the_ranking_screen_loses_a_character_to_a_shortcut(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/basil/rank/", user=alice)
    page.keyboard.press("Enter")
    board_is_ready(page)
    page.evaluate("for (const box of document.querySelectorAll('.completion details')) box.open = true")
    for name in ("#better-A", "#note-A", "#report-note-A"):
        assert taken_from(page.locator(name)) == []
    expect(page.locator(".unranked .completion")).to_have_count(4)


def test_single_keys_can_be_switched_off(
    open_page: OpenPage, alice: User, comparison: Comparison, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page("/account/", user=alice)
    look_at(page, "account-single-keys", keep_screenshot, at="#id_single_keys")
    page.get_by_label("Single keys press buttons").uncheck()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.goto("/p/basil/rank/")
    page.keyboard.press("Enter")
    board_is_ready(page)
    expect(page.locator(".acts kbd:not([hidden])")).to_have_text(["Ctrl ⏎"])
    for key in ("1", "x", "c", "a", "?"):
        page.keyboard.press(key)
    expect(page.locator(".unranked .completion")).to_have_count(4)
    expect(page.locator("details.menu[open], dialog[open], .better[open]")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    page.locator("[data-shelf='none'] .tiers label").first.click()
    expect(page.locator("[data-shelf='1'] .completion")).to_have_count(1)


def before(element: Locator) -> str:
    return element.evaluate("(element) => getComputedStyle(element, '::before').content")
