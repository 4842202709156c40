"""The content filter as people meet it: a warning that opens by keyboard, a message that is blocked, the board, and
the pages of its rules and filters, on a phone too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from labeling.dialogues.answers import record_completions
from labeling.models import Comparison, Filter, FilterRules, Lease, Project, SamplingRun, Screening, User
from labeling.rankings.assignment import claim
from tests.answering import finish_stream, stream_words, wait_for_run
from tests.browser.screenshots import look_at
from tests.labeling.factories import make_project, make_user
from tests.labeling.sampling.sampling_runs import sent_run, waiting_comparison
from tests.labeling.sampling.screened import WITHHELD, blocked_result, screened_result

OpenPage = Callable[..., Page]
Keep = Callable[[Page, str], Path]


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", projects=[project])


def ask(page: Page, said: str, *, drafts: str = "1") -> SamplingRun:
    page.get_by_label("Answers to choose from").select_option(drafts)
    page.locator("#composer-text").fill(said)
    page.keyboard.press("Control+Enter")
    return wait_for_run(purpose="chat")


def test_a_warning_folds_an_answer_and_a_key_shows_it(open_page: OpenPage, alice: User, keep_screenshot: Keep) -> None:
    page = open_page("/p/sky/chat/", user=alice)
    page.get_by_role("button", name="Start a chat").click()
    run = ask(page, "Tell me about last night.", drafts="3")
    finish_stream(run)
    verdicts = (("A long night.", "warn"), ("It began", "block"), ("It was dark.", "pass"))
    record_completions(screened_result(run, *verdicts))
    fold = page.locator(".candidate .verdict.folds summary")
    expect(fold).to_contain_text("The filter marked this as sexual")
    expect(page.get_by_text("A long night.")).to_be_hidden()
    expect(page.get_by_role("button", name="Choose")).to_have_count(2)
    look_at(page, "filter-drafts", keep_screenshot, at=".candidates")
    fold.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("A long night.")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("A long night.")).to_be_hidden()
    page.get_by_role("button", name="Choose").first.click()
    expect(page.locator("#thread article").last.locator(".verdict.folds")).to_have_count(1)
    browser: Any = page.context.browser
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    without_scripts = context.new_page()
    without_scripts.goto(page.url)
    expect(without_scripts.get_by_text("A long night.")).to_be_hidden()
    without_scripts.locator(".verdict.folds summary").click()
    expect(without_scripts.get_by_text("A long night.")).to_be_visible()
    context.close()


def test_a_blocked_message_waits_for_another_wording(open_page: OpenPage, alice: User, keep_screenshot: Keep) -> None:
    page = open_page("/p/sky/chat/", user=alice)
    page.get_by_role("button", name="Start a chat").click()
    run = ask(page, "Something rude")
    finish_stream(run)
    record_completions(blocked_result(run))
    notice = page.locator("#thread .notice.verdict")
    expect(notice).to_contain_text("The filter blocked this message as sexual")
    expect(notice).to_contain_text("Decided automatically, by the filter’s own thresholds.")
    expect(page.get_by_role("button", name="Ask for an answer")).to_have_count(0)
    look_at(page, "filter-blocked", keep_screenshot, at=".notice.verdict")
    page.get_by_role("link", name="Edit this message").click()
    page.locator("#thread textarea").fill("Something kind")
    page.keyboard.press("Control+Enter")
    expect(notice).to_have_count(0)
    page.get_by_role("button", name="Ask for an answer").click()
    again = wait_for_run(purpose="chat")
    assert again.messages[-1]["content"] == "Something kind"
    stream_words(again, index=0, text="It began well")
    finish_stream(again)
    record_completions(screened_result(again, ("It began well", "block")))
    expect(notice).to_contain_text("The filter blocked this answer as sexual. What came after is withheld.")
    expect(page.locator("#thread article").last).to_contain_text("It began well")
    assert WITHHELD not in page.content()


def test_a_board_folds_what_was_warned_of(
    open_page: OpenPage, project: Project, alice: User, keep_screenshot: Keep
) -> None:
    comparison = waiting_comparison(project, round=project.current_round, rankings_wanted=1)
    run = sent_run(project, purpose="comparison", comparison=comparison, num_completions=4)
    texts = (("One, plainly.", "pass"), ("Two", "block"), ("Three, at night.", "warn"), ("Four.", "not judged"))
    record_completions(screened_result(run, *texts))
    assert Comparison.objects.get().state == Comparison.State.OPEN
    held = claim(project, by=alice)
    assert isinstance(held, Lease)
    page = open_page(f"/p/sky/rank/{held.pk}/", user=alice)
    expect(page.locator(".completion")).to_have_count(3)
    expect(page.locator(".completion .prose", has_text="Three, at night.")).to_be_hidden()
    card = page.locator(".completion", has=page.locator(".verdict.folds"))
    letter = card.get_attribute("data-letter")
    look_at(page, "filter-board", keep_screenshot, at=".verdict.folds")
    card.locator("summary").first.click()
    expect(page.locator(".completion .prose", has_text="Three, at night.")).to_be_visible()
    card.focus()
    page.keyboard.press("1")
    expect(page.locator(f".shelf[data-shelf='1'] .completion[data-letter='{letter}']")).to_have_count(1)
    expect(page.locator(".completion .prose", has_text="Three, at night.")).to_be_visible()


def test_an_admin_tightens_a_rule_on_a_phone(
    open_page: OpenPage, project: Project, adam: User, keep_screenshot: Keep
) -> None:
    page = open_page("/p/sky/rules/", user=adam, viewport={"width": 360, "height": 740})
    look_at(page, "filter-rules", keep_screenshot)
    page.get_by_label("Mode: hate, said").select_option("on")
    page.get_by_label("Blocks at: hate, said").fill("0.9")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("nobody has shown that at least 0.8")
    page.get_by_label("Blocks at: hate, said").fill("")
    page.get_by_label("Why").fill("Too many of them")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".messages")).to_contain_text("Version 1 is in force.")
    expect(page.get_by_role("region", name="Versions")).to_contain_text(
        "hate, said: the filter’s own threshold → warns at"
    )
    assert FilterRules.objects.get().rules[0]["category"] == "H"


def test_what_was_screened_is_found_and_shown_on_demand(
    open_page: OpenPage, project: Project, alice: User, adam: User, keep_screenshot: Keep
) -> None:
    run = sent_run(project, purpose="comparison", comparison=waiting_comparison(project), num_completions=3)
    record_completions(screened_result(run, ("One.", "pass"), ("It began", "block"), ("Three, at night.", "warn")))
    page = open_page("/p/sky/screenings/", user=adam)
    look_at(page, "filter-screenings", keep_screenshot)
    page.get_by_label("Verdict").select_option("block")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name="Open").click()
    expect(page.get_by_text("It began")).to_have_count(0)
    page.keyboard.press("t")
    expect(page.get_by_text("It began")).to_be_visible()
    look_at(page, "filter-screening", keep_screenshot)
    assert WITHHELD not in page.content()
    Filter.objects.create(name="next", thresholds={"S": {"warn_at": 0.5, "block_at": None}}, store_path="filters/next")
    page.goto(f"{page.evaluate('location.origin')}/filters/")
    look_at(page, "filter-filters", keep_screenshot)
    page.get_by_role("link", name="next").click()
    page.get_by_role("button", name="Put it in shadow").click()
    expect(page.get_by_text("In shadow", exact=True)).to_be_visible()
    bundled: Any = Screening.objects.first()
    page.goto(f"{page.evaluate('location.origin')}/filters/{bundled.filter_id}/")
    look_at(page, "filter-filter", keep_screenshot)
