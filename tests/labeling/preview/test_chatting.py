"""A visitor's chat, and two models side by side: what is said, streamed to whom, chosen, and kept out of the work."""

import uuid
from contextlib import nullcontext
from typing import Any

import pytest
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import reverse

from labeling.models import Comparison, Dialogue, Preview, Ranking, SamplingRun, User
from labeling.preview import chatting, lookup
from labeling.sampling.comparisons import eligible_messages
from records.names import PRIORITY_OVERNIGHT, PRIORITY_VISITORS, PRIORITY_WAITING
from tests.labeling.factories import make_chat, make_run, make_user
from tests.labeling.preview.material import answer, answer_all, chat, choice, make_pair, make_preview, make_visitor
from tests.labeling.signed_in import as_user, htmx_get, htmx_post

pytestmark = pytest.mark.django_db


@pytest.fixture
def preview() -> Preview:
    return make_pair()


@pytest.fixture
def vera(preview: Preview) -> User:
    return make_visitor(preview)


@pytest.fixture
def browser(vera: User) -> Client:
    return as_user(vera)


def address(name: str, preview: Preview, *arguments: Any) -> str:
    return reverse(name, args=(preview.slug, *arguments))


def thread(browser: Client, preview: Preview, dialogue: Dialogue) -> str:
    return str(htmx_get(browser, address("visit_dialogue", preview, dialogue.pk)).content.decode())


def test_the_first_message_begins_a_chat_and_the_policy_answers(browser: Client, preview: Preview, vera: User) -> None:
    begun = browser.post(address("visit", preview), {"content": "Why is the sky blue?"})
    dialogue = Dialogue.objects.get()
    assert begun["Location"] == address("visit_dialogue", preview, dialogue.pk)
    assert (dialogue.kind, dialogue.author, dialogue.state) == ("visitor", vera, "draft")
    run = SamplingRun.objects.get()
    assert (run.policy, run.streams, run.is_visitors) == (preview.project.policy, True, True)
    assert "waiting for its turn" in thread(browser, preview, dialogue)
    answer(run, "It scatters.")
    assert "It scatters." in thread(browser, preview, dialogue)
    said = htmx_post(browser, address("visit_say", preview, dialogue.pk), {"content": "And red?"})
    assert said.headers["HX-Trigger"] == '{"parley:said": {}}'
    assert [one.role for one in dialogue.messages.order_by("position")] == ["user", "assistant", "user"]


def test_every_page_of_a_visitor_is_found_without_scripts(browser: Client, preview: Preview, vera: User) -> None:
    dialogue = chat(preview, vera, "Why?")
    pages = [address(name, preview) for name in ("preview_page", "preview_terms", "visit", "mine", "delete_mine")]
    for page in [*pages, address("visit_dialogue", preview, dialogue.pk)]:
        shown = browser.get(page)
        assert (shown.status_code, shown.headers["X-Robots-Tag"]) == (200, "noindex, nofollow")
        assert "Sign out" in shown.content.decode()


@pytest.mark.parametrize(("is_listed", "is_open", "header"), [(True, True, None), (True, False, "noindex, nofollow")])
def test_only_the_open_first_page_may_be_listed(is_listed: bool, is_open: bool, header: str | None) -> None:
    preview = make_preview(is_listed=is_listed, is_open=is_open)
    assert Client().get(address("preview_page", preview)).headers.get("X-Robots-Tag") == header
    assert Client().get(address("preview_sign_up", preview)).headers["X-Robots-Tag"] == "noindex, nofollow"


@pytest.mark.parametrize("text", ["", "   ", "x" * 4001])
def test_what_is_too_long_or_nothing_is_refused_and_leaves_no_chat(
    browser: Client, preview: Preview, text: str
) -> None:
    refused = browser.post(address("visit", preview), {"content": text})
    assert refused.status_code == 422
    assert not Dialogue.objects.exists()


def test_an_answer_that_failed_can_be_asked_for_again(browser: Client, preview: Preview, vera: User) -> None:
    dialogue = chatting.begin(preview, content="Why?", with_two=False, by=vera)
    answer(dialogue.sampling_runs.get(), completions=(), error="/srv/models: no such file")
    shown = thread(browser, preview, dialogue)
    assert "No answer came" in shown
    assert "/srv/models" not in shown  # no business of the public
    htmx_post(browser, address("visit_again", preview, dialogue.pk))
    answer_all(dialogue)
    assert "Answer 0 to Why?" in thread(browser, preview, dialogue)


