"""Comments on messages, what was changed in suggestions, undone acceptances and notes, at a desk and on a phone."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.dialogues import comments, review
from labeling.models import Comment, Completion, Dialogue, Project, User
from tests.browser.axe import violations
from tests.browser.conftest import DESKTOP, NARROW
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_dialogue, make_project, make_run, make_user

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]

SIZES = pytest.mark.parametrize("viewport", [DESKTOP, NARROW], ids=["desk", "phone"])
LONG = "Light of short waves is scattered more than light of long ones. " * 6
BELOW_THE_BAR = (
    "(box) => box.getBoundingClientRect().bottom - document.querySelector('.acts').getBoundingClientRect().top"
)


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky")


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", role=User.Role.REVIEWER, projects=[project])


@pytest.fixture
def dialogue(project: Project, alice: User) -> Dialogue:
    """Four turns, longer than any screen; the second answer was made from a suggestion."""
    turns = [(role, f"{number}: {LONG}", "typed") for number in range(4) for role in ("user", "assistant")]
    turns[3] = ("assistant", "The sky is blue because short waves are scattered most.", "edited")
    made = make_dialogue(
        project=project,
        author=alice,
        turns=turns,
        state=Dialogue.State.SUBMITTED,
        submitted_at=timezone.now() - timedelta(minutes=5),
    )
    run = make_run(project=project, dialogue=made, requested_by=alice)
    text = "The sky is blue because long waves are scattered."
    completion = Completion.objects.create(run=run, index=0, content=text, policy=project.policy)
    made.messages.filter(position=3).update(completion=completion)
    return made


def look(page: Page, name: str, keep_screenshot: Keep) -> None:
    """No violation and no sideways scrolling in light and dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert violations(page) == []
        size = page.viewport_size
        assert size is not None
        keep_screenshot(page, f"{name}-{size['width']}-{scheme}")
        # Playwright hid carets by a style, and left empty ones, which htmx would copy.
        page.evaluate("for (const field of document.querySelectorAll('[style=\"\"]')) field.removeAttribute('style')")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@SIZES
