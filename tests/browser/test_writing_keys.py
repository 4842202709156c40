"""Keys while writing: those of an input method, held and hasty ones, Esc on an edit, undo and redo."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from labeling.models import Comparison, Dialogue, Message, Project, Ranking, SamplingRun, User
from tests.answering import answer, wait_for_run
from tests.browser.conftest import NARROW
from tests.browser.ranking_page import take_next
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_dialogue, make_project

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

LAST = "And if it turns yellow?"
SUGGESTIONS = (
    "Yellow leaves usually mean too much water. Let the soil dry out.",
    "Move the plant to a brighter place, and feed it less.",
)
BY_INPUT_METHOD = 229  # the code of every key that belongs to one


@pytest.fixture
def project() -> Project:
    return make_project(slug="basil", num_suggestions=2, asks_ratings=False)


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    turns = [("user", "How do I keep basil alive?", "typed"), ("assistant", "Give it light.", "typed")]
    return make_dialogue(project=project, author=alice, turns=[*turns, ("user", LAST, "typed")])


def open_draft(open_page: OpenPage, alice: User, draft: Dialogue, **options: object) -> Page:
    return open_page(f"/p/{draft.project.slug}/write/{draft.pk}/", user=alice, **options)


def open_edit(page: Page) -> Locator:
    page.locator("#thread article").last.get_by_role("link", name="Edit this message").click()
    field = page.get_by_label("The message", exact=True)
    expect(field).to_be_focused()
    return field


def last_of(dialogue: Dialogue) -> Message:
    return dialogue.messages.order_by("position").last()  # type: ignore[return-value]


def press_within_composition(page: Page, key: str, *, modifiers: int = 0, composed: str = "きいろ") -> None:
    """A key that an input method takes for itself, as Chromium tells the page of it."""
    browser = page.context.new_cdp_session(page)
    page.evaluate("addEventListener('keyup', (event) => { window.heard = event.isComposing; })")
    browser.send(
        "Input.imeSetComposition", {"text": composed, "selectionStart": len(composed), "selectionEnd": len(composed)}
    )
    pressed = {"key": key, "code": key, "windowsVirtualKeyCode": BY_INPUT_METHOD, "modifiers": modifiers}
    browser.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **pressed})
    browser.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})


def hold(page: Page, key: str, *, times: int = 8) -> None:
    """Press and keep pressed: the first is a press, the others repeat it."""
    for _ in range(times):
        page.keyboard.down(key)
    page.keyboard.up(key)


def note_requests(page: Page) -> None:
    """From here on the page notes what htmx asks of the server, which it does before a key's event ends."""
    page.evaluate(
        "window.asked = []; document.addEventListener('htmx:beforeRequest',"
        " (event) => asked.push(`${event.detail.requestConfig.verb} ${event.detail.requestConfig.path}`))"
    )


def asked(page: Page) -> list[str]:
    """What was asked for, but for suggestions: the page asks for those by itself, soon after it opens."""
    return [request for request in page.evaluate("window.asked") if "/suggestions/" not in request]


