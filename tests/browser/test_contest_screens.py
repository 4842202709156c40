"""A feedback contest in the browser: entered and marked by keyboard, published, and read at 360 pixels."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.challenges import jury
from labeling.models import Challenge, Entry, Mark, Project, User
from tests.browser.conftest import NARROW
from tests.browser.screenshots import look_at
from tests.labeling.challenges.material import close, judged_challenge, make_challenge, make_entry, name_jurors
from tests.labeling.challenges.material import make_report as report_of
from tests.labeling.factories import make_project, make_user

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

RIVERS = (
    "Asked which river is longer, it gives **the same wrong answer** in every phrasing, with a source that does not "
    "exist.\n\nWhy it matters: schools use it for homework, and nobody looks a river up twice."
)
PRIZES = "Twenty prizes of *500 credits* each."


@pytest.fixture
def project(engines: object) -> Project:
    return make_project(slug="bread", name="Bread")


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam")


@pytest.fixture
def challenge(project: Project, adam: User) -> Challenge:
    return make_challenge(
        project=project, slug="winter", title="What does it get wrong in real use?", prizes=PRIZES, num_prizes=20
    )


def test_a_visitor_enters_by_keyboard_changes_and_withdraws(
    open_page: OpenPage, challenge: Challenge, keep_screenshot: KeepScreenshot
) -> None:
    vera = make_user(username="vera", role=User.Role.VISITOR)
    said = "The Danube is the longest river of Europe, as Müller (2019) shows."
    report_of(reporter=vera, project=challenge.project, content=said, note="It is the Volga.")
    report_of(reporter=vera, project=challenge.project, content="Lake Constance lies in Denmark.")
    page = open_page("/challenges/", user=vera)
    page.get_by_role("link", name="What does it get wrong").click()
    look_at(page, "contest-open", keep_screenshot)
    page.keyboard.press("Enter")
    page.get_by_label("Title").focus()
    page.keyboard.type("Rivers, wrong with a source")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.get_by_label("What they show").fill(RIVERS)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Accept the rules to send it.")
    expect(page.get_by_label("What they show")).to_have_value(RIVERS)
    page.get_by_label("I am 18 or older").check()
    page.get_by_label("I accept version 1").check()
    look_at(page, "contest-entry", keep_screenshot, at=".reports")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Sent. You may change or withdraw it")).to_be_visible()
    entry = Entry.objects.get()
    assert (entry.state, entry.text, entry.reports.count()) == ("sent", RIVERS, 1)
    page.get_by_role("button", name="Withdraw it").click()
    expect(page.get_by_text("Withdrawn. You may send it again")).to_be_visible()


def test_a_juror_marks_by_keyboard_alone(
    open_page: OpenPage, challenge: Challenge, adam: User, keep_screenshot: KeepScreenshot
) -> None:
    for number in range(2):
        author = make_user(username=f"author{number}")
        make_entry(challenge=challenge, author=author, title=f"Rivers {number}", text=RIVERS)
    jurors = name_jurors(challenge, 3)
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    page = open_page("/challenges/winter/jury/", user=jurors[0].user)
    page.keyboard.press("Enter")
    for mark, why in (("3", "Many meet it."), ("4", "Not seen before."), ("2", "It says how often.")):
        expect(page.locator(".criterion.is-current")).to_have_count(1)
        page.keyboard.press(mark)
        expect(page.locator("textarea:focus")).to_have_count(1)
        page.keyboard.type(f"{why} 0 of 4")
        page.keyboard.press("Tab")
    look_at(page, "contest-marking", keep_screenshot)
    page.locator("textarea").first.focus()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Your marks are stored.")).to_be_visible()
    expect(page.locator("h1")).to_contain_text("Rivers")
    rows = Mark.objects.order_by("pk").values_list("criterion", "value", "why")
    assert list(rows) == [
        ("risk", 3, "Many meet it. 0 of 4"),
        ("novelty", 4, "Not seen before. 0 of 4"),
        ("form", 2, "It says how often. 0 of 4"),
    ]
    page.keyboard.press("3")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Each criterion needs a mark and a reason.")
    page.get_by_text("I should not judge this one").click()
    page.locator("#conflict-why").fill("My sister wrote it.")
    page.get_by_role("button", name="Leave it to another juror").click()
    expect(page.get_by_text("1 of 1 marked")).to_be_visible()


def test_an_admin_publishes_and_anyone_reads_the_results_on_a_phone(
    open_page: OpenPage, project: Project, adam: User, keep_screenshot: KeepScreenshot
) -> None:
    authors = [make_user(username=f"author{number}") for number in range(6)]
    challenge = judged_challenge(project=project, authors=authors, admin=adam, slug="winter", num_prizes=2)
    page = open_page(f"/p/bread/challenges/{challenge.pk}/", user=adam)
    page.get_by_role("link", name="Entries and duplicates").click()
    page.get_by_role("link", name="Entry of author0").click()
    page.get_by_role("button", name="Release them").click()
    expect(page.get_by_text("Anyone may read them.")).to_be_visible()
    page.goto(f"/p/bread/challenges/{challenge.pk}/results/")
    page.get_by_label("The jury's words").fill("A strong field: most entries show what *real* use meets.")
    for reason in page.get_by_label("Why it wins").all():
        reason.fill("It shows a fault that thousands meet, and says how it was found.")
    look_at(page, "contest-results-form", keep_screenshot)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Results")).to_be_visible()
    public = open_page("/challenges/winter/", viewport=NARROW, colour_scheme="dark")
    expect(public.get_by_text("It shows a fault that thousands meet").first).to_be_visible()
    expect(public.get_by_text("Krippendorff's alpha")).to_be_visible()
    expect(public.get_by_role("heading", name="Entry of author0")).to_be_visible()
    expect(public.get_by_text("author1", exact=False)).to_have_count(0)
    public.get_by_text("4 places below").click()
    look_at(public, "contest-results", keep_screenshot, at=".results")
    objector = open_page("/challenges/winter/", user=authors[3], viewport=NARROW)
    objector.get_by_label("Your objection").fill("Mine was sent before the first one.")
    objector.get_by_role("button", name="Object", exact=True).click()
    expect(objector.get_by_text("Not answered yet.")).to_be_visible()
    page.goto(f"/p/bread/challenges/{challenge.pk}/")
    page.get_by_label("Answer").fill("It was sent an hour later; we looked again.")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page.get_by_text("Answered.")).to_be_visible()


def test_an_admin_sets_a_contest_up_and_names_jurors(
    open_page: OpenPage, project: Project, adam: User, keep_screenshot: KeepScreenshot
) -> None:
    make_user(username="bob")
    page = open_page("/p/bread/settings/", user=adam)
    page.get_by_role("link", name="Feedback contests").first.click()
    page.get_by_label("Title").fill("What does it get wrong?")
    page.get_by_label("Address").fill("spring")
    soon = timezone.now() + timedelta(days=1)
    page.get_by_label("Opens").fill(f"{soon:%Y-%m-%dT%H:%M}")
    page.get_by_label("Closes").fill(f"{soon + timedelta(days=30):%Y-%m-%dT%H:%M}")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("The contest is set up.")).to_be_visible()
    page.get_by_label("Username").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nobody here has this username.")).to_be_visible()
    look_at(page, "contest-jurors", keep_screenshot, at=".name-juror")
    page.get_by_label("Username").fill("bob")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Bob is a juror.")).to_be_visible()
