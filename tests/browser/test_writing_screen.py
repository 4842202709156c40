"""The dialogue editor as trainers use it: both sides, suggestions, and text that outlives what happens to the page."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Dialogue, Message, Project, SamplingRun, User
from tests.answering import answer, finish_stream, send_result, stream_words, wait_for_run
from tests.browser.axe import violations
from tests.browser.conftest import NARROW, PHONE
from tests.labeling.factories import make_dialogue, make_project, make_prompt

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

QUESTION = "How do I keep basil alive on a windowsill through the winter?"
ANSWER = "Give it **light**, warmth and little water.\n\nPinch off the tips."
SUGGESTIONS = (
    "Yellow leaves usually mean too much water. Let the soil dry out.",
    "Move the plant to a brighter place, and feed it less.",
    "There are three reasons:\n\n- too much water\n- too little light\n- old age",
)


@pytest.fixture
def project() -> Project:
    return make_project(slug="basil", num_suggestions=3)


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    """Two turns long, the user's word last."""
    turns = [("user", QUESTION, "typed"), ("assistant", ANSWER, "typed"), ("user", "And if it turns yellow?", "typed")]
    return make_dialogue(project=project, author=alice, turns=turns)


def address(dialogue: Dialogue) -> str:
    return f"/p/{dialogue.project.slug}/write/{dialogue.pk}/"


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def messages_of(dialogue: Dialogue) -> list[tuple[str, str, str]]:
    return list(
        Message.objects.filter(dialogue=dialogue).order_by("position").values_list("role", "content", "authorship")
    )


def saved(page: Page) -> None:
    expect(page.locator("#save-state")).to_have_attribute("data-state", "saved")


@pytest.mark.in_both_browsers
def test_both_sides_are_written_and_submitted_by_keyboard_alone(
    open_page: OpenPage, alice: User, project: Project
) -> None:
    page = open_page("/p/basil/write/", user=alice)
    page.keyboard.press("n")
    page.wait_for_url("**/write/*-*/")
    expect(page.locator("#composer-text")).to_be_focused()
    for text in (QUESTION, ANSWER):
        page.keyboard.insert_text(text)
        page.keyboard.press("Control+Enter")
        expect(page.locator("#composer-text")).to_have_value("")
    expect(page.locator("#thread article")).to_have_count(2)
    expect(page.locator("#submit-dialogue")).to_have_attribute("data-key", "Control+Enter")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("A reviewer will read it")).to_be_visible()
    dialogue = Dialogue.objects.get(author=alice)
    assert dialogue.state == Dialogue.State.SUBMITTED
    assert messages_of(dialogue) == [("user", QUESTION, "typed"), ("assistant", ANSWER, "typed")]
    page.keyboard.press("u")
    expect(page.locator("#composer")).to_be_visible()
    dialogue.refresh_from_db()
    assert dialogue.state == Dialogue.State.DRAFT