def test_the_escape_that_ends_a_composition_leaves_an_edit_open(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_draft(open_page, alice, draft)
    field = open_edit(page)
    field.fill("Was, wenn ")
    note_requests(page)
    press_within_composition(page, "Escape")
    assert page.evaluate("window.heard") is True
    assert asked(page) == []
    expect(field).to_be_focused()
    expect(field).to_have_value("Was, wenn きいろ")


def test_an_escape_that_comes_after_the_composition_is_still_the_input_methods(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    """As Safari tells of it: no longer composing, known by its code alone."""
    page = open_draft(open_page, alice, draft)
    field = open_edit(page)
    field.fill("Was, wenn")
    note_requests(page)
    pressed = {"key": "Escape", "keyCode": BY_INPUT_METHOD, "bubbles": True}
    field.evaluate("(field, pressed) => field.dispatchEvent(new KeyboardEvent('keydown', pressed))", pressed)
    assert asked(page) == []
    expect(field).to_have_value("Was, wenn")


def test_the_enter_that_ends_a_composition_adds_nothing(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_draft(open_page, alice, draft)
    page.locator("#composer-text").focus()
    note_requests(page)
    press_within_composition(page, "Enter", modifiers=2)  # Ctrl
    assert asked(page) == []
    expect(page.locator("#composer-text")).to_have_value("きいろ")


def test_what_an_input_method_writes_is_time_spent_writing(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_draft(open_page, alice, draft)
    page.locator("#composer-text").focus()
    press_within_composition(page, "Enter")
    expect(page.locator("#composer [name=seconds]")).not_to_have_value("")


def test_escape_puts_a_changed_edit_aside_and_it_comes_back(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot
) -> None:
    page = open_draft(open_page, alice, draft)
    open_edit(page).fill("And if all of it turns yellow?")
    page.keyboard.press("Escape")
    expect(page.locator(".put-aside")).to_contain_text("Your change was put aside")
    expect(page.locator("#thread .edit-form")).to_have_count(0)
    look_at(page, "edit-put-aside", keep_screenshot, at=".put-aside")
    page.reload()
    page.get_by_role("button", name="Bring it back").click()
    field = page.get_by_label("The message", exact=True)
    expect(field).to_have_value("And if all of it turns yellow?")
    expect(page.locator(".brought-back")).to_be_visible()
    look_at(page, "edit-brought-back", keep_screenshot, at=".brought-back")
    field.press("Control+Enter")
    expect(page.locator("#thread .edit-form")).to_have_count(0)
    expect(page.locator(".put-aside")).to_have_count(0)
    assert last_of(draft).content == "And if all of it turns yellow?"


def test_an_edit_put_aside_is_there_when_its_message_is_edited_again(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_draft(open_page, alice, draft)
    open_edit(page).fill("And then?")
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator(".put-aside")).to_be_visible()
    field = open_edit(page)
    expect(field).to_have_value("And then?")
    page.get_by_role("button", name="Back to the saved text").click()
    expect(field).to_have_value(LAST)
    page.keyboard.press("Control+z")
    expect(field).to_have_value("And then?")
    page.keyboard.press("Control+Shift+z")
    expect(field).to_have_value(LAST)
    page.keyboard.press("Escape")
    expect(field).to_have_count(0)
    expect(page.locator(".put-aside")).to_have_count(0)


def test_an_edit_put_aside_can_be_discarded(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_draft(open_page, alice, draft)
    open_edit(page).fill("And then?")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".put-aside")).to_have_count(0)
    page.get_by_role("button", name="Undo").press("Enter")
    expect(page.get_by_role("button", name="Bring it back")).to_be_focused()
    page.reload()
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".discarded")).to_contain_text("Your change is discarded.")
    expect(open_edit(page)).to_have_value(LAST)


def test_starting_afresh_can_be_undone(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page, text = _take_first(open_page, alice, draft, " Every day.")
    page.get_by_role("button", name="start afresh").click()
    expect(text).to_have_value("")
    expect(page.locator("#taken-note")).to_be_hidden()
    page.keyboard.press("Control+z")
    _add_as(page, text, draft, content=f"{SUGGESTIONS[0]} Every day.", changed=" Every day.")


def test_an_edit_brought_back_to_a_message_changed_elsewhere_shows_both(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_draft(open_page, alice, draft)
    open_edit(page).fill("from here")
    page.keyboard.press("Escape")
    expect(page.locator(".put-aside")).to_be_visible()
    Message.objects.filter(pk=last_of(draft).pk).update(content="from there")
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_label("The message", exact=True)).to_have_value("from here")
    page.get_by_label("The message", exact=True).press("Control+Enter")
    expect(page.locator(".conflict pre").first).to_have_text("from there")
    expect(page.get_by_label("The message", exact=True)).to_have_value("from here")


def test_a_held_main_key_adds_one_message_and_submits_nothing(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_draft(open_page, alice, draft)
    page.locator("#composer-text").fill("Water it less.")
    page.keyboard.down("Control")
    page.keyboard.down("Enter")
    expect(page.locator("#thread article")).to_have_count(4)
    expect(page.locator("#submit-dialogue")).to_have_attribute("data-key", "Control+Enter")
    note_requests(page)
    hold(page, "Enter")
    page.keyboard.up("Control")
    assert asked(page) == []
    expect(page.locator("#composer-text")).to_have_value("")
    draft.refresh_from_db()
    assert (draft.state, draft.messages.count()) == (Dialogue.State.DRAFT, 4)


def test_a_second_press_while_the_first_is_under_way_does_nothing(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_draft(open_page, alice, draft)
    waiting = []
    page.route("**/messages/", lambda route: waiting.append(route))
    page.locator("#composer-text").fill("Water it less.")
    with page.expect_request("**/messages/"):
        page.keyboard.press("Control+Enter")
    note_requests(page)
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Control+Enter")
    waiting[0].continue_()
    expect(page.locator("#thread article")).to_have_count(4)
    expect(page.locator("#composer-problem")).to_be_hidden()
    assert asked(page) == []
    draft.refresh_from_db()
    assert (len(waiting), draft.state, draft.messages.count()) == (1, Dialogue.State.DRAFT, 4)


@pytest.mark.parametrize("edited", [False, True], ids=["added", "edited"])
def test_a_hasty_second_press_submits_nothing_and_says_so(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot, *, edited: bool
) -> None:
    if edited:
        last_of(draft).delete()  # what ends with an answer can be submitted
    page = open_draft(open_page, alice, draft)
    page.clock.install()
    field = open_edit(page) if edited else page.locator("#composer-text")
    field.fill("Water it less?")
    page.keyboard.press("Control+Enter")
    page.clock.run_for(100)
    expect(page.locator("#thread article")).to_have_count(2 if edited else 4)
    expect(page.locator("#thread .edit-form")).to_have_count(0)
    for _ in range(3):
        page.keyboard.press("Control+Enter")
        page.clock.run_for(700)
    expect(page.locator("#save-state")).to_contain_text("not submitted yet")
    expect(page.locator("#composer-text")).to_have_value("")
    keep_screenshot(page, "writing-hasty")
    draft.refresh_from_db()
    assert draft.state == Dialogue.State.DRAFT
    page.clock.run_for(400)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("A reviewer will read it")).to_be_visible()


def test_a_hasty_press_is_answered_on_a_narrow_phone_too(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot
) -> None:
    page = open_draft(open_page, alice, draft, viewport=NARROW, colour_scheme="dark")
    page.clock.install()
    page.locator("#composer-text").fill("Water it less.")
    page.keyboard.press("Control+Enter")
    page.clock.run_for(100)
    expect(page.locator("#thread article")).to_have_count(4)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#save-state")).to_contain_text("not submitted yet")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    keep_screenshot(page, "writing-hasty-narrow-dark")


def test_a_held_main_key_says_one_thing_in_a_chat(open_page: OpenPage, alice: User, project: Project) -> None:
    page = open_page(f"/p/{project.slug}/chat/", user=alice)
    page.get_by_role("button", name="Start a chat").click()
    page.locator("#composer-text").fill("Why is the sky blue?")
    page.keyboard.down("Control")
    hold(page, "Enter")
    page.keyboard.up("Control")
    wait_for_run(purpose="chat")
    expect(page.locator("#thread article")).to_have_count(1)
    expect(page.locator("#composer-problem")).to_be_hidden()
    assert SamplingRun.objects.filter(purpose="chat").count() == 1


def test_held_keys_rank_one_completion_and_submit_nothing(
    open_page: OpenPage, alice: User, comparison: Comparison
) -> None:
    page = open_page("/p/basil/rank/", user=alice)
    take_next(page)
    hold(page, "1")
    expect(page.locator("[data-shelf='1'] .completion")).to_have_count(1)
    expect(page.locator("#submit-ranking")).to_be_disabled()
    for _ in range(comparison.completions.count() - 1):
        page.keyboard.press("1")
    page.keyboard.down("Control")
    hold(page, "Enter")
    page.keyboard.up("Control")
    expect(page.get_by_text("Your ranking is saved.")).to_be_visible()
    assert Ranking.objects.filter(comparison=comparison).count() == 1


@pytest.mark.parametrize("redo", ["Control+Shift+z", "Control+y"])
@pytest.mark.parametrize(
    "changed", ["", " Every day, a little bit, and always in the morning."], ids=["taken", "edited"]
)
def test_a_suggestion_undone_and_redone_is_still_one(
    open_page: OpenPage, alice: User, draft: Dialogue, redo: str, changed: str
) -> None:
    page, text = _take_first(open_page, alice, draft, changed)
    for _ in range(3):
        page.keyboard.press("Control+z")
    expect(text).to_have_value("")
    expect(page.locator("#taken-note")).to_be_hidden()
    for _ in range(3):
        page.keyboard.press(redo)
    _add_as(page, text, draft, content=f"{SUGGESTIONS[0]}{changed}", changed=changed)


@pytest.mark.parametrize(
    "changed", ["", " Every day, a little bit, and always in the morning."], ids=["taken", "edited"]
)
def test_a_suggestion_cut_and_pasted_is_still_one(
    open_page: OpenPage, alice: User, draft: Dialogue, changed: str
) -> None:
    page, text = _take_first(open_page, alice, draft, changed)
    for key in ("Control+a", "Control+x"):
        page.keyboard.press(key)
    expect(text).to_have_value("")
    page.keyboard.press("Control+v")
    _add_as(page, text, draft, content=f"{SUGGESTIONS[0]}{changed}", changed=changed)


def test_a_suggestion_that_another_replaced_is_one_again_once_that_is_undone(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page, text = _take_first(open_page, alice, draft, "")
    for key in ("Escape", "2"):
        page.keyboard.press(key)
    expect(text).to_have_value(SUGGESTIONS[1])
    page.keyboard.press("Control+z")
    _add_as(page, text, draft, content=SUGGESTIONS[0], changed="")


def test_own_words_after_a_suggestion_was_removed_are_typed(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page, text = _take_first(open_page, alice, draft, "")
    text.press("Control+a")
    text.press("Backspace")
    expect(page.locator("#taken-note")).to_be_hidden()
    text.press_sequentially("Yes.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread article")).to_have_count(4)
    assert last_of(draft).authorship == "typed"


def _take_first(open_page: OpenPage, alice: User, draft: Dialogue, changed: str) -> tuple[Page, Locator]:
    """The first suggestion in the composer, with something typed after it."""
    page = open_draft(open_page, alice, draft)
    answer(wait_for_run(purpose="suggestion"), *SUGGESTIONS)
    expect(page.locator(".candidate .take")).to_have_count(2)
    text = page.locator("#composer-text")
    text.focus()
    for key in ("Escape", "1"):
        page.keyboard.press(key)
    expect(text).to_have_value(SUGGESTIONS[0])
    page.keyboard.insert_text(changed)
    return page, text


def _add_as(page: Page, text: Locator, draft: Dialogue, *, content: str, changed: str) -> None:
    """Add what the composer has, which the page and the record say comes from the first suggestion."""
    expect(text).to_have_value(content)
    expect(page.locator("#taken-note")).to_contain_text("changed" if changed else "unchanged")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread article")).to_have_count(4)
    message = last_of(draft)
    assert (message.content, message.authorship) == (content, "edited" if changed else "taken")
    assert message.completion is not None
    assert (message.completion.content, message.edit_distance) == (SUGGESTIONS[0], len(changed))