def test_a_reviewer_comments_on_messages_and_returns_the_dialogue(
    open_page: OpenPage, rita: User, dialogue: Dialogue, keep_screenshot: Keep, viewport: dict[str, int]
) -> None:
    page = open_page(f"/p/sky/review/{dialogue.pk}/", user=rita, viewport=viewport)
    last = page.locator("#thread article").last
    page.keyboard.press("c")
    text = last.get_by_label("What of this message?")
    expect(text).to_be_focused()
    assert last.locator(".comment-box form").evaluate(BELOW_THE_BAR) <= 0
    page.keyboard.press("Escape")
    expect(last.locator(".comment-box summary")).to_be_focused()
    expect(text).to_be_hidden()
    page.keyboard.press("c")
    expect(text).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(last.get_by_role("alert")).to_have_text("Say something of this message.")
    expect(text).to_be_focused()
    page.keyboard.insert_text("Name the waves.")
    look(page, "comment-written", keep_screenshot)
    page.keyboard.press("Control+Enter")
    expect(last.locator(".comment-said")).to_contain_text("Name the waves.")
    expect(last.locator(".comment-box summary")).to_be_focused()
    second = page.locator("#thread article").nth(3)
    second.locator(".suggested summary").click()
    expect(second.locator("del").first).to_have_text("long")
    expect(second.locator("ins").first).to_have_text("short")
    second.locator(".comment-box summary").click()
    expect(second.get_by_label("What of this message?")).to_be_focused()
    page.keyboard.insert_text("Why most?")
    page.keyboard.press("Control+Enter")
    expect(second.locator(".comment-said")).to_contain_text("Why most?")
    second.get_by_role("button", name="Take it back").click()
    expect(second.locator(".comment-said")).to_have_count(0)
    expect(second.locator(".comment-box summary")).to_be_focused()
    second.locator(".suggested summary").click()
    look(page, "review-with-comment", keep_screenshot)
    page.keyboard.press("r")
    expect(page.get_by_label("What should change?")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Returned to its author.")).to_be_visible()
    dialogue.refresh_from_db()
    assert (dialogue.state, Comment.objects.get().text) == ("returned", "Name the waves.")


@SIZES
def test_a_refused_return_says_why_beside_its_button(
    open_page: OpenPage, rita: User, dialogue: Dialogue, viewport: dict[str, int]
) -> None:
    page = open_page(f"/p/sky/review/{dialogue.pk}/", user=rita, viewport=viewport)
    page.keyboard.press("r")
    expect(page.get_by_label("What should change?")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_have_text("Say what its author should change.")
    expect(page.get_by_role("alert")).to_be_in_viewport()
    expect(page.get_by_label("What should change?")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".return-box summary")).to_be_focused()


@SIZES
@pytest.mark.parametrize("kind", ["demonstration", "chat"])
def test_a_returned_dialogue_opens_at_the_message_to_mend(
    open_page: OpenPage,
    alice: User,
    rita: User,
    dialogue: Dialogue,
    keep_screenshot: Keep,
    viewport: dict[str, int],
    kind: str,
) -> None:
    Dialogue.objects.update(kind=kind)
    dialogue.refresh_from_db()
    for position, words in ((3, "Which waves are scattered most, and why?"), (5, "This says it twice.")):
        comments.comment_on(dialogue.messages.get(position=position), text=words, by=rita)
    review.return_dialogue(dialogue, comment="", by=rita)
    page = open_page(f"/p/sky/write/{dialogue.pk}/", user=alice, viewport=viewport)
    mended, other = (page.locator("#thread article").nth(position) for position in (3, 5))
    edit = mended.get_by_label("The message")
    expect(edit).to_be_focused()
    page.wait_for_timeout(300)  # whatever else scrolls has scrolled
    expect(mended.get_by_text("Which waves are scattered most")).to_be_in_viewport(ratio=1)
    expect(edit).to_be_in_viewport(ratio=0.5)
    look(page, f"returned-{kind}", keep_screenshot)
    page.keyboard.press("Escape")
    expect(mended.locator("[data-tool='edit']")).to_be_focused()
    expect(mended.get_by_label("The message")).to_have_count(0)
    if kind == "demonstration":  # Esc closed the edit and stopped no suggestions
        expect(page.locator("#suggestions [data-stop]")).to_be_visible()
    page.keyboard.press("Enter")
    expect(edit).to_be_focused()
    edit.fill("Short waves, by the fourth power.")
    page.keyboard.press("Control+Enter")
    expect(mended.get_by_text("answered: message changed")).to_be_visible()
    expect(page.get_by_text("1 comment is not answered yet.")).to_be_visible()
    page.get_by_role("button", name="Go to it").click()
    expect(other.locator("[data-tool='edit']")).to_be_focused()
    expect(other.get_by_text("This says it twice.")).to_be_in_viewport(ratio=1)
    other.get_by_role("button", name="It is answered").click()
    expect(page.get_by_text("not answered yet")).to_have_count(0)
    expect(other.locator("[data-tool='edit']")).to_be_focused()


def test_a_comment_is_kept_as_it_is_typed(open_page: OpenPage, rita: User, dialogue: Dialogue) -> None:
    page = open_page(f"/p/sky/review/{dialogue.pk}/", user=rita)
    page.keyboard.press("c")
    expect(page.locator("#thread article").last.get_by_label("What of this message?")).to_be_focused()
    page.keyboard.type("Name the wav")
    page.goto("/")
    page.goto(f"/p/sky/review/{dialogue.pk}/")
    last = page.locator("#thread article").last
    text = last.get_by_label("What of this message?")
    expect(text).to_have_value("Name the wav")
    expect(text).to_be_visible()
    text.focus()
    page.keyboard.press("Control+Enter")
    expect(last.locator(".comment-said")).to_contain_text("Name the wav")
    page.reload()
    expect(last.locator(".comment-said")).to_be_visible()
    expect(text).to_have_value("")


@SIZES
def test_an_acceptance_is_undone_and_the_focus_is_at_the_head_of_what_comes_next(
    open_page: OpenPage,
    rita: User,
    dialogue: Dialogue,
    project: Project,
    keep_screenshot: Keep,
    viewport: dict[str, int],
) -> None:
    waiting = make_dialogue(project=project, author=dialogue.author, state="submitted", submitted_at=timezone.now())
    page = open_page(f"/p/sky/review/{dialogue.pk}/", user=rita, viewport=viewport)
    page.keyboard.press("a")
    page.wait_for_url(f"**/review/{waiting.pk}/")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_role("link", name="Look at it again, or undo").click()
    page.keyboard.press("u")
    expect(page.get_by_text("No export holds it.")).to_be_visible()
    look(page, "undo-acceptance", keep_screenshot)
    page.keyboard.press("Enter")
    expect(page.get_by_text("waits for review again")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    dialogue.refresh_from_db()
    assert dialogue.state == "submitted"


@SIZES
@pytest.mark.parametrize("name", ["notes", "comments", "ranking"])
def test_notes_and_comments_are_read_in_one_place(
    open_page: OpenPage,
    rita: User,
    alice: User,
    dialogue: Dialogue,
    project: Project,
    keep_screenshot: Keep,
    viewport: dict[str, int],
    name: str,
) -> None:
    ranking = make_ranking(project=project, trainer=alice, note="B says what A says, " * 12)
    comments.comment_on(dialogue.messages.get(position=3), text="Which waves?", by=rita)
    paths = {"notes": "notes/", "comments": "comments/", "ranking": f"notes/{ranking.id}/"}
    page = open_page(f"/p/sky/quality/{paths[name]}", user=rita, viewport=viewport)
    expect(page.get_by_text("Which waves?" if name == "comments" else "B says what A says").first).to_be_visible()
    look(page, name, keep_screenshot)
    if name == "comments":
        page.get_by_role("link", name="The sky is blue").click()
        expect(page.locator("#thread article").nth(3)).to_be_in_viewport()
