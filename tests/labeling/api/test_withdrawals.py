"""Withdrawals for a person over the API, with the rules of the pages."""

import pytest

from labeling.models import Project, User, Withdrawal
from labeling.withdrawals import batches
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_user
from tests.labeling.withdrawals.material import counts, rank

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How busy a machine is says nothing of a withdrawal."""
    monkeypatch.setattr(batches, "PATIENCE", 120.0)


def test_a_withdrawal_is_previewed_made_listed_and_undone(project: Project, alice: User) -> None:
    adam, ranking = Program(make_user(username="adam")), rank(project, alice)
    place, span = f"projects/{project.slug}/withdrawals", {"person_id": str(alice.id), "kinds": ["rankings"]}
    touched = adam.post(f"{place}/preview", span).json()
    assert touched == {"counts": {"rankings": 1}, "exports": [], "models": [], "verdicts": [], "promotions": []}
    assert counts(ranking)
    made = adam.post(place, {**span, "reason": "fraud"}).json()
    assert (made["state"], made["num_rows"], made["person_id"]) == ("done", 1, str(alice.id))
    assert not counts(ranking)
    assert [one["id"] for one in adam.get(place).json()["results"]] == [made["id"]]
    undone = adam.post(f"{place}/{made['id']}/undo", {"reason": "It was another."}).json()
    assert (undone["state"], undone["undone_at"] is None) == ("undone", False)
    assert adam.get(f"{place}/{made['id']}").json() == undone
    assert counts(ranking)


def test_the_same_idempotency_key_is_one_withdrawal(project: Project, alice: User) -> None:
    adam = Program(make_user(username="adam"))
    rank(project, alice)
    body = {"person_id": str(alice.id), "reason": "error"}
    for _ in range(2):
        adam.post(f"projects/{project.slug}/withdrawals", body, key="once")
    assert Withdrawal.objects.count() == 1


def test_what_makes_no_sense_is_refused_with_a_sentence(project: Project, alice: User) -> None:
    adam = Program(make_user(username="adam"))
    place = f"projects/{project.slug}/withdrawals"
    stranger = adam.post(place, {"person_id": str(alice.id), "reason": "fraud"})
    assert (stranger.status_code, stranger.json()["where"]) == (422, "body.person_id")
    rank(project, alice)
    unsaid = adam.post(place, {"person_id": str(alice.id), "reason": "other"})
    assert (unsaid.status_code, unsaid.json()["what"]) == (422, "Say what the other reason is.")
    assert not Withdrawal.objects.exists()
