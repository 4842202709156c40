"""Chatting as trainers do: an answer that comes word by word, is stopped, asked for again, or chosen from several."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from labeling.models import Completion, Dialogue, Message, Project, Ranking, SamplingRun, User
from tests.answering import answer, finish_stream, send_result, stream_words, wait_for_run
from tests.browser.conftest import NARROW
from tests.labeling.factories import make_dialogue, make_project

OpenPage = Callable[..., Page]

QUESTION = "Explain to a child why the sky is blue."
ANSWERS = (
    "Sunlight has all colours in it. The air bounces the blue around the most, so blue reaches you from everywhere.",
    "Because of Rayleigh scattering.",
)


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


def ask(page: Page, *, drafts: str = "1") -> SamplingRun:
    page.get_by_label("Answers to choose from").select_option(drafts)
    page.locator("#composer-text").fill(QUESTION)
    page.keyboard.press("Control+Enter")
    return wait_for_run(purpose="chat")


def begin(open_page: OpenPage, alice: User, **options: object) -> Page:
    page = open_page("/p/sky/chat/", user=alice, **options)
    page.get_by_role("button", name="Start a chat").click()
    expect(page.locator("#composer-text")).to_be_focused()
    return page


@pytest.mark.in_both_browsers
def test_an_answer_comes_word_by_word_and_is_a_policy_message(
    open_page: OpenPage, alice: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = begin(open_page, alice)
    run = ask(page)
    stream_words(run, index=0, text="Sunlight has all colours in it.")
    expect(page.locator(".candidate .prose")).to_contain_text("Sunlight has all colours in it.")
    keep_screenshot(page, "chatting-streaming")
    assert not Message.objects.filter(role="assistant").exists()
    finish_stream(run)
    send_result(run, ANSWERS[0])
    expect(page.locator("#thread article")).to_have_count(2)
    message = Message.objects.get(role="assistant")
    assert (message.content, message.authorship, message.policy) == (ANSWERS[0], "policy", run.policy)
    page.locator("#composer-text").fill("And at sunset?")
    page.keyboard.press("Control+Enter")
    assert len(wait_for_run(purpose="chat").messages) == 3


@pytest.mark.in_both_browsers
def test_of_several_answers_one_is_chosen_and_the_choice_is_a_ranking(
    open_page: OpenPage, alice: User, keep_screenshot: Callable[[Page, str], Path]
) -> None:
    page = begin(open_page, alice)
    answer(ask(page, drafts="2"), *ANSWERS)
    expect(page.get_by_role("button", name="Choose")).to_have_count(2)
    expect(page.get_by_role("button", name="Say it")).to_be_disabled()
    keep_screenshot(page, "chatting-choice")
    page.locator("#composer-text").press("Escape")
    page.keyboard.press("2")
    expect(page.locator("#thread article")).to_have_count(2)
    ranking = Ranking.objects.get(trainer=alice)
    best, others = ([Completion.objects.get(pk=pk).content for pk in tier] for tier in ranking.tiers)
    assert (best, others) == ([ANSWERS[1]], [ANSWERS[0]])


@pytest.mark.in_both_browsers
def test_a_stopped_answer_keeps_what_was_written(open_page: OpenPage, alice: User) -> None:
    page = begin(open_page, alice)
    run = ask(page)
    stream_words(run, index=0, text="Sunlight has all")
    expect(page.locator(".candidate .prose")).to_contain_text("Sunlight has all")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_timeout(300)
    assert SamplingRun.objects.get(pk=run.pk).state == SamplingRun.State.CANCELLED
    finish_stream(run)
    send_result(run, "Sunlight has all", finish_reason="cancelled")
    expect(page.locator("#thread article")).to_have_count(2)
    assert Message.objects.get(role="assistant").content == "Sunlight has all"


def test_another_answer_takes_the_place_of_the_last(open_page: OpenPage, alice: User, project: Project) -> None:
    turns = [("user", QUESTION, "typed"), ("assistant", "Dunno.", "policy")]
    dialogue = make_dialogue(project=project, author=alice, turns=turns, kind=Dialogue.Kind.CHAT)
    page = open_page(f"/p/sky/chat/{dialogue.pk}/", user=alice)
    page.locator("#composer-text").press("Escape")
    page.keyboard.press("r")
    answer(wait_for_run(purpose="chat"), ANSWERS[0])
    expect(page.locator("#thread article").nth(1)).to_contain_text("Sunlight has all colours")
    assert list(dialogue.messages.values_list("content", flat=True)) == [QUESTION, ANSWERS[0]]


@pytest.mark.in_both_browsers
def test_where_no_event_stream_gets_through_the_page_asks_again(open_page: OpenPage, alice: User) -> None:
    page = begin(open_page, alice)
    page.route("**/stream/**", lambda route: route.abort())
    run = ask(page)
    expect(page.locator("#thread [data-run]")).to_be_visible()
    send_result(run, ANSWERS[0])
    expect(page.locator("#thread article")).to_have_count(2)


def test_where_a_stream_is_held_back_or_an_answer_lost_the_page_asks_again(open_page: OpenPage, alice: User) -> None:
    """As behind a proxy that keeps a stream to itself, which the browser takes for one that has nothing to say."""
    page = begin(open_page, alice)
    page.clock.install()
    page.route("**/stream/**", lambda route: None)
    run = ask(page)
    expect(page.locator("#thread [data-run]")).to_be_visible()
    send_result(run, ANSWERS[0])
    lost = list[str]()
    page.route(re.compile(r"/chat/[^/]+/$"), lambda route: (lost.append(route.request.url), route.abort())[1], times=1)
    page.clock.fast_forward(11_000)
    page.wait_for_timeout(300)
    expect(page.locator("#thread article")).to_have_count(1)
    page.clock.fast_forward(2_500)
    expect(page.locator("#thread article")).to_have_count(2)
    assert lost


def test_a_failed_answer_says_so_and_can_be_asked_for_again(open_page: OpenPage, alice: User) -> None:
    from labeling.sampling.runs import record_failure

    page = begin(open_page, alice)
    run = ask(page)
    for attempt in (1, 2, 3):
        record_failure(run.id, attempt, "The model file is damaged.")
    expect(page.get_by_text("The model file is damaged.")).to_be_visible()
    page.get_by_role("button", name="Ask for an answer").click()
    answer(wait_for_run(purpose="chat"), ANSWERS[0])
    expect(page.locator("#thread article")).to_have_count(2)


def test_a_chat_fits_a_narrow_phone(open_page: OpenPage, alice: User) -> None:
    page = begin(open_page, alice, viewport=NARROW)
    answer(ask(page, drafts="3"), *ANSWERS, "y" * 2000)
    expect(page.get_by_role("button", name="Choose")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
