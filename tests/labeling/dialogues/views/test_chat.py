"""The pages of chatting: what is said, answers that are asked for, stopped and chosen, with and without scripts."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.dialogues.answers import record_completions
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Message, Project, Ranking, SamplingRun, User
from records import Completion as CompletionRecord
from records import SampleResult
from records.types import FinishReason
from tests.labeling.factories import make_chat, make_dialogue, make_user
from tests.labeling.signed_in import as_user, htmx_get, htmx_post

pytestmark = pytest.mark.django_db


@pytest.fixture
def chat(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=[], kind=Dialogue.Kind.CHAT)


def address(name: str, dialogue: Dialogue, *arguments: Any) -> str:
    return reverse(name, args=(dialogue.project.slug, dialogue.pk, *arguments))


def send(run: SamplingRun, *texts: str, finish_reason: FinishReason = "stop") -> list[Completion]:
    """The sampler's result, as it comes back."""
    SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.SENT, attempt=1)
    completions = tuple(
        CompletionRecord(id=str(index), content=text, policy=run.policy.name, finish_reason=finish_reason)
        for index, text in enumerate(texts)
    )
    assert record_completions(SampleResult(run_id=str(run.pk), attempt=1, completions=completions))
    return list(run.completions.order_by("index"))


def said(dialogue: Dialogue) -> list[tuple[str, str]]:
    return list(dialogue.messages.order_by("position").values_list("content", "authorship"))


def test_what_is_said_asks_for_an_answer_that_is_a_policys(client: Client, chat: Dialogue) -> None:
    answer = htmx_post(client, address("say", chat), {"content": "Why is the sky blue?", "num_drafts": "1"})
    assert "Waiting for" in answer.content.decode()
    run = SamplingRun.objects.get(dialogue=chat)
    assert (run.purpose, run.num_completions, run.streams) == ("chat", 1, True)
    send(run, "It scatters.")
    assert "It scatters." in htmx_get(client, address("chat_dialogue", chat)).content.decode()
    assert said(chat) == [("Why is the sky blue?", "typed"), ("It scatters.", "policy")]


@pytest.mark.parametrize(("finish_reason", "num_marks"), [("stop", 0), ("length", 1)])
def test_an_answer_that_was_cut_is_marked_until_it_is_edited(
    client: Client, chat: Dialogue, finish_reason: FinishReason, num_marks: int
) -> None:
    htmx_post(client, address("say", chat), {"content": "Why?", "num_drafts": "1"})
    send(SamplingRun.objects.get(), "Because of", finish_reason=finish_reason)
    assert htmx_get(client, address("chat_dialogue", chat)).content.decode().count("cut off") == num_marks
    chat.messages.filter(role="assistant").update(authorship="edited")
    assert "cut off" not in htmx_get(client, address("chat_dialogue", chat)).content.decode()


@pytest.mark.parametrize(("finish_reason", "num_marks"), [("stop", 0), ("length", 2)])
def test_answers_to_choose_from_are_marked_where_they_were_cut(
    client: Client, chat: Dialogue, finish_reason: FinishReason, num_marks: int
) -> None:
    htmx_post(client, address("say", chat), {"content": "Why?", "num_drafts": "2"})
    send(SamplingRun.objects.get(), "Because of", "It is since", finish_reason=finish_reason)
    assert htmx_get(client, address("chat_dialogue", chat)).content.decode().count("cut off") == num_marks


def test_saying_works_without_scripts(client: Client, chat: Dialogue) -> None:
    assert client.post(address("say", chat), {"content": "Hello?"})["Location"] == address("chat_dialogue", chat)
    assert "Look again" in client.get(address("chat_dialogue", chat)).content.decode()


def test_nothing_can_be_said_twice_in_a_row_and_the_text_is_kept(client: Client, chat: Dialogue) -> None:
    client.post(address("say", chat), {"content": "Hello?"})
    answer = client.post(address("say", chat), {"content": "Are you there?"})
    assert (answer.status_code, "Are you there?</textarea>" in answer.content.decode()) == (422, True)
    assert client.post(address("say", chat), {"content": "  "}).status_code == 422
    assert len(said(chat)) == 1


