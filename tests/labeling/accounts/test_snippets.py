"""Snippets: one's own alone, at most so many, deleted and brought back."""

import pytest
from django.test import Client
from django.urls import reverse

from labeling.accounts import snippets
from labeling.accounts.snippets import SnippetError, add_snippet, delete_snippet, put_back_snippet
from labeling.models import AuditEvent, Snippet, User
from tests.labeling.factories import make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(alice: User) -> Client:
    return as_user(alice)


@pytest.fixture
def snippet(alice: User) -> Snippet:
    return add_snippet(name="Tutor", text="You are patient.", by=alice)


def test_a_snippet_is_made_and_changed(client: Client, alice: User) -> None:
    client.post(reverse("snippets"), {"name": "Tutor", "text": "You are\r\npatient.  "})
    snippet = Snippet.objects.get()
    assert (snippet.owner, snippet.name, snippet.text) == (alice, "Tutor", "You are\npatient.  ")
    fields = {f"s-{snippet.pk}-name": "Teacher", f"s-{snippet.pk}-text": "You are strict."}
    assert client.post(reverse("change_snippet", args=(snippet.pk,)), fields)["Location"] == reverse("snippets")
    snippet.refresh_from_db()
    assert (snippet.name, snippet.text) == ("Teacher", "You are strict.")
    assert list(AuditEvent.objects.order_by("id").values_list("verb", flat=True)) == ["make snippet", "change snippet"]


def test_an_empty_one_is_refused_and_its_words_are_shown_again(client: Client, snippet: Snippet) -> None:
    refused = client.post(reverse("snippets"), {"name": "A name that I chose", "text": " \n"})
    assert refused.status_code == 422
    assert "A name that I chose" in refused.content.decode()
    fields = {f"s-{snippet.pk}-name": "", f"s-{snippet.pk}-text": "Words that I wrote."}
    refused = client.post(reverse("change_snippet", args=(snippet.pk,)), fields)
    assert refused.status_code == 422
    assert "Words that I wrote." in refused.content.decode()
    assert Snippet.objects.get().name == "Tutor"


def test_a_deleted_one_can_be_brought_back(client: Client, snippet: Snippet, alice: User) -> None:
    after = client.post(reverse("delete_snippet", args=(snippet.pk,)), follow=True).content.decode()
    assert "“Tutor” is deleted." in after
    assert not Snippet.objects.kept_by(alice).exists()
    client.post(reverse("put_back_snippet", args=(snippet.pk,)))
    assert Snippet.objects.kept_by(alice).get() == snippet


def test_nobody_elses_snippet_can_be_changed_deleted_or_brought_back(snippet: Snippet, alice: User) -> None:
    bob = as_user(make_user(username="bob"))
    assert "Tutor" not in bob.get(reverse("snippets")).content.decode()
    for name in ("change_snippet", "delete_snippet", "put_back_snippet"):
        assert bob.post(reverse(name, args=(snippet.pk,))).status_code == 404
    delete_snippet(snippet, by=alice)
    assert bob.post(reverse("put_back_snippet", args=(snippet.pk,))).status_code == 404
    assert "Tutor" not in bob.get(reverse("snippets", query={"deleted": snippet.pk})).content.decode()


def test_there_are_at_most_so_many_and_a_deletion_makes_room(
    alice: User, snippet: Snippet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snippets, "MOST_SNIPPETS", 1)
    with pytest.raises(SnippetError, match="1 snippets already"):
        add_snippet(name="Another", text="x", by=alice)
    delete_snippet(snippet, by=alice)
    add_snippet(name="Another", text="x", by=alice)
    with pytest.raises(SnippetError, match="1 snippets already"):
        put_back_snippet(snippet, by=alice)
