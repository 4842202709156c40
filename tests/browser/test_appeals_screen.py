"""Appealing, deciding, labelling by keyboard alone, and the filter's quality on a small screen."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from labeling.models import FilterRules, Label, User
from labeling.safety import appeals
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_project, make_user
from tests.labeling.safety.material import make_drawn, make_screening, make_stream, settle

Keep = Callable[[Page, str], Path]


def test_a_person_appeals_another_decides_blind_and_the_reply_is_read(
    open_page: Callable[..., Page], keep_screenshot: Keep
) -> None:
    project = make_project(slug="bread")
    alice = make_user(username="alice", projects=[project])
    rita = make_user(username="rita", projects=[project])
    screening = make_screening(project=project, person=alice, text="They walked on.", withheld=" Then a fight began.")
    page = open_page(f"/p/bread/screenings/{screening.id}/appeal/", user=alice)
    look_at(page, "appeal", keep_screenshot)
    page.get_by_label("Why was the filter wrong?").fill("It is a story for children.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("A person who had no part in this decides")).to_be_visible()
    page = open_page("/p/bread/quality/", user=rita)
    page.get_by_role("link", name="Filter", exact=True).click()
    page.get_by_role("link", name="Appeals (1)").click()
    look_at(page, "appeals", keep_screenshot)
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is a story for children.")).to_be_visible()
    expect(page.get_by_text("Then a fight began.")).to_have_count(0)
    page.keyboard.press("t")
    expect(page.get_by_text("Then a fight began.")).to_be_visible()
    look_at(page, "decide-appeal", keep_screenshot)
    page.get_by_label("The filter was wrong: the text is shown again").check()
    page.get_by_label("Reply").fill("So it is. It is shown again.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Decided. The person reads your reply.")).to_be_visible()
    expect(page.get_by_text("No appeal waits for you")).to_be_visible()
    page = open_page("/history/", user=alice)
    page.get_by_role("link", name="My appeals").click()
    expect(page.get_by_text("So it is. It is shown again.")).to_be_visible()
    look_at(page, "own-appeals", keep_screenshot)


def test_texts_are_labelled_by_keyboard_alone(open_page: Callable[..., Page], keep_screenshot: Keep) -> None:
    project = make_project(slug="bread")
    rita = make_user(username="rita", projects=[project])
    for number in range(3):
        make_drawn(screening=make_screening(project=project, text=f"The text with the number {number}."))
    page = open_page("/p/bread/labels/", user=rita)
    expect(page.get_by_text("3 texts wait for you")).to_be_visible()
    page.keyboard.press("3")
    page.keyboard.press("8")
    page.keyboard.press("8")
    page.keyboard.press("1")
    look_at(page, "label-texts", keep_screenshot)
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 texts wait for you")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_text("1 text waits for you")).to_be_visible()
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No text waits for you")).to_be_visible()
    said = [
        ({name for name, answer in one.answers.items() if answer == "yes"}, set(one.answers.values()) - {"yes"})
        for one in Label.objects.order_by("created_at")
    ]
    assert said == [({"S", "V"}, {"no"}), (set(), {"no"}), (set(), {"unsure"})]


def test_the_quality_of_the_filter_on_a_small_screen(open_page: Callable[..., Page], keep_screenshot: Keep) -> None:
    project = make_project(slug="bread")
    erin = make_user(username="erin", role=User.Role.ENGINEER, projects=[project])
    rules = [{"category": "V", "side": "answered", "mode": "on", "warn_at": 0.5, "block_at": 0.9}]
    FilterRules.objects.create(project=project, version=1, rules=rules)
    for week in range(1, 10):
        make_stream(project=project, probabilities=[{"V": 0.1}] * 20, days_ago=7 * week)
    made = make_stream(project=project, probabilities=[{"V": number / 60} for number in range(60)], days_ago=0.1)
    for number, screening in enumerate(made):
        settle(make_drawn(screening=screening), V="yes" if number >= 30 - number % 3 * 8 else "no")
    appeals.appeal(make_screening(project=project, person=erin, days_ago=0.05), erin, "No.")
    page = open_page("/p/bread/filter-quality/?category=V&side=answered", user=erin)
    look_at(page, "filter-quality", keep_screenshot)
    page.get_by_role("link", name="Train a filter").click()
    expect(page.get_by_text("Nothing to learn from yet")).to_be_visible()