def test_the_choice_among_answers_is_kept_as_a_ranking_once(client: Client, chat: Dialogue, alice: User) -> None:
    htmx_post(client, address("say", chat), {"content": "Why?", "num_drafts": "3"})
    drafts = send(SamplingRun.objects.get(), "One.", "Two.", "One.")
    for _ in range(2):
        htmx_post(client, address("choose_answer", chat, drafts[0].pk))
    ranking = Ranking.objects.get()
    ids = [str(draft.pk) for draft in drafts]
    assert ranking.tiers == [[ids[0], ids[2]], [ids[1]]]  # the same text twice is the same answer
    assert (ranking.trainer, ranking.shown_order, ranking.layout) == (alice, ids, "chat")
    assert (ranking.is_choice, ranking.guideline_version) == (True, chat.project.guidelines)
    assert AuditEvent.objects.filter(verb="choose answer", by=alice, subject_id=str(ranking.id)).count() == 1
    comparison = Comparison.objects.get()
    assert (comparison.state, comparison.open_slots, comparison.num_rankings) == ("done", 0, 1)
    assert comparison.completions.count() == 3
    assert said(chat) == [("Why?", "typed"), ("One.", "policy")]


def test_how_many_answers_one_likes_is_remembered(client: Client, chat: Dialogue, alice: User) -> None:
    htmx_post(client, address("say", chat), {"content": "Why?", "num_drafts": "3"})
    alice.refresh_from_db()
    assert alice.preferences["num_drafts"] == 3
    assert "<option selected>3</option>" in client.get(address("chat_dialogue", chat)).content.decode()
    assert htmx_post(client, address("say", chat), {"content": "Why?", "num_drafts": "9"}).status_code == 422


def test_another_answer_replaces_the_last_and_keeps_its_completion(
    client: Client, project: Project, alice: User
) -> None:
    chat = make_chat(project=project, author=alice)
    htmx_post(client, address("regenerate", chat))
    assert said(chat) == [("Question 0?", "typed")]
    send(SamplingRun.objects.get(), "A better one.")
    assert said(chat)[1] == ("A better one.", "policy")


def test_of_several_drafts_none_is_placed_and_asking_again_stops_them(client: Client, chat: Dialogue) -> None:
    htmx_post(client, address("say", chat), {"content": "Why?", "num_drafts": "2"})
    stopped = SamplingRun.objects.get()
    htmx_post(client, address("regenerate", chat), {"num_drafts": "2"})
    stopped.refresh_from_db()
    assert stopped.state == "cancelled"
    send(SamplingRun.objects.exclude(id=stopped.id).get(), "One.", "Two.")
    assert said(chat) == [("Why?", "typed")]


def test_there_is_nothing_to_regenerate_before_something_is_said(client: Client, chat: Dialogue) -> None:
    answer = htmx_post(client, address("regenerate", chat))
    assert answer.status_code == 422
    assert "Say something first" in answer["HX-Trigger"]


def test_an_answer_can_be_stopped(client: Client, chat: Dialogue) -> None:
    htmx_post(client, address("say", chat), {"content": "Why?"})
    run = SamplingRun.objects.get()
    assert htmx_post(client, address("stop_answer", chat, run.pk)).status_code == 204
    run.refresh_from_db()
    assert run.state == "cancelled"


def test_a_project_without_a_policy_says_so(client: Client, project: Project, chat: Dialogue) -> None:
    Project.objects.filter(pk=project.pk).update(policy=None)
    assert "Nobody answers yet" in client.get(reverse("chat", args=("sky",))).content.decode()
    answer = htmx_post(client, address("say", chat), {"content": "Why?"})
    assert (answer.status_code, "no policy yet" in answer["HX-Trigger"]) == (422, True)
    assert not Message.objects.filter(dialogue=chat).exists()


def test_a_corrected_answer_is_no_longer_a_policys(client: Client, project: Project, alice: User) -> None:
    chat = make_chat(project=project, author=alice)
    message = chat.messages.get(position=1)
    htmx_post(client, address("edit_message", chat, message.pk), {"content": "Better.", "later": "keep"})
    message.refresh_from_db()
    assert message.authorship == "edited"


def test_chats_of_others_are_not_found(project: Project, chat: Dialogue) -> None:
    bob = as_user(make_user(username="bob", projects=[project]))
    assert bob.get(address("chat_dialogue", chat)).status_code == 404
    for name in ("say", "regenerate"):
        assert bob.post(address(name, chat), {"content": "Hi"}).status_code == 404
    assert "Nothing said yet" not in bob.get(reverse("chat", args=("sky",))).content.decode()


def test_longer_chats_and_lists_cost_no_more_queries(
    client: Client, project: Project, alice: User, django_assert_num_queries: Any
) -> None:
    for num_turns in (1, 12):
        chat = make_chat(project=project, author=alice, num_turns=num_turns)
        with django_assert_num_queries(9):  # three for what was said of the answers, one for what the filter did
            client.get(address("chat_dialogue", chat))
    for _ in range(2):
        with django_assert_num_queries(5):
            client.get(reverse("chat", args=("sky",)))
        make_chat(project=project, author=alice)
