"""Review: the queue, one dialogue whole, accepted or returned, and whose business it is."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import Dialogue, Project, User
from tests.labeling.factories import make_dialogue, make_project
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(rita: User) -> Client:
    return as_user(rita)


def submitted(project: Project, author: User, *, minutes_ago: int = 1, question: str = "Why?") -> Dialogue:
    return make_dialogue(
        project=project,
        author=author,
        turns=[("user", question, "typed"), ("assistant", "Because.", "taken")],
        state=Dialogue.State.SUBMITTED,
        submitted_at=timezone.now() - timedelta(minutes=minutes_ago),
    )


def address(name: str, dialogue: Dialogue) -> str:
    return reverse(name, args=(dialogue.project.slug, dialogue.pk))


def test_the_queue_is_read_oldest_first(client: Client, project: Project, alice: User) -> None:
    newer = submitted(project, alice, minutes_ago=1, question="Newer?")
    older = submitted(project, alice, minutes_ago=9, question="Older?")
    page = client.get(reverse("review", args=("sky",))).content.decode()
    assert page.index("Older?") < page.index("Newer?")
    answer = client.post(address("accept_dialogue", older))
    assert answer["Location"] == address("review_dialogue", newer)
    assert client.post(address("accept_dialogue", newer))["Location"] == "/p/sky/review/"
    assert set(Dialogue.objects.values_list("state", flat=True)) == {"accepted"}


def test_a_dialogue_is_returned_with_a_comment_that_its_author_reads(
    client: Client, project: Project, alice: User
) -> None:
    dialogue = submitted(project, alice)
    assert client.post(address("return_dialogue", dialogue), {"comment": "  "}).status_code == 422
    client.post(address("return_dialogue", dialogue), {"comment": "Say why it is so."})
    dialogue.refresh_from_db()
    assert dialogue.state == "returned"
    hers = as_user(alice)
    assert "Say why it is so." in hers.get(reverse("dialogue", args=("sky", dialogue.pk))).content.decode()
    assert "Say why it is so." in hers.get(reverse("write", args=("sky",))).content.decode()


def test_passing_over_comes_round(client: Client, project: Project, alice: User) -> None:
    first, second = (submitted(project, alice, minutes_ago=minutes) for minutes in (9, 1))
    assert address("review_dialogue", second) in client.get(address("review_dialogue", first)).content.decode()
    assert address("review_dialogue", first) in client.get(address("review_dialogue", second)).content.decode()


def test_the_reviewer_sees_how_it_was_made(client: Client, project: Project, alice: User) -> None:
    page = client.get(address("review_dialogue", submitted(project, alice))).content.decode()
    assert "1 typed, 1 taken" in page


def test_nobody_reviews_their_own(client: Client, project: Project, rita: User) -> None:
    own = submitted(project, rita)
    assert "another reviewer reads those" in client.get(reverse("review", args=("sky",))).content.decode()
    assert "Your own dialogue is for another reviewer." in client.get(address("review_dialogue", own)).content.decode()
    assert client.post(address("accept_dialogue", own)).status_code == 422
    own.refresh_from_db()
    assert own.state == "submitted"


def test_what_was_decided_by_another_reviewer_is_said(client: Client, project: Project, alice: User) -> None:
    dialogue = submitted(project, alice)
    client.post(address("accept_dialogue", dialogue))
    answer = client.post(address("accept_dialogue", dialogue))
    assert (answer.status_code, "somebody was faster" in answer.content.decode()) == (422, True)


def test_drafts_and_other_peoples_projects_are_not_found(client: Client, project: Project, alice: User) -> None:
    draft = make_dialogue(project=project, author=alice)
    elsewhere = submitted(make_project(), alice)
    for dialogue in (draft, elsewhere):
        assert client.get(address("review_dialogue", dialogue)).status_code == 404
        assert client.post(address("accept_dialogue", dialogue)).status_code == 404


def test_trainers_do_not_review(project: Project, alice: User) -> None:
    assert as_user(alice).get(reverse("review", args=("sky",))).status_code == 403
    assert as_user(alice).post(address("accept_dialogue", submitted(project, alice))).status_code == 403


def test_a_longer_queue_costs_no_more_queries(
    client: Client, project: Project, alice: User, django_assert_num_queries: Any
) -> None:
    submitted(project, alice)
    with django_assert_num_queries(7):
        client.get(reverse("review", args=("sky",)))
    for _ in range(6):
        dialogue = submitted(project, alice)
    with django_assert_num_queries(7):
        client.get(reverse("review", args=("sky",)))
    with django_assert_num_queries(11):
        client.get(address("review_dialogue", dialogue))
