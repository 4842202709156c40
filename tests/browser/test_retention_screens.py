"""An admin erases a person and shares a model: what they are told first, and what is there afterwards."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from labeling.models import ModelShare, PersonErasure, Project, User
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_comparison, make_dialogue, make_policy, make_project, make_user


def test_an_admin_erases_a_person_after_reading_what_it_does(
    open_page: Callable[..., Page], project: Project, alice: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    adam = make_user(username="adam", role="admin")
    make_dialogue(project=project, author=alice, state="accepted")
    chat = make_dialogue(project=project, author=alice, kind="chat")
    make_comparison(project=project, dialogue=chat)
    page = open_page("/people/", user=adam)
    page.goto(f"/people/{alice.pk}/")
    look_at(page, "person", keep_screenshot, at="text=Erase this person…")
    page.get_by_role("link", name="Erase this person…").click()
    expect(page.get_by_text("Dialogues, drafts and chats of theirs, with the answers in them: 2")).to_be_visible()
    look_at(page, "erase-person", keep_screenshot)
    page.get_by_label("Their name, to confirm").fill("bob")
    page.get_by_role("button", name="Erase").click()
    expect(page.get_by_text("Write “alice”, exactly so.")).to_be_visible()
    page.get_by_label("Their name, to confirm").fill("alice")
    page.get_by_role("button", name="Erase").click()
    expect(page.get_by_role("heading", name="Erased")).to_be_visible()
    assert PersonErasure.objects.filter(person=alice, by=adam).exists()
    look_at(page, "erased-person", keep_screenshot)


def test_an_admin_shares_a_model_and_takes_it_back(
    open_page: Callable[..., Page], project: Project, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    adam = make_user(username="adam", role="admin")
    policy = make_policy(name="of-the-bakery", project=project)
    make_project(slug="kitchen", name="Kitchen")
    page = open_page(f"/models/{policy.pk}/", user=adam)
    expect(page.get_by_text("Shared with nobody.")).to_be_visible()
    page.get_by_label("Share with").select_option("kitchen")
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_role("cell", name="Kitchen", exact=True)).to_be_visible()
    look_at(page, "shared-model", keep_screenshot, at="text=Whose it is")
    page.get_by_role("button", name="Revoke Kitchen").click()
    expect(page.get_by_text("Shared with nobody.")).to_be_visible()
    assert not ModelShare.objects.in_force().exists()
