"""Handing in a text from the ranking screen, as its script and as a browser without scripts do it."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Comparison, Completion, Dialogue, Lease, Project, User
from tests.labeling.factories import make_comparison, make_project, make_user
from tests.labeling.signed_in import as_user, post_json

pytestmark = pytest.mark.django_db(transaction=True)

BETTER = "Paris, on the Seine."


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread")


def send(client: Client, held: Lease, **values: Any) -> Any:
    sent = {"content": BETTER, "completion": "", "key": str(uuid.uuid4()), "seconds": 3, **values}
    return post_json(client, reverse("write_better", args=("bread", held.id)), sent)


def test_a_text_is_handed_in_and_can_be_looked_at(held: Lease, alice: User) -> None:
    client = as_user(alice)
    answer = send(client, held)
    assert answer.status_code == 200
    page = client.get(answer.json()["url"]).content.decode()
    assert "Take it back" in page
    assert BETTER in page
    assert Dialogue.objects.get().messages.get(role="assistant").seconds == 3


def test_a_corrected_completion_names_what_it_came_from(held: Lease, alice: User) -> None:
    origin = held.shown_order[2]
    content = f"{Completion.objects.get(id=origin).content} Really."
    assert send(as_user(alice), held, completion=origin, content=content).status_code == 200
    answer = Dialogue.objects.get().messages.get(role="assistant")
    assert (str(answer.completion_id), answer.authorship) == (origin, "edited")


def test_sent_twice_it_is_one(held: Lease, alice: User) -> None:
    client, key = as_user(alice), str(uuid.uuid4())
    first, second = send(client, held, key=key), send(client, held, key=key)
    assert first.json() == second.json()
    assert Dialogue.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"content": " "}, "required"), ({"content": "Answer 1."}, "word for word"), ({"key": "none"}, "UUID")],
)
def test_nonsense_is_refused_in_words(held: Lease, alice: User, values: dict[str, str], sentence: str) -> None:
    answer = send(as_user(alice), held, **values)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]
    assert not Dialogue.objects.exists()


def test_the_completion_of_another_comparison_is_not_found(held: Lease, alice: User, project: Project) -> None:
    other = make_comparison(project=project).completions.first()
    assert other is not None
    assert send(as_user(alice), held, completion=str(other.id)).status_code == 404


def test_only_the_holder_of_the_place_writes_from_it(held: Lease, project: Project) -> None:
    assert send(as_user(make_user(username="bob", projects=[project])), held).status_code == 404


def test_without_scripts_the_button_says_which_text_is_meant(held: Lease, alice: User) -> None:
    client, origin = as_user(alice), held.shown_order[0]
    address = reverse("write_better", args=("bread", held.id))
    texts = {f"content:{origin}": "Two\r\nlines.", "content:": "", "completion": origin}
    answer = client.post(address, texts)
    assert answer["Location"] == reverse("dialogue", args=("bread", Dialogue.objects.get().pk))
    assert Dialogue.objects.get().messages.get(role="assistant").content == "Two\nlines."
    assert "This field is required." in client.post(address, {"completion": ""}, follow=True).content.decode()


def test_practice_offers_no_editor(held: Lease, alice: User) -> None:
    client, address = as_user(alice), reverse("lease", args=("bread", held.id))
    assert "Write a better one" in client.get(address).content.decode()
    Comparison.objects.update(use="practice")
    assert "Write a better one" not in client.get(address).content.decode()
