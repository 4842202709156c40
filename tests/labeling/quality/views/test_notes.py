"""Notes on rankings and comments on messages, in one place each: who may read which, narrowed and in pages."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import Comment, Comparison, Dialogue, Lease, Project, Ranking, Round, User
from labeling.web.listing import PAGE
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


@pytest.fixture
def client(rita: User) -> Client:
    return as_user(rita)


def read(client: Client, name: str, *more: Any, **query: str) -> str:
    answer = client.get(reverse(name, args=("sky", *more)), query)
    assert answer.status_code == 200
    return answer.content.decode()


def listed(shown: str) -> list[str]:
    return re.findall(r'<td dir="auto">(.*?)</td>', shown, re.DOTALL)


def noted(project: Project, note: str, **fields: Any) -> Ranking:
    return make_ranking(project=project, note=note, **fields)


def lease(comparison: Comparison, trainer: User, state: str) -> Lease:
    return Lease.objects.create(
        comparison=comparison, trainer=trainer, state=state, shown_order=[], expires_at=timezone.now()
    )


def test_notes_are_listed_newest_first_with_who_and_where(client: Client, project: Project, alice: User) -> None:
    noted(project, "A <b>is</b> wrong.", trainer=alice, ranked_at=timezone.now() - timedelta(days=9))
    newer = noted(project, "Too long.", outside_trainer="carol")
    noted(project, "")
    noted(make_project(), "Elsewhere.")
    shown = read(client, "notes")
    assert listed(shown) == ["Too long.", "A &lt;b&gt;is&lt;/b&gt; wrong."]
    assert "Alice" in shown
    assert "carol" in shown
    assert reverse("noted_ranking", args=("sky", newer.id)) in shown
    assert listed(read(client, "notes", days="7")) == ["Too long."]
    assert listed(read(client, "notes", q="TOO")) == ["Too long."]
    assert listed(read(client, "notes", order="oldest"))[0].startswith("A ")


def test_notes_are_narrowed_by_round(client: Client, project: Project) -> None:
    second = Round.objects.create(project=project, number=2, seed=1, closed_at=timezone.now() + timedelta(days=1))
    noted(project, "In two.", comparison=make_comparison(project=project, round=second, state="done", open_slots=0))
    noted(project, "In none.")
    assert listed(read(client, "notes", round="2")) == ["In two."]
    assert len(listed(read(client, "notes", round="7"))) == 2  # no such round


def test_pages_hold_every_note_once(client: Client, project: Project) -> None:
    for number in range(PAGE + 3):
        noted(project, f"Note {number}.")
    first = read(client, "notes")
    way_on = re.search(r'href="\?after=([^"&]*)', first)
    assert way_on is not None
    seen = listed(first) + listed(read(client, "notes", after=way_on[1]))
    assert (len(listed(first)), sorted(seen)) == (PAGE, sorted(f"Note {number}." for number in range(PAGE + 3)))


@pytest.mark.parametrize(
    ("state", "leases", "is_read"),
    [
        ("done", [], True),
        ("open", [], False),
        ("open", ["submitted"], True),
        ("open", ["skipped"], True),
        ("open", ["open"], False),
        ("done", ["expired"], False),
        ("withdrawn", [], False),
    ],
)
def test_nobody_reads_of_a_comparison_that_they_may_still_rank(
    client: Client, project: Project, rita: User, state: str, leases: list[str], is_read: bool
) -> None:
    comparison = make_comparison(project=project, state=state, rankings_wanted=3)
    for one in leases:
        lease(comparison, rita, one)
    lease(comparison, make_user(username="bob", projects=[project]), "submitted")
    ranking = noted(project, "B says what A says.", comparison=comparison)
    shown = read(client, "notes")
    assert listed(shown) == (["B says what A says."] if is_read else [])
    assert ("1 more is on a comparison" in shown) == (not is_read and state != "withdrawn")
    answer = client.get(reverse("noted_ranking", args=("sky", ranking.id)))
    assert answer.status_code == (200 if is_read else 404)


def test_the_ranking_of_a_note_is_read_whole(client: Client, project: Project, alice: User) -> None:
    ranking = noted(project, "B says what A says.", trainer=alice, unacceptable_from=2)
    shown = read(client, "noted_ranking", ranking.id)
    assert "B says what A says." in shown
    assert "Answer 3." in shown
    assert "unacceptable from here on" in shown
    assert "Alice" in shown
    assert "Change it" not in shown
    Ranking.objects.update(retracted_at=timezone.now())
    assert client.get(reverse("noted_ranking", args=("sky", ranking.id))).status_code == 404
    assert listed(read(client, "notes")) == []


def test_comments_are_listed_with_what_became_of_them(
    client: Client, project: Project, alice: User, rita: User
) -> None:
    now = timezone.now()
    states: list[tuple[str, dict[str, Any]]] = [
        ("Say why.", {"sent_at": now}),
        ("Shorter.", {"sent_at": now, "answered_at": now, "answer": Comment.Answer.CHANGED}),
        ("Hm.", {}),
    ]
    for number, (text, fields) in enumerate(states):
        dialogue = make_dialogue(project=project, author=alice, state=Dialogue.State.RETURNED)
        made = Comment.objects.create(
            project=project, dialogue=dialogue, message=dialogue.messages.last(), author=rita, text=text, **fields
        )
        Comment.objects.filter(id=made.id).update(created_at=now - timedelta(days=10 * number))
    assert listed(read(client, "comments")) == ["Say why.", "Shorter.", "Hm."]
    assert listed(read(client, "comments", state="open")) == ["Say why."]
    assert listed(read(client, "comments", state="answered")) == ["Shorter."]
    assert listed(read(client, "comments", state="unsent")) == ["Hm."]
    assert listed(read(client, "comments", days="1")) == ["Say why."]
    assert listed(read(client, "comments", q="short")) == ["Shorter."]
    Dialogue.objects.update(state=Dialogue.State.WITHDRAWN)
    assert listed(read(client, "comments")) == []


def test_a_comment_on_what_is_being_written_on_shows_nothing_of_it(
    client: Client, project: Project, alice: User, rita: User
) -> None:
    dialogue = make_dialogue(project=project, author=alice)
    message = dialogue.messages.get(position=1)
    Comment.objects.create(project=project, dialogue=dialogue, message=message, author=rita, text="Say why.")
    shown = read(client, "comments")
    assert "Paris." not in shown
    assert "its author writes on" in shown


@pytest.mark.parametrize("name", ["notes", "comments"])
def test_trainers_read_no_notes(project: Project, alice: User, name: str) -> None:
    assert as_user(alice).get(reverse(name, args=("sky",))).status_code == 403
    elsewhere = make_user(username="robin", role=User.Role.REVIEWER)
    assert as_user(elsewhere).get(reverse(name, args=("sky",))).status_code == 404


def test_more_notes_cost_no_more_queries(
    client: Client, project: Project, alice: User, rita: User, django_assert_num_queries: Any
) -> None:
    def add() -> None:
        noted(project, "Too long.", trainer=alice)
        dialogue = make_dialogue(project=project, author=alice, state=Dialogue.State.RETURNED)
        Comment.objects.create(
            project=project, dialogue=dialogue, message=dialogue.messages.last(), author=rita, text="Say why."
        )

    add()
    with django_assert_num_queries(13):
        for name in ("notes", "comments"):
            read(client, name)
    for _ in range(5):
        add()
    with django_assert_num_queries(13):
        for name in ("notes", "comments"):
            read(client, name)
