"""A slow line: what is being sent says so and is sent once, and words typed meanwhile, or before the scripts, stay."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from labeling.models import Dialogue, Lease, Message, Project, User
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.browser.ranking_page import board_is_ready, bread_comparison
from tests.browser.test_kept_words import sign_in_as
from tests.labeling.factories import make_dialogue, make_project, make_user

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

QUESTION = "Why is the sky blue?"
MINE = "It scatters."
SIZES = pytest.mark.parametrize("viewport", [DESKTOP, NARROW], ids=["1280", "360"])


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", asks_ratings=True, num_suggestions=0)


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])


@pytest.fixture
def chat(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, kind=Dialogue.Kind.CHAT, turns=[])


class Line:
    """Requests that are held back until they are let through, or lost."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.page, self.pattern, self.held, self.is_open = page, pattern, list[Route](), False
        page.route(pattern, lambda route: route.continue_() if self.is_open else self.held.append(route))

    def wait(self) -> None:
        for _ in range(600):
            if self.held:
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"no request to {self.pattern}")

    def let_through(self) -> None:
        self.is_open = True
        for route in self.held:
            route.continue_()


def composer(page: Page) -> Locator:
    return page.locator("#composer-text")


def said(dialogue: Dialogue) -> list[str]:
    return list(Message.objects.filter(dialogue=dialogue).order_by("position").values_list("content", flat=True))


def saved(page: Page) -> None:
    expect(page.locator("#save-state")).to_have_text(re.compile(r"^saved \d"))


# ---- Sending -----------------------------------------------------------------------------


@SIZES
def test_a_message_that_is_being_added_says_so_and_is_added_once(
    open_page: OpenPage, alice: User, draft: Dialogue, viewport: dict[str, int], keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(f"/p/bread/write/{draft.pk}/", user=alice, viewport=viewport)
    line = Line(page, f"**/write/{draft.pk}/messages/")
    composer(page).fill(MINE)
    page.locator("#add-message").click()
    line.wait()
    button = page.get_by_role("button", name="Sending …")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#save-state")).to_have_text("sending …")
    keep_screenshot(page, f"sending-{viewport['width']}")
    assert violations(page) == []
    button.click(force=True)
    composer(page).focus()
    for _ in range(2):
        page.keyboard.press("Control+Enter")
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" The violet as well?")
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(300)
    assert len(line.held) == 1
    line.let_through()
    expect(page.locator("#thread article")).to_have_count(2)
    expect(composer(page)).to_have_value("The violet as well?")
    expect(page.get_by_role("button", name="Add message")).to_be_enabled()
    saved(page)
    draft.refresh_from_db()
    assert (said(draft), draft.composer["content"]) == ([QUESTION, MINE], "The violet as well?")
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" Why?")
    expect(composer(page)).to_have_value("The violet as well? Why?")  # the caret stayed where it was
    page.reload()
    expect(composer(page)).to_have_value("The violet as well? Why?")


