"""The pages of appeals: who opens which, what they show, and what they must never show."""

from typing import Any

import pytest
from django.urls import reverse

from labeling.models import Appeal, AuditEvent, Project, Screening, User
from labeling.safety import appeals
from tests.labeling.factories import make_project, make_user
from tests.labeling.safety.material import make_screening
from tests.labeling.signed_in import as_user, htmx_post, page_of

pytestmark = pytest.mark.django_db
HIDDEN = " Then the fight began."


@pytest.fixture
def blocked(project: Project, alice: User) -> Screening:
    return make_screening(project=project, person=alice, withheld=HIDDEN, probabilities={"V": 0.8731})


def appeal_url(screening: Screening) -> str:
    return reverse("appeal", args=(screening.project.slug, screening.id))


def test_a_person_appeals_and_reads_the_reply(alice: User, rita: User, blocked: Screening) -> None:
    url, client = appeal_url(blocked), as_user(alice)
    shown = page_of(client, url)
    assert "It took it for: violence." in shown
    assert "decided automatically" in shown
    assert client.post(url, {"why": "It is a story."}).status_code == 302
    assert "A person who had no part in this decides" in page_of(client, url)
    appeals.decide(Appeal.objects.get(), by=rita, overturns=False, reply="It shows\na fight.")
    for page in (page_of(client, url), page_of(client, reverse("own_appeals"))):
        assert "It shows<br>a fight." in page
        assert "Rita" not in page
        assert HIDDEN not in page


def test_a_second_appeal_conflicts_with_the_first(alice: User, blocked: Screening) -> None:
    client = as_user(alice)
    assert client.post(appeal_url(blocked), {"why": ""}).status_code == 302
    answer = client.post(appeal_url(blocked), {"why": "Again."})
    assert answer.status_code == 409
    assert "appealed already" in answer.content.decode()
    assert Appeal.objects.count() == 1


def test_what_is_invalid_or_too_late_is_said(project: Project, alice: User, blocked: Screening) -> None:
    client = as_user(alice)
    assert client.post(appeal_url(blocked), {"why": "x" * 2001}).status_code == 422
    late = make_screening(project=project, person=alice, days_ago=200)
    assert "six months" in page_of(client, appeal_url(late))
    assert client.post(appeal_url(late), {"why": ""}).status_code == 422
    assert not Appeal.objects.exists()


def test_a_screening_of_anothers_text_is_nowhere(bob: User, rita: User, blocked: Screening) -> None:
    for person in (bob, rita, make_user(username="adam")):
        client = as_user(person)
        assert client.get(appeal_url(blocked)).status_code == 404
        assert client.post(appeal_url(blocked), {"why": ""}).status_code == 404
    assert not Appeal.objects.exists()


def test_who_decides_sees_neither_author_nor_probability_nor_verdict_nor_the_text_unasked(
    project: Project, alice: User, rita: User, blocked: Screening
) -> None:
    found = appeals.appeal(blocked, alice, "It is a story.")
    client, url = as_user(rita), reverse("decide_appeal", args=(project.slug, found.id))
    for page in (page_of(client, reverse("appeals", args=(project.slug,))), page_of(client, url)):
        for secret in ("Alice", "alice", alice.pseudonym, "0.87", "87 %", "lock", HIDDEN, blocked.completion.content):
            assert secret not in page.split("<main")[1].split("</main")[0], secret
    assert not AuditEvent.objects.filter(verb="read appealed text").exists()
    revealed = htmx_post(client, reverse("reveal_appeal", args=(project.slug, found.id)))
    assert "Then the fight began." in revealed.content.decode()
    assert AuditEvent.objects.filter(verb="read appealed text", by=rita).count() == 1
    plain = client.post(reverse("reveal_appeal", args=(project.slug, found.id)))
    assert "Then the fight began." in plain.content.decode(), "it works without scripts"


def test_an_appeal_is_decided_once_and_with_a_reply(
    project: Project, alice: User, rita: User, blocked: Screening
) -> None:
    found = appeals.appeal(blocked, alice, "")
    client, url = as_user(rita), reverse("decide_appeal", args=(project.slug, found.id))
    assert client.post(url, {"decision": "overturned", "reply": " "}).status_code == 422
    assert client.post(url, {"decision": "perhaps", "reply": "So."}).status_code == 422
    assert Appeal.objects.get().state == "open"
    answer = client.post(url, {"decision": "overturned", "reply": "A story it is."})
    assert answer["Location"] == reverse("appeals", args=(project.slug,))
    other = as_user(make_user(username="adam")).post(url, {"decision": "upheld", "reply": "No."})
    assert other.status_code == 409
    assert Appeal.objects.get().state == "overturned"


def test_who_had_a_part_is_told_that_another_decides(project: Project, alice: User, blocked: Screening) -> None:
    found = appeals.appeal(blocked, alice, "")
    alice.role = "reviewer"
    alice.save()
    client, url = as_user(alice), reverse("decide_appeal", args=(project.slug, found.id))
    assert "another person decides" in page_of(client, url)
    assert "1 is for others" in page_of(client, reverse("appeals", args=(project.slug,)))
    assert client.post(url, {"decision": "overturned", "reply": "Me."}).status_code == 422
    assert client.post(reverse("reveal_appeal", args=(project.slug, found.id))).status_code == 409


@pytest.mark.parametrize("name", ["appeals", "label_texts", "filter_quality", "filter_training"])
def test_each_page_opens_for_its_roles(project: Project, name: str) -> None:
    readers = {
        "appeals": {"reviewer", "admin"},
        "label_texts": {"reviewer", "admin"},
        "filter_quality": {"reviewer", "admin", "engineer"},
        "filter_training": {"engineer", "admin"},
    }
    opened = {
        role
        for role in ("trainer", "reviewer", "engineer", "admin", "visitor")
        if as_user(make_user(role=role, projects=[project])).get(reverse(name, args=(project.slug,))).status_code == 200
    }
    assert opened == readers[name]
    stranger = as_user(make_user(role="reviewer", projects=[make_project()]))
    assert stranger.get(reverse(name, args=(project.slug,))).status_code in (403, 404)


def test_an_appeal_of_another_project_is_nowhere(project: Project, alice: User, rita: User, blocked: Screening) -> None:
    found = appeals.appeal(blocked, alice, "")
    other = make_project()
    other.memberships.create(user=rita)
    for name in ("decide_appeal", "reveal_appeal"):
        assert as_user(rita).post(reverse(name, args=(other.slug, found.id))).status_code == 404


def test_the_queue_asks_no_more_of_the_database_for_more_appeals(
    project: Project, alice: User, rita: User, django_assert_max_num_queries: Any
) -> None:
    client, url = as_user(rita), reverse("appeals", args=(project.slug,))
    client.get(url)
    for _ in range(10):
        appeals.appeal(make_screening(project=project, person=alice), alice, "It is a story.")
    with django_assert_max_num_queries(14):
        assert page_of(client, url).count("It is a story.") == 10
