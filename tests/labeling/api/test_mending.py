"""One's own rankings by the API: read, changed, withdrawn, put back, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling.models import Comparison, Lease, Project, Ranking
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_comparison, make_project, make_user, places_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours")


@pytest.fixture
def alice(project: Project) -> Program:
    return Program(make_user(username="alice", projects=[project]))


@pytest.fixture
def ranked(project: Project, alice: Program) -> dict[str, Any]:
    make_comparison(project=project)
    lease = alice.post("projects/ours/claim").json()["lease"]
    tiers = [[one["id"]] for one in lease["completions"]]
    return dict(alice.post(f"projects/ours/leases/{lease['id']}/ranking", {"tiers": tiers}).json()["ranking"])


def at(ranking: dict[str, Any], act: str = "") -> str:
    return f"projects/ours/rankings/{ranking['id']}{act}"


def turned_round(ranking: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"tiers": ranking["tiers"][::-1], **fields}


def test_ones_own_ranking_says_until_when_it_can_be_changed(ranked: dict[str, Any], alice: Program) -> None:
    found = alice.get(at(ranked)).json()
    submitted_at = Lease.objects.get().closed_at
    assert submitted_at is not None
    assert (found["counts"], found["retracted_at"], found["tiers"]) == (True, None, ranked["tiers"])
    assert found["change_until"][:19] == (submitted_at + timedelta(minutes=30)).isoformat()[:19]
    Project.objects.update(minutes_to_change=0)
    assert alice.get(at(ranked)).json()["change_until"] is None


def test_a_change_is_another_version_and_the_same_change_again_is_that_one(
    ranked: dict[str, Any], alice: Program
) -> None:
    first, again = (alice.post(at(ranked, "/change"), turned_round(ranked, note="On reflection.")) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["id"] == again.json()["id"] != ranked["id"]
    assert (first.json()["tiers"], first.json()["counts"]) == (ranked["tiers"][::-1], True)
    old = alice.get(at(ranked)).json()
    assert (old["counts"], old["change_until"]) == (False, None)
    assert [one["id"] for one in alice.get("projects/ours/rankings").json()["results"]] == [first.json()["id"]]
    overtaken = alice.post(at(ranked, "/change"), turned_round(ranked, note="No, so."))
    assert overtaken.status_code == 409
    assert "this one does not" in overtaken.json()["what"]
    assert places_of(Comparison.objects.get()) == (1, 0, 0, 1)


def test_a_change_after_its_time_is_refused(ranked: dict[str, Any], alice: Program) -> None:
    Lease.objects.update(closed_at=timezone.now() - timedelta(minutes=31))
    refused = alice.post(at(ranked, "/change"), turned_round(ranked))
    assert refused.status_code == 422
    assert "The time to change this ranking is over" in refused.json()["what"]
    assert Ranking.objects.get().tiers == ranked["tiers"]


def test_ratings_are_asked_of_a_change_as_of_a_submission(ranked: dict[str, Any], alice: Program) -> None:
    Project.objects.update(asks_ratings=True)
    refused = alice.post(at(ranked, "/change"), turned_round(ranked))
    assert (refused.status_code, refused.json()["where"]) == (422, "body.ratings")


def test_a_ranking_is_withdrawn_and_put_back(ranked: dict[str, Any], alice: Program) -> None:
    gone = alice.post(at(ranked, "/withdraw"), {"reason": "I had not read D."})
    assert (gone.status_code, gone.json()["counts"]) == (200, False)
    assert places_of(Comparison.objects.get()) == (1, 1, 0, 0)
    assert alice.post(at(ranked, "/withdraw")).status_code == 409
    assert alice.post(at(ranked, "/change"), turned_round(ranked)).status_code == 409
    back = alice.post(at(ranked, "/put-back"))
    assert (back.status_code, back.json()["counts"]) == (200, True)
    assert alice.post(at(ranked, "/put-back")).status_code == 409
    assert places_of(Comparison.objects.get()) == (1, 0, 0, 1)


def test_a_ranking_of_another_is_not_there(ranked: dict[str, Any], project: Project) -> None:
    bob, adam = Program(make_user(username="bob", projects=[project])), Program(make_user(role="admin"))
    for program in (bob, adam):
        assert program.get(at(ranked)).status_code == 404
        for act in ("/change", "/withdraw", "/put-back"):
            assert program.post(at(ranked, act), turned_round(ranked) if act == "/change" else {}).status_code == 404
    erin = Program(make_user(role="engineer", projects=[project]))
    assert erin.get(at(ranked)).status_code == 403
    assert Ranking.objects.filter(retracted_at=None).count() == 1


def test_a_token_that_only_reads_mends_nothing(ranked: dict[str, Any], alice: Program) -> None:
    reader = Program(alice.token.owner, scopes=["read"])
    assert reader.get(at(ranked)).status_code == 200
    assert reader.post(at(ranked, "/withdraw")).status_code == 403