@pytest.mark.in_both_browsers
def test_suggestions_stream_in_and_the_one_taken_keeps_its_authorship(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(address(draft), user=alice)
    run = wait_for_run(purpose="suggestion")
    stream_words(run, index=0, text=SUGGESTIONS[0])
    stream_words(run, index=1, text="Move the plant")
    expect(page.locator("[data-index='0'] .prose")).to_contain_text("Let the soil dry out.")
    keep_screenshot(page, "writing-streaming")
    finish_stream(run)
    send_result(run, *SUGGESTIONS)
    expect(page.locator(".candidate .take")).to_have_count(3)
    keep_screenshot(page, "writing")
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    expect(page.locator("#composer-text")).to_have_value(SUGGESTIONS[2])
    expect(page.locator("#taken-note")).to_contain_text("unchanged")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread article")).to_have_count(4)
    message = Message.objects.get(dialogue=draft, position=3)
    assert (message.content, message.authorship, message.edit_distance) == (SUGGESTIONS[2], "taken", 0)


@pytest.mark.in_both_browsers
def test_a_suggestion_that_was_changed_is_edited_and_one_undone_is_not(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page(address(draft), user=alice)
    answer(wait_for_run(purpose="suggestion"), *SUGGESTIONS)
    expect(page.locator(".candidate .take")).to_have_count(3)
    page.locator("#composer-text").fill("Mine.")
    press(page, "Escape", "1")
    expect(page.locator("#composer-text")).to_have_value(SUGGESTIONS[0])
    page.keyboard.press("Control+z")
    expect(page.locator("#composer-text")).to_have_value("Mine.")
    expect(page.locator("#taken-note")).to_be_hidden()
    press(page, "Escape", "2")
    page.keyboard.press("End")
    page.keyboard.insert_text(" Good luck!")
    expect(page.locator("#taken-note")).to_contain_text("changed")
    saved(page)
    page.reload()
    expect(page.locator("#composer-text")).to_have_value(f"{SUGGESTIONS[1]} Good luck!")
    page.locator("#composer-text").press("Control+Enter")
    expect(page.locator("#thread article")).to_have_count(4)
    message = Message.objects.get(dialogue=draft, position=3)
    assert (message.authorship, message.edit_distance) == ("edited", len(" Good luck!"))


@pytest.mark.in_both_browsers
def test_the_composer_survives_a_closed_tab_before_anything_was_sent(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page(address(draft), user=alice)
    page.route("**/composer/", lambda route: route.abort())
    page.locator("#composer-text").fill("Half a thought, never")
    expect(page.locator("#save-state")).to_have_attribute("data-state", "offline")
    other = page.context.new_page()
    page.close()
    other.goto(address(draft))
    expect(other.locator("#composer-text")).to_have_value("Half a thought, never")
    saved(other)
    draft.refresh_from_db()
    assert draft.composer["content"] == "Half a thought, never"


def test_an_expired_sign_in_loses_nothing(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_page(address(draft), user=alice)
    cookies = page.context.cookies()
    page.context.clear_cookies(name="sessionid")
    page.locator("#composer-text").fill("Written while signed out")
    expect(page.locator("#save-state")).to_contain_text("Sign in in another tab")
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.evaluate("dispatchEvent(new Event('focus'))")
    saved(page)
    draft.refresh_from_db()
    assert draft.composer["content"] == "Written while signed out"


def test_a_page_from_before_a_new_sign_in_still_works(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_page(address(draft), user=alice)
    # Signing in anew makes a new token.
    token = {"name": "csrftoken", "value": "a" * 32, "domain": "127.0.0.1", "path": "/"}
    page.context.add_cookies([token])  # type: ignore[list-item]
    page.locator("#composer-text").fill("Cut them off.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread article")).to_have_count(4)
    page.locator("#thread article").first.get_by_role("button", name="Branch from this message").click()
    expect(page.get_by_text("This is the branch")).to_be_visible()


def test_two_windows_that_write_the_same_message_show_both_texts(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    here = open_page(address(draft), user=alice)
    there = open_page(address(draft), user=alice)
    there.locator("#composer-text").fill("from there")
    saved(there)
    here.locator("#composer-text").fill("from here")
    expect(here.locator("#conflict")).to_be_visible()
    expect(here.locator("#conflict-mine")).to_have_text("from here")
    expect(here.locator("#conflict-theirs")).to_have_text("from there")
    here.get_by_role("button", name="Keep both").click()
    expect(here.locator("#composer-text")).to_have_value("from there\n\nfrom here")
    saved(here)


@pytest.mark.in_both_browsers
def test_a_lost_network_keeps_the_message_and_adds_it_once(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_page(address(draft), user=alice)
    page.locator("#composer-text").fill("Cut the yellow leaves off.")
    saved(page)
    page.context.set_offline(True)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toasts")).to_contain_text("No connection")
    expect(page.locator("#composer-text")).to_have_value("Cut the yellow leaves off.")
    page.context.set_offline(False)
    page.locator("#composer-text").press("Control+Enter")
    expect(page.locator("#thread article")).to_have_count(4)
    assert Message.objects.filter(dialogue=draft, content="Cut the yellow leaves off.").count() == 1


def test_an_earlier_message_is_edited_and_later_ones_marked(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(address(draft), user=alice)
    page.locator("#thread article").nth(1).get_by_role("link", name="Edit this message").click()
    field = page.get_by_label("The message", exact=True)
    expect(field).to_be_focused()
    field.fill("Keep it warm.")
    page.get_by_label("Mark them for a second look").check()
    keep_screenshot(page, "writing-edit")
    field.press("Control+Enter")
    expect(page.get_by_text("a second look", exact=True)).to_be_visible()
    page.get_by_role("button", name="It still fits").click()
    expect(page.get_by_text("a second look", exact=True)).to_have_count(0)
    assert messages_of(draft)[1] == ("assistant", "Keep it warm.", "typed")


def test_later_answers_are_written_anew_in_their_places(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot
) -> None:
    page = open_page(address(draft), user=alice)
    page.locator("#thread article").nth(0).get_by_role("link", name="Edit this message").click()
    field = page.get_by_label("The message", exact=True)
    field.fill("How do I keep mint alive?")
    page.get_by_label("Have the policy answer anew").check()
    field.press("Control+Enter")
    answered = page.locator("#thread article").nth(1)
    expect(answered).to_contain_text("being written anew")
    expect(answered).to_contain_text("Give it light")  # the old text, until then
    keep_screenshot(page, "writing-anew-waiting")
    run = SamplingRun.objects.get(dialogue=draft, replaces__isnull=False)
    answer(run, "Cut it **often**.")
    expect(answered).to_contain_text("Cut it often.")
    expect(answered).to_contain_text("answered anew")
    assert violations(page) == []
    answered.get_by_text("The old text", exact=True).click()
    keep_screenshot(page, "writing-anew")
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    assert violations(page) == []
    keep_screenshot(page, "writing-anew-phone")
    assert messages_of(draft)[1] == ("assistant", "Cut it **often**.", "policy")
    answered.get_by_role("button", name="Bring the old text back").click()
    expect(answered).not_to_contain_text("The old text")
    assert messages_of(draft)[1] == ("assistant", ANSWER, "typed")


def test_a_sampler_that_fails_leaves_the_old_answer_and_says_so(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page(address(draft), user=alice)
    page.locator("#thread article").nth(0).get_by_role("link", name="Edit this message").click()
    page.get_by_label("The message", exact=True).fill("How do I keep mint alive?")
    page.get_by_label("Have the policy answer anew").check()
    page.get_by_label("The message", exact=True).press("Control+Enter")
    answered = page.locator("#thread article").nth(1)
    expect(answered).to_contain_text("being written anew")
    SamplingRun.objects.filter(replaces__isnull=False).update(state=SamplingRun.State.FAILED, error="out of memory")
    expect(answered).to_contain_text("the text that was here stays: out of memory")
    expect(answered).to_contain_text("Give it light")
    answered.get_by_role("button", name="Try again").click()
    expect(answered).to_contain_text("being written anew")
    answered.get_by_role("button", name="Stop").click()
    expect(answered).to_contain_text("an earlier message changed")


@pytest.mark.in_both_browsers
def test_two_windows_that_edit_the_same_message_show_both_texts(
    open_page: OpenPage, alice: User, draft: Dialogue, keep_screenshot: KeepScreenshot
) -> None:
    here, there = (open_page(address(draft), user=alice) for _ in range(2))
    for page, text in ((here, "from here"), (there, "from there")):
        page.locator("#thread article").nth(1).get_by_role("link", name="Edit this message").click()
        page.get_by_label("The message", exact=True).fill(text)
    there.get_by_label("The message", exact=True).press("Control+Enter")
    expect(there.locator("#thread")).to_contain_text("from there")
    here.get_by_label("The message", exact=True).press("Control+Enter")
    expect(here.locator(".conflict pre").first).to_have_text("from there")
    expect(here.get_by_label("The message", exact=True)).to_have_value("from here")
    assert messages_of(draft)[1][1] == "from there"
    keep_screenshot(here, "writing-edit-conflict")
    assert violations(here) == []
    here.get_by_role("button", name="Keep both").first.click()
    expect(here.locator("#thread .edit-form")).to_have_count(0)
    assert messages_of(draft)[1][1] == "from there\n\nfrom here"


def test_escape_cancels_an_edit(open_page: OpenPage, alice: User, draft: Dialogue) -> None:
    page = open_page(address(draft), user=alice)
    page.locator("#composer-text").focus()
    page.keyboard.press("ArrowUp")
    field = page.get_by_label("The message", exact=True)
    field.fill("something else")
    field.press("Escape")
    expect(field).to_have_count(0)
    assert messages_of(draft)[2][1] == "And if it turns yellow?"


def test_removing_a_message_asks_before_it_takes_those_after_it(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page(address(draft), user=alice)
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#thread article").nth(1).get_by_role("button", name="Remove this message and all").click()
    expect(page.locator("#thread article")).to_have_count(1)
    assert messages_of(draft) == [("user", QUESTION, "typed")]


def test_a_branch_goes_on_from_a_message_and_leaves_its_origin_alone(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page(address(draft), user=alice)
    page.locator("#thread article").nth(0).get_by_role("button", name="Branch from this message").click()
    expect(page.get_by_text("This is the branch")).to_be_visible()
    expect(page.locator("#thread article")).to_have_count(1)
    assert Dialogue.objects.get(branched_from=draft).branched_at == 0
    assert len(messages_of(draft)) == 3


def test_the_preview_shows_markdown_and_hostile_text_stays_inert(
    open_page: OpenPage, alice: User, draft: Dialogue
) -> None:
    page = open_page(address(draft), user=alice)
    page.locator("#composer-text").fill("**bold** <script>alert(1)</script> [x](javascript:alert(1))")
    press(page, "Escape", "p")
    preview = page.locator("#composer-preview")
    expect(preview.locator("strong")).to_have_text("bold")
    expect(preview.locator("script, a[href^=javascript]")).to_have_count(0)
    press(page, "p")
    expect(page.locator("#composer-text")).to_be_focused()


def test_not_my_topic_is_one_key(open_page: OpenPage, alice: User, project: Project) -> None:
    make_prompt(project=project, content="Explain mortgages.", topic="money")
    make_prompt(project=project, content="Write a limerick.", topic="poems")
    page = open_page("/p/basil/write/", user=alice)
    first = page.locator("#pool .prose").inner_text()
    page.keyboard.press("t")
    expect(page.locator("#pool .prose")).not_to_have_text(first)
    page.keyboard.press("t")
    expect(page.locator("#pool")).to_contain_text("no opening for you just now")


@pytest.mark.parametrize("viewport", [PHONE, NARROW], ids=["390", "360"])
def test_hostile_texts_do_not_break_the_layout_of_a_phone(
    open_page: OpenPage, alice: User, project: Project, viewport: dict[str, int]
) -> None:
    turns = [
        ("user", "x" * 10_000, "typed"),
        ("assistant", "| a | b |\n|---|---|\n| " + "y" * 400 + " | z |\n\n```\n" + "w" * 900 + "\n```", "typed"),
        ("user", "safe \u202egnp.exe\u202c <svg onload=alert(1)>", "typed"),
    ]
    hostile = make_dialogue(project=project, author=alice, turns=turns)
    page = open_page(address(hostile), user=alice, viewport=viewport)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    expect(page.locator("#thread svg[onload], #thread script")).to_have_count(0)
    expect(page.locator("#thread")).to_contain_text("[U+202E]")