def test_two_answers_have_no_names_until_one_is_chosen(browser: Client, preview: Preview, vera: User) -> None:
    dialogue = chatting.begin(preview, content="Which?", with_two=True, by=vera)
    names = [preview.project.policy.name, preview.second_policy.name]
    runs = list(dialogue.sampling_runs.order_by("created_at"))
    assert [run.policy.name for run in runs] == names
    waiting = thread(browser, preview, dialogue)
    answer(runs[0], "One.")
    assert "is better" not in thread(browser, preview, dialogue)
    answer(runs[1], "Two.")
    ready = thread(browser, preview, dialogue)
    assert [name for name in names if name in waiting + ready] == []
    assert dialogue.messages.count() == 1
    completion = runs[1].completions.get()
    htmx_post(browser, address("visit_choose", preview, dialogue.pk, completion.pk))
    after = thread(browser, preview, dialogue)
    assert ("Two." in after, "One." in after, names[1] in after) == (True, False, True)


def test_a_choice_is_a_ranking_by_the_order_that_was_shown(preview: Preview, vera: User) -> None:
    orders = set()
    for _ in range(8):
        dialogue = choice(preview, vera).dialogue
        ranking = Ranking.objects.get(comparison__dialogue=dialogue)
        comparison = ranking.comparison
        first, second = comparison.completions.order_by("run__created_at")
        assert ranking.tiers == [[str(first.pk)], [str(second.pk)]]
        assert (ranking.is_choice, ranking.trainer, comparison.use, comparison.source) == (
            True,
            vera,
            "preview",
            "preview",
        )
        chatting.choose(dialogue, first, by=vera)
        orders.add(ranking.shown_order[0] == str(first.pk))
        shown = chatting.two_runs(dialogue, list(dialogue.messages.order_by("position")[:1]))
        assert [str(run.completions.get().pk) for run in shown] == ranking.shown_order
    assert Ranking.objects.count() == 8
    assert orders == {True, False}  # in one of 128 runs all eight draws agree: the ids of a run are random


def test_the_same_answer_twice_is_gone_on_with_and_ranks_nothing(preview: Preview, vera: User) -> None:
    dialogue = chatting.begin(preview, content="Which?", with_two=True, by=vera)
    for run in dialogue.sampling_runs.all():
        answer(run, "The same.")
    assert dialogue.comparisons.get().state == "open"
    chatting.choose(dialogue, dialogue.sampling_runs.first().completions.get(), by=vera)
    assert (dialogue.messages.count(), Ranking.objects.count()) == (2, 0)


def test_visitors_work_stands_in_no_queue_and_no_comparison_of_trainers(preview: Preview, vera: User) -> None:
    alice = make_user(username="alice", projects=[preview.project])
    choice(preview, vera)
    chat(preview, vera, "Why?")
    chatting.begin(preview, content="Which?", with_two=True, by=vera)
    assert not Comparison.objects.rankable_by(alice).exists()
    assert not eligible_messages(preview.project).exists()
    make_chat(project=preview.project, author=alice)
    assert eligible_messages(preview.project).count() == 1


def test_visitors_wait_behind_trainers_and_before_the_night(preview: Preview, vera: User) -> None:
    from labeling.jobs import dispatch

    alice = make_user(username="alice", projects=[preview.project])
    found = [
        dispatch._priority_of(make_run(project=preview.project, requested_by=by, purpose=purpose))
        for by, purpose in ((alice, "chat"), (vera, "chat"), (alice, "comparison"))
    ]
    assert found == [PRIORITY_WAITING, PRIORITY_VISITORS, PRIORITY_OVERNIGHT]
    assert found == sorted(found)
    run = make_run(project=preview.project, requested_by=vera, purpose="chat", attempt=1)
    assert dispatch.request_of(run).is_visitors is True


def test_one_visitor_finds_nothing_of_another(preview: Preview, vera: User) -> None:
    dialogue = chat(preview, vera, "A secret?")
    waiting = chatting.begin(preview, content="Which?", with_two=True, by=vera)
    run = waiting.sampling_runs.first()
    walter = make_visitor(preview, email="walter@example.org")
    other = as_user(walter)
    completion = dialogue.sampling_runs.get().completions.get()
    assert other.get(address("visit_dialogue", preview, dialogue.pk)).status_code == 404
    request = RequestFactory().get("/")
    for user, is_found in ((vera, True), (walter, False)):
        request.user = user
        with nullcontext() if is_found else pytest.raises(Http404):
            assert lookup.own_visits_run(request, run.pk, slug=preview.slug) == run
    for name, *arguments in (
        ("visit_say", dialogue.pk),
        ("visit_again", dialogue.pk),
        ("visit_stop", waiting.pk),
        ("visit_choose", dialogue.pk, completion.pk),
        ("delete_visit", dialogue.pk),
    ):
        assert other.post(address(name, preview, *arguments), {"content": "x"}).status_code == 404
    assert b"A secret?" not in other.get(address("download_mine", preview)).content
    assert Dialogue.objects.count() == 2
    run.refresh_from_db()
    assert run.state == "waiting"


def test_a_visitor_of_one_preview_is_a_stranger_in_another(vera: User) -> None:
    other = make_preview()
    for name in ("visit", "mine", "download_mine"):
        assert as_user(vera).get(address(name, other)).status_code == 404
    assert as_user(vera).get(address("visit_dialogue", other, uuid.uuid4())).status_code == 404
