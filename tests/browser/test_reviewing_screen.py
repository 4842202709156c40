"""Reviewing by keyboard: accept, return, pass over; the first day of a newcomer; and a new account."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.models import Dialogue, Project, User
from tests.labeling.factories import make_dialogue, make_project, make_prompt, make_user

OpenPage = Callable[..., Page]


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky")


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", role=User.Role.REVIEWER, projects=[project])


@pytest.fixture
def submitted(project: Project) -> list[Dialogue]:
    """Three dialogues of Alice, oldest first."""
    alice = make_user(username="alice", projects=[project])
    return [
        make_dialogue(
            project=project,
            author=alice,
            turns=[("user", f"Question {number}?", "typed"), ("assistant", "Because.", "taken")],
            state=Dialogue.State.SUBMITTED,
            submitted_at=timezone.now() - timedelta(minutes=9 - number),
        )
        for number in range(3)
    ]


def test_a_queue_is_worked_through_by_keyboard(
    open_page: OpenPage, rita: User, submitted: list[Dialogue], keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = open_page("/p/sky/review/", user=rita)
    page.keyboard.press("Enter")
    expect(page.locator("#thread")).to_contain_text("Question 0?")
    keep_screenshot(page, "reviewing")
    page.keyboard.press("a")
    expect(page.locator("#thread")).to_contain_text("Question 1?")
    page.keyboard.press("j")
    expect(page.locator("#thread")).to_contain_text("Question 2?")
    page.keyboard.press("r")
    comment = page.get_by_label("What should change?")
    expect(comment).to_be_focused()
    page.keyboard.insert_text("Say why it is so.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#thread")).to_contain_text("Question 1?")
    states = [Dialogue.objects.get(pk=dialogue.pk).state for dialogue in submitted]
    assert states == ["accepted", "submitted", "returned"]


def test_a_newcomer_is_led_from_the_guidelines_to_the_first_dialogue(open_page: OpenPage, project: Project) -> None:
    make_prompt(project=project, content="Tell me about bats.")
    nina = make_user(username="nina", projects=[project])
    page = open_page("/", user=nina)
    for landmark in ("Guidelines", "Sky", "Write"):  # each page's main button is Enter
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(landmark)
    page.keyboard.press("Enter")
    expect(page.locator("#thread")).to_contain_text("Tell me about bats.")


def test_enter_belongs_to_the_control_that_has_the_focus(open_page: OpenPage, project: Project) -> None:
    nina = make_user(username="nina", projects=[project])
    page = open_page("/", user=nina)
    page.get_by_role("link", name="Parley", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert page.url.endswith("/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Good to see you")


def test_a_new_account_gets_its_password_on_the_screen_once(open_page: OpenPage) -> None:
    page = open_page("/people/", user=make_user(username="adam", role=User.Role.ADMIN))
    page.get_by_label("Name to sign in with").fill("dora")
    page.get_by_role("button", name="Make the account").click()
    password = page.locator("output.password").inner_text()
    visitor = open_page("/sign-in/")
    visitor.get_by_label("Name").fill("dora")
    visitor.get_by_label("Password").fill(password)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_text("You are not in a project yet")).to_be_visible()
