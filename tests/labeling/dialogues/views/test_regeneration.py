"""Editing an earlier message as pages do it: answers written anew in their places, and two windows on one message."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.dialogues.rules import content_digest
from labeling.models import Dialogue, Message, Project, SamplingRun, User
from tests.answering import send_result
from tests.labeling.factories import make_dialogue, make_user
from tests.labeling.signed_in import as_user, htmx_get, htmx_post

pytestmark = pytest.mark.django_db

TURNS = [("user", "Why is the sky blue?", "typed"), ("assistant", "Because of light.", "typed")]


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=TURNS)


def address(name: str, message: Message) -> str:
    return reverse(name, args=("sky", message.dialogue_id, message.pk))


def at(dialogue: Dialogue, position: int) -> Message:
    return dialogue.messages.get(position=position)


def regenerate(client: Client, dialogue: Dialogue) -> Any:
    values = {"content": "Why is grass green?", "later": "regenerate", "seen": content_digest("Why is the sky blue?")}
    return htmx_post(client, address("edit_message", at(dialogue, 0)), values)


def run_of(dialogue: Dialogue) -> SamplingRun:
    run = SamplingRun.objects.get(dialogue=dialogue)
    SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.SENT, attempt=1)
    run.refresh_from_db()
    return run


def test_the_page_waits_for_the_new_answer_in_its_place(client: Client, draft: Dialogue) -> None:
    page = regenerate(client, draft).content.decode()
    assert "being written anew" in page
    assert "Because of light." in page
    waiting = htmx_get(client, address("message", at(draft, 1)))
    assert 'hx-trigger="every 2s"' in waiting.content.decode()
    assert "HX-Trigger" not in waiting
    send_result(run_of(draft), "Because of chlorophyll.")
    there = htmx_get(client, address("message", at(draft, 1)))
    assert "Because of chlorophyll." in there.content.decode()
    assert "every 2s" not in there.content.decode()
    assert "parley:dialogue-changed" in there["HX-Trigger"]
    assert client.get(address("message", at(draft, 1)))["Location"] == f"/p/sky/write/{draft.pk}/"


def test_it_fits_or_the_old_text_comes_back(client: Client, draft: Dialogue) -> None:
    regenerate(client, draft)
    send_result(run_of(draft), "Because of chlorophyll.")
    page = htmx_post(client, address("put_back_message", at(draft, 1))).content.decode()
    assert "It still fits" in page
    assert at(draft, 1).content == "Because of light."
    assert htmx_post(client, address("put_back_message", at(draft, 1))).status_code == 422
    htmx_post(client, address("still_fits", at(draft, 1)))
    assert not at(draft, 1).needs_second_look


def test_a_failure_is_said_where_it_happened_and_can_be_tried_again(client: Client, draft: Dialogue) -> None:
    regenerate(client, draft)
    SamplingRun.objects.update(state=SamplingRun.State.FAILED, error="out of memory")
    page = htmx_get(client, address("message", at(draft, 1))).content.decode()
    assert "could not answer anew, so the text that was here stays: out of memory" in page
    assert "being written anew" in htmx_post(client, address("regenerate_message", at(draft, 1))).content.decode()


def test_stopping_leaves_the_old_text(client: Client, draft: Dialogue) -> None:
    regenerate(client, draft)
    page = htmx_post(client, reverse("stop_regenerating", args=("sky", draft.pk))).content.decode()
    assert "being written anew" not in page
    assert SamplingRun.objects.get().state == SamplingRun.State.CANCELLED
    assert at(draft, 1).content == "Because of light."


def test_without_a_policy_nothing_is_offered_and_the_edit_is_kept(
    client: Client, draft: Dialogue, project: Project
) -> None:
    assert "answer anew" in htmx_get(client, address("edit_message", at(draft, 0))).content.decode()
    Project.objects.update(policy=None)
    assert "answer anew" not in htmx_get(client, address("edit_message", at(draft, 0))).content.decode()
    answer = regenerate(client, draft)
    assert "no policy yet" in answer["HX-Trigger"]
    assert at(draft, 0).content == "Why is grass green?"
    values = {"content": "Why is snow white?", "later": "regenerate"}
    page = client.post(address("edit_message", at(draft, 0)), values, follow=True).content.decode()
    assert "no policy yet" in page


def test_only_answers_are_written_anew(client: Client, draft: Dialogue) -> None:
    assert "answer anew" not in htmx_get(client, address("edit_message", at(draft, 1))).content.decode()


def test_two_windows_on_one_message_show_both_texts(client: Client, draft: Dialogue) -> None:
    one, seen = address("edit_message", at(draft, 1)), content_digest("Because of light.")
    assert f'value="{seen}"' in htmx_get(client, one).content.decode()
    htmx_post(client, one, {"content": "From there.", "later": "keep", "seen": seen})
    answer = htmx_post(client, one, {"content": "From here.", "later": "keep", "seen": seen})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "<pre>From there.</pre>" in page
    assert "From here.</textarea>" in page
    assert at(draft, 1).content == "From there."
    newer = content_digest("From there.")
    assert f'value="{newer}"' in page
    htmx_post(client, one, {"content": "From here.", "later": "keep", "seen": newer, "keep": "both"})
    assert at(draft, 1).content == "From there.\n\nFrom here."


def test_the_conflict_is_shown_without_scripts_too(client: Client, draft: Dialogue) -> None:
    one, seen = address("edit_message", at(draft, 1)), content_digest("Because of dust.")
    answer = client.post(one, {"content": "From here.", "later": "keep", "seen": seen})
    assert answer.status_code == 409
    assert "Both texts are here" in answer.content.decode()
    values = {"content": "From here.", "later": "keep", "seen": content_digest("Because of light."), "keep": "mine"}
    assert client.post(one, values).status_code == 302
    assert at(draft, 1).content == "From here."


@pytest.mark.parametrize("name", ["message", "regenerate_message", "put_back_message"])
def test_strangers_find_nothing(draft: Dialogue, project: Project, name: str) -> None:
    bob = as_user(make_user(username="bob", projects=[project]))
    ask = htmx_get if name == "message" else htmx_post
    assert ask(bob, address(name, at(draft, 1))).status_code == 404  # type: ignore[operator]
    assert htmx_post(bob, reverse("stop_regenerating", args=("sky", draft.pk))).status_code == 404
