"""The page on which an acceptance is undone: what it touches, and who may."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.dialogues import review
from labeling.exports import build, request_export
from labeling.models import Dialogue, Project, User
from tests.labeling.factories import make_dialogue, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db

UNDO = "Undo the acceptance"


@pytest.fixture
def client(rita: User) -> Client:
    return as_user(rita)


@pytest.fixture
def dialogue(project: Project, alice: User, rita: User) -> Dialogue:
    made = make_dialogue(project=project, author=alice, state=Dialogue.State.SUBMITTED, submitted_at=timezone.now())
    review.accept(made, by=rita)
    return made


def address(name: str, dialogue: Dialogue) -> str:
    return reverse(name, args=(dialogue.project.slug, dialogue.pk))


def test_the_page_says_what_it_touches_and_undoes_it(client: Client, project: Project, dialogue: Dialogue) -> None:
    url = address("undo_acceptance", dialogue)
    assert url in client.get(address("review_dialogue", dialogue)).content.decode()
    assert "No export holds it." in client.get(url).content.decode()
    build(request_export(project, kind="demonstrations", by=None, notify_worker=False).id)
    assert "1 export holds it" in client.get(url).content.decode()
    assert client.post(url)["Location"] == address("review_dialogue", dialogue)
    dialogue.refresh_from_db()
    assert dialogue.state == "submitted"
    again = client.post(url)
    assert (again.status_code, "somebody was faster" in again.content.decode()) == (422, True)
    assert "nothing to undo" in client.get(url).content.decode()


def test_a_decision_names_the_way_back(client: Client, project: Project, alice: User) -> None:
    waiting = make_dialogue(project=project, author=alice, state=Dialogue.State.SUBMITTED, submitted_at=timezone.now())
    page = client.post(address("accept_dialogue", waiting), follow=True).content.decode()
    assert f'<a href="{address("review_dialogue", waiting)}">Look at it again, or undo</a>' in page


def test_who_did_not_accept_it_is_not_offered_it(project: Project, dialogue: Dialogue, alice: User) -> None:
    robin = as_user(make_user(username="robin", role=User.Role.REVIEWER, projects=[project]))
    assert UNDO not in robin.get(address("review_dialogue", dialogue)).content.decode()
    assert "Somebody else accepted" in robin.get(address("undo_acceptance", dialogue)).content.decode()
    assert robin.post(address("undo_acceptance", dialogue)).status_code == 422
    assert as_user(alice).post(address("undo_acceptance", dialogue)).status_code == 403
    dialogue.refresh_from_db()
    assert dialogue.state == "accepted"
