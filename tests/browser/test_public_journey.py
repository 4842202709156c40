"""The public half as a whole: a stranger signs up, chats, is warned, appeals and wins, reports, enters the contest and
deletes everything; and the report leads into the loop until then."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from labeling.dialogues.answers import record_completions
from labeling.models import Case, Entry, Prompt, Report, SamplingRun, User
from labeling.preview.forms import QUICKEST
from tests.answering import finish_stream, wait_for_run
from tests.browser.screenshots import look_at
from tests.browser.test_preview_screen import link_of
from tests.labeling.challenges.material import make_challenge
from tests.labeling.factories import make_policy, make_project, make_user
from tests.labeling.preview.material import make_preview
from tests.labeling.sampling.screened import blocked_result, screened_result

OpenPage = Callable[..., Page]
KeepScreenshot = Callable[[Page, str], Path]

TALE = "Tell me how the battle of the two villages went."
HOLLOW = "Yes, the moon is hollow, as everybody knows."


def say(page: Page, words: str) -> SamplingRun:
    page.locator("#composer-text").fill(words)
    page.keyboard.press("Control+Enter")
    return wait_for_run(purpose="chat")


def test_a_stranger_is_warned_appeals_and_wins_reports_enters_and_goes(
    open_page: OpenPage, keep_screenshot: KeepScreenshot
) -> None:
    project = make_project(slug="sky", policy=make_policy(name="sprout-2"))
    make_preview(project=project, welcome="Come in.")
    make_challenge(project=project, slug="winter", title="What does it get wrong?")
    page = open_page("/t/sky/sign-up/")
    page.get_by_label("Your e-mail address").fill("vera@example.org")
    for box in ("18 or older", "agree to them", "Models may learn"):
        page.get_by_label(box).check()
    page.wait_for_timeout(QUICKEST * 1000)  # nobody reads the boxes faster
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(link_of(page))
    page.get_by_role("button", name="Come in").click()

    run = say(page, "Is the moon hollow?")
    assert record_completions(screened_result(run, (HOLLOW, "warn")))
    finish_stream(run)
    expect(page.get_by_text("The filter marked this as")).to_be_visible()
    expect(page.get_by_text(HOLLOW)).not_to_be_visible()
    look_at(page, "visit-warned", keep_screenshot)
    page.get_by_text("Show the text").click()
    expect(page.get_by_text(HOLLOW)).to_be_visible()

    run = say(page, TALE)
    assert record_completions(blocked_result(run, category="V"))
    finish_stream(run)
    expect(page.get_by_text("The filter blocked this message")).to_be_visible()
    look_at(page, "visit-blocked", keep_screenshot)
    page.get_by_role("link", name="Appeal").click()
    page.get_by_label("Why").fill("It is history.")
    look_at(page, "visit-appeal", keep_screenshot)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("You appealed on")).to_be_visible()

    rita = make_user(username="rita", role="reviewer", projects=[project])
    desk = open_page("/p/sky/appeals/", user=rita)
    desk.locator("main a[href*='/appeals/']").first.click()
    desk.get_by_label("The filter was wrong").check()
    desk.get_by_label("reply", exact=False).fill("History it is.")
    desk.keyboard.press("Control+Enter")
    expect(desk.get_by_text("Decided. The person reads your reply.")).to_be_visible()

    page.get_by_role("link", name="Mine").click()
    expect(page.get_by_text("History it is.")).to_be_visible()
    look_at(page, "visit-mine", keep_screenshot)
    page.get_by_role("link", name="Is the moon hollow?").click()
    expect(page.get_by_text("The filter blocked this message")).to_have_count(0)
    page.get_by_role("button", name=re.compile("Ask (again|for an answer)")).click()
    run = wait_for_run(purpose="chat")
    assert record_completions(screened_result(run, ("The villages made peace.", "pass")))
    finish_stream(run)
    expect(page.get_by_text("The villages made peace.")).to_be_visible()

    first = page.locator(".message.is-assistant").first
    first.locator(".report-box > summary").click()
    first.get_by_label("What is wrong").select_option("false")
    first.get_by_label("In your words").fill("It is solid.")
    first.get_by_role("button", name="Send report").click()
    expect(first.get_by_text("Reported. Thank you")).to_be_visible()
    look_at(page, "visit-reported", keep_screenshot)
    page.reload()
    expect(page.locator("#composer-text")).to_have_value("")  # what was sent is no draft any more

    adam = make_user(username="adam")
    office = open_page("/p/sky/triage/", user=adam)
    office.keyboard.press("Enter")
    office.wait_for_url(re.compile("/triage/[^/]+/$"))
    office.wait_for_load_state()
    office.keyboard.press("t")
    expect(office.get_by_text(HOLLOW)).to_be_visible()
    case = Case.objects.get()
    office.locator("button[name='kind'][value='prompt']").click()
    expect(office.locator("#made + *")).to_be_visible()
    prompt = Prompt.objects.get(project=project)
    assert prompt.messages[-1]["content"] == "Is the moon hollow?"
    look_at(office, "triage-case", keep_screenshot)

    page.get_by_role("link", name="Mine").click()
    page.get_by_role("link", name="Feedback contests").click()
    page.get_by_role("link", name="What does it get wrong?").click()
    page.get_by_role("link", name="Enter").click()
    page.get_by_label("Title").fill("The hollow moon")
    page.get_by_label("What they show").fill("It says so as if it were known.")
    page.locator("input[name='reports']").check()
    page.get_by_label("I am 18 or older").check()
    page.get_by_label("I accept version 1").check()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Sent. You may change or withdraw it")).to_be_visible()
    assert Entry.objects.get().reports.count() == 1

    page.get_by_role("link", name="Mine").click()
    expect(page.get_by_text("It is solid.")).to_be_visible()
    page.get_by_role("link", name="Delete all of it").click()
    page.get_by_role("button", name="Delete everything of mine").click()
    expect(page.get_by_text("Everything of yours is deleted")).to_be_visible()
    assert not Report.objects.exists()
    assert not Entry.objects.exists()
    assert not Case.objects.filter(id=case.id, num_reports__gt=0).exists()
    assert "hollow" not in str(list(Prompt.objects.values_list("messages", flat=True)))
    assert not User.objects.filter(email__contains="vera").exists()
