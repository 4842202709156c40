"""Long lists as people meet them: narrowed, turned over, a prompt opened and retired, on a desk and on a phone."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from labeling.models import Export, Project, Prompt, Thumb, User
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_comparison, make_prompt, make_thumb, make_user

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]
LONG = "A long question about sourdough, which goes on and on until nobody remembers how it began. " * 4


def test_a_prompt_is_found_opened_and_retired(
    open_page: OpenPage, project: Project, erin: User, keep_screenshot: Keep
) -> None:
    for number in range(30):
        make_prompt(project=project, content=f"What may loaf number {number} be called?", topic="baking")
    found = make_prompt(project=project, content=LONG, topic="sourdough", source="questions.jsonl")
    page = open_page("/p/bread/data/", user=erin)
    page.get_by_role("link", name="Prompts", exact=True).click()
    look_at(page, "prompts", keep_screenshot)
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("link", name="First page")).to_be_visible()
    page.get_by_label("Topic").select_option("sourdough")
    page.get_by_role("button", name="Show", exact=True).click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    rows.locator("summary").click()
    expect(rows.locator(".said")).to_contain_text("nobody remembers")
    look_at(page, "prompt-opened", keep_screenshot)
    rows.get_by_role("button", name="Retire").click()
    expect(rows.get_by_role("button", name="Bring back")).to_be_visible()
    assert page.url.endswith("topic=sourdough&order=newest")
    assert Prompt.objects.get(id=found.id).retired_by == erin


def test_exports_and_people_are_narrowed(
    open_page: OpenPage, project: Project, erin: User, keep_screenshot: Keep
) -> None:
    for state, num in (("done", 1_204), ("failed", 0), ("cancelled", 0)):
        Export.objects.create(project=project, kind="rankings", state=state, num_records=num, requested_by=erin)
    page = open_page("/p/bread/data/exports/", user=erin)
    look_at(page, "exports", keep_screenshot)
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    people = open_page("/people/", user=make_user(username="adam", role="admin"))
    people.get_by_label("Name or address").fill("nobody at all")
    people.keyboard.press("Enter")
    expect(people.get_by_text("Nobody fits")).to_be_visible()
    people.get_by_role("link", name="Show all").first.click()
    expect(people.get_by_role("button", name="Close the account of Erin")).to_be_visible()
    look_at(people, "people", keep_screenshot)


def test_thumbs_are_read_narrowed_and_retracted(
    open_page: OpenPage, project: Project, erin: User, keep_screenshot: Keep
) -> None:
    Project.objects.filter(id=project.id).update(compares_thumbs_down=True)
    compared = make_comparison(project=project, round=project.current_round)
    make_thumb(project=project, content="Feed it twice a day.", up=True, outside_policy="assistant-7", source="api")
    make_thumb(project=project, content="Boil it.", reason="It would die.", wants_comparison=True, comparison=compared)
    make_thumb(project=project, content=LONG, reason=f"Too long. {LONG}", source="feedback.json", outside_trainer="u-1")
    wrong = make_thumb(project=project, content="Rome.", reason="Another country.", wants_comparison=True)
    page = open_page("/p/bread/data/", user=erin)
    look_at(page, "data-with-thumbs", keep_screenshot)
    page.get_by_role("link", name="Thumbs", exact=True).click()
    look_at(page, "thumbs", keep_screenshot)
    page.get_by_label("Words of the answer or the reason").fill("country")
    page.keyboard.press("Enter")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.get_by_text("waits to be compared")).to_be_visible()
    rows.locator("summary").click()
    expect(rows.locator(".said").last).to_contain_text("Rome.")
    look_at(page, "thumb-opened", keep_screenshot)
    rows.get_by_role("button", name="Retract").click()
    expect(rows.get_by_role("button", name="Bring back")).to_be_visible()
    assert Thumb.objects.get(id=wrong.id).retracted_at is not None