@SIZES
def test_a_turn_of_a_chat_that_is_being_sent_says_so_and_is_said_once(
    open_page: OpenPage, alice: User, chat: Dialogue, viewport: dict[str, int], keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(f"/p/bread/chat/{chat.pk}/", user=alice, viewport=viewport)
    line = Line(page, f"**/chat/{chat.pk}/say/")
    composer(page).fill(QUESTION)
    page.keyboard.press("Control+Enter")
    line.wait()
    expect(page.get_by_role("button", name="Sending …")).to_have_attribute("aria-disabled", "true")
    keep_screenshot(page, f"saying-{viewport['width']}")
    page.keyboard.press("Control+Enter")
    page.keyboard.insert_text("\n\nAnd at sunset?")
    page.get_by_role("button", name="Sending …").click(force=True)
    page.wait_for_timeout(300)
    assert len(line.held) == 1
    line.let_through()
    expect(page.locator("#thread article")).to_have_count(1)
    expect(composer(page)).to_have_value("And at sunset?")
    saved(page)
    chat.refresh_from_db()
    assert (said(chat), chat.composer["content"]) == ([QUESTION], "And at sunset?")


def test_a_dialogue_that_is_being_submitted_takes_no_second_press(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page(f"/p/bread/write/{draft.pk}/", user=alice)
    line = Line(page, f"**/write/{draft.pk}/submit/")
    composer(page).fill(MINE)
    for _ in range(2):
        page.locator("#submit-dialogue").click(force=True)
    composer(page).press("Control+Enter")
    line.wait()
    expect(page.get_by_role("button", name="Sending …")).to_have_attribute("id", "submit-dialogue")
    assert len(line.held) == 1
    line.let_through()
    expect(page.get_by_text("A reviewer will read it")).to_be_visible()
    assert said(draft) == [QUESTION, MINE]


def test_words_typed_while_a_save_is_under_way_are_sent_once(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_page(f"/p/bread/write/{draft.pk}/", user=alice)
    line = Line(page, "**/composer/")
    composer(page).fill(MINE)
    line.wait()
    page.keyboard.press("Control+Enter")  # waits for the save
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" Mostly.")
    line.let_through()
    expect(page.locator("#thread article")).to_have_count(2)
    expect(composer(page)).to_have_value("")
    assert said(draft) == [QUESTION, f"{MINE} Mostly."]


def test_what_was_not_sent_can_be_sent_again(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_page(f"/p/bread/write/{draft.pk}/", user=alice)
    line = Line(page, f"**/write/{draft.pk}/messages/")
    composer(page).fill(MINE)
    page.keyboard.press("Control+Enter")
    line.wait()
    line.is_open = True
    line.held[0].abort()
    expect(page.get_by_role("button", name="Add message")).not_to_have_attribute("aria-disabled", "true")
    expect(composer(page)).to_have_value(MINE)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread article")).to_have_count(2)
    assert said(draft) == [QUESTION, MINE]


def test_a_tab_that_dies_after_its_message_was_stored_keeps_only_what_came_later(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page(f"/p/bread/write/{draft.pk}/", user=alice)
    line = Line(page, f"**/write/{draft.pk}/messages/")
    composer(page).fill(MINE)
    page.keyboard.press("Control+Enter")
    line.wait()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" And why?")
    line.held[0].fetch()  # stored, and the answer never comes
    other = page.context.new_page()
    page.close()
    other.goto(f"/p/bread/write/{draft.pk}/")
    expect(composer(other)).to_have_value("And why?")
    assert said(draft) == [QUESTION, MINE]


# ---- Words typed before the scripts ------------------------------------------------------


def open_without_scripts(page: Page, path: str) -> Line:
    """The page as it is while its scripts are still on their way."""
    line = Line(page, "**/*.js")
    page.goto(path, wait_until="commit")
    line.wait()
    return line


def test_words_typed_into_a_composer_before_its_scripts_are_kept(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page("/", user=alice)
    line = open_without_scripts(page, f"/p/bread/write/{draft.pk}/")
    composer(page).press_sequentially(MINE)
    line.let_through()
    saved(page)
    expect(composer(page)).to_have_value(MINE)
    draft.refresh_from_db()
    assert draft.composer["content"] == MINE


@SIZES
def test_a_restored_text_does_not_take_the_place_of_words_typed_before_the_scripts(
    open_page: OpenPage, alice: User, draft: Dialogue, viewport: dict[str, int], keep_screenshot: KeepScreenshot
) -> None:
    path = f"/p/bread/write/{draft.pk}/"
    page = open_page(path, user=alice, viewport=viewport)
    page.route("**/composer/", lambda route: route.abort())
    composer(page).fill("From before.")
    expect(page.locator("#save-state")).to_have_attribute("data-state", "offline")
    page.unroute("**/composer/")
    line = open_without_scripts(page, path)
    composer(page).press_sequentially(MINE)
    line.let_through()
    expect(composer(page)).to_have_value(f"From before.\n\n{MINE}")
    expect(page.locator(".kept-words")).to_contain_text("Your words from before stand above")
    page.wait_for_load_state()
    keep_screenshot(page, f"typed-early-{viewport['width']}")
    assert violations(page) == []
    page.keyboard.type("!")
    expect(composer(page)).to_have_value(f"From before.\n\n{MINE}!")
    saved(page)
    page.get_by_role("button", name="Keep only what I have just written").click()
    expect(composer(page)).to_have_value(f"{MINE}!")
    page.keyboard.press("Control+z")
    expect(composer(page)).to_have_value(f"From before.\n\n{MINE}!")


def test_an_edit_keeps_words_typed_before_its_scripts(
    open_page: OpenPage, project: Project, draft: Dialogue, alice: User
) -> None:
    page = open_page("/", user=alice)
    path = f"/p/bread/write/{draft.pk}/messages/{draft.messages.get().pk}/edit/"
    text = page.get_by_label("The message", exact=True)
    for typed, value in ((" And red?", f"{QUESTION} And red?"), (" Why?", f"{QUESTION} And red?\n\n{QUESTION} Why?")):
        line = open_without_scripts(page, path)
        text.press("Control+End")
        text.press_sequentially(typed)
        line.let_through()
        page.wait_for_load_state()
        expect(text).to_have_value(value)
    page.reload()
    expect(text).to_have_value(value)


def test_a_form_keeps_words_typed_before_its_scripts(open_page: OpenPage, project: Project) -> None:
    page = open_page("/", user=make_user(username="adam", role=User.Role.ADMIN))
    text = page.locator("#id_guidelines")
    for typed, value in (("Bake.", "Bake."), ("Knead.", "Bake.\n\nKnead.")):
        line = open_without_scripts(page, "/new-project/")
        text.press_sequentially(typed)
        line.let_through()
        page.wait_for_load_state()
        expect(text).to_have_value(value)
        page.goto("/")
    page.goto("/new-project/")
    expect(text).to_have_value("Bake.\n\nKnead.")
    expect(page.locator(".kept-words")).to_contain_text("These are your words from before.")


def test_a_board_keeps_words_typed_before_its_scripts(open_page: OpenPage, project: Project, alice: User) -> None:
    bread_comparison(project)
    page = open_page("/p/bread/rank/", user=alice)
    page.keyboard.press("Enter")
    board_is_ready(page)
    page.locator("#note-on-ranking").fill("From before.")
    saved(page)
    line = open_without_scripts(page, page.url)
    page.locator(".better-new summary").click()
    page.locator("#better-new").press_sequentially("Bake it longer.")
    page.locator("#note-on-ranking").press_sequentially("Hard.")
    line.let_through()
    board_is_ready(page)
    expect(page.locator("#note-on-ranking")).to_have_value("From before.\n\nHard.")
    saved(page)
    kept = Lease.objects.get().draft
    assert kept["note"] == "From before.\n\nHard."
    assert kept["better"][""]["content"] == "Bake it longer."


# ---- Whose words they are ----------------------------------------------------------------


def test_words_are_kept_under_their_account(open_page: OpenPage, project: Project, alice: User) -> None:
    """Both see the same address, as where a dialogue changes hands; each finds only what is their own."""
    draft = make_dialogue(project=project, author=alice, turns=[("user", QUESTION, "typed")])
    path, bob = f"/p/bread/write/{draft.pk}/", make_user(username="bob", projects=[project])
    page = open_page(path, user=alice)
    page.route("**/composer/", lambda route: route.abort())
    composer(page).fill("Alice's own words.")
    page.get_by_role("link", name="Edit this message").click()
    page.get_by_label("The message", exact=True).fill("Alice's own edit.")
    url = page.url
    for person, words, put_aside in ((bob, "", 0), (alice, "Alice's own words.", 1)):
        Dialogue.objects.filter(id=draft.pk).update(author=person)
        sign_in_as(page.context, person, url=url)
        page.goto(path)
        expect(composer(page)).to_have_value(words)
        expect(page.get_by_text("Your change was put aside")).to_have_count(put_aside)


def test_what_was_kept_before_keys_named_the_account_comes_back_once(
    open_page: OpenPage, project: Project, alice: User, draft: Dialogue
) -> None:
    page = open_page("/", user=alice)
    kept = {"role": "assistant", "content": MINE, "completion": "", "version": 99, "synced": False, "underWay": None}
    page.evaluate(
        "([key, kept]) => { localStorage[key] = JSON.stringify(kept); }", [f"parley:composer:{draft.pk}", kept]
    )
    page.goto(f"/p/bread/write/{draft.pk}/")
    expect(composer(page)).to_have_value(MINE)
    keys = page.evaluate("Object.keys(localStorage).filter((key) => key.includes('composer'))")
    assert keys == [f"parley:{alice.pk}:composer:{draft.pk}"]


def test_a_board_is_kept_under_its_account(open_page: OpenPage, project: Project, alice: User) -> None:
    bread_comparison(project)
    page = open_page("/p/bread/rank/", user=alice)
    page.keyboard.press("Enter")
    board_is_ready(page)
    page.route("**/draft/", lambda route: route.abort())
    page.locator("#note-on-ranking").fill("Hard.")
    expect(page.locator("#save-state")).to_have_attribute("data-state", "offline")
    keys = page.evaluate("Object.keys(localStorage).filter((key) => key.includes('lease'))")
    assert keys == [f"parley:{alice.pk}:lease:{Lease.objects.get().pk}"]
    page.reload()
    board_is_ready(page)
    expect(page.locator("#note-on-ranking")).to_have_value("Hard.")
