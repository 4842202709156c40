"""The pages of adjudication: taken, ordered on the board without a word of the others, decided, withdrawn."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Adjudication, Comparison, Project, ReturnedRanking, User
from labeling.rankings import disagreement
from tests.labeling.factories import make_project, make_user
from tests.labeling.rankings.disputed import adjudicated, lease_of, make_disputed
from tests.labeling.signed_in import as_user, page_of, post_json

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "/p/bread/quality/adjudications/"


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread")


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", role="reviewer", projects=[project])


@pytest.fixture
def comparison(project: Project, alice: User, bob: User) -> Comparison:
    comparison = make_disputed(project, alice, bob)
    disagreement.send(comparison, by=make_user(username="adam", role="admin"))
    return comparison


def taken(client: Client) -> str:
    """The address of the adjudication that this reviewer is given."""
    answer = client.post(QUEUE)
    assert answer.status_code == 302
    return str(answer["Location"])


def ordered(comparison: Comparison, **more: Any) -> dict[str, Any]:
    shelves = {str(one.id): one.index + 1 for one in comparison.completions.all()}
    return {"key": str(uuid.uuid4()), "shelves": shelves, "line": None, "seconds": 5, **more}


def test_a_reviewer_orders_blind_then_sees_the_others_and_decides(
    comparison: Comparison, alice: User, bob: User, rita: User
) -> None:
    client = as_user(rita)
    assert "Take the next" in page_of(client, QUEUE)
    address = taken(client)
    board = page_of(client, address)
    for word in ("Alice", "Bob", "Short is good.", "&gt; B", "rankings of"):
        assert word not in board
    answer = post_json(client, address, ordered(comparison))
    assert answer.json()["next"] == address
    page = page_of(client, address)
    for word in ("Alice", "Bob", "Short is good.", "D &gt; C &gt; B &gt; A", "Why do they differ?"):
        assert word in page
    lease = lease_of(comparison.rankings.get(trainer=bob))
    form = {"reason": "mistake", "words": "  Read D.\r\nAgain.", "returned": [str(lease.id)], "wants_revision": "on"}
    client.post(f"{address}decide/", form)
    given = Adjudication.objects.get()
    assert (given.state, given.reason, given.words, given.wants_revision) == (
        "done", "mistake", "  Read D.\nAgain.", True,
    )  # fmt: skip
    back = ReturnedRanking.objects.get()
    assert (back.lease, back.words) == (lease, "  Read D.\nAgain.")
    page = page_of(client, address)
    assert "Make it a reference ranking" in page
    assert "Returned to Bob" in page


def test_a_decision_needs_a_reason_and_keeps_the_words(comparison: Comparison, rita: User) -> None:
    client = as_user(rita)
    address = taken(client)
    post_json(client, address, ordered(comparison))
    answer = client.post(f"{address}decide/", {"reason": "", "words": "So it is."})
    assert answer.status_code == 422
    assert "So it is." in answer.content.decode()
    assert Adjudication.objects.get().state == "ordered"
    assert "Go on with yours" in page_of(client, QUEUE)


def test_a_board_that_is_not_whole_is_refused_with_and_without_scripts(comparison: Comparison, rita: User) -> None:
    client = as_user(rita)
    address = taken(client)
    values = ordered(comparison)
    first = next(iter(values["shelves"]))
    answer = post_json(client, address, {**values, "shelves": {first: 1}})
    assert answer.status_code == 422
    assert "exactly one place" in answer.json()["error"]
    plain = client.post(address, {"key": values["key"], f"shelf:{first}": "1"})
    assert plain.status_code == 422
    assert "exactly one place" in plain.content.decode()


def test_a_draft_is_kept_and_the_place_is_renewed(comparison: Comparison, rita: User) -> None:
    client = as_user(rita)
    address = taken(client)
    assert post_json(client, f"{address}draft/", {"draft": {"board": {}}, "version": 0}).json() == {"version": 1}
    stale = post_json(client, f"{address}draft/", {"draft": {"board": 1}, "version": 0})
    assert (stale.status_code, stale.json()["draft"]) == (409, {"board": {}})
    assert 1700 < post_json(client, f"{address}renew/", {"seconds": 3}).json()["seconds_left"] <= 1800


def test_the_board_is_for_who_took_it(project: Project, comparison: Comparison, rita: User) -> None:
    address = taken(as_user(rita))
    ruth = as_user(make_user(username="ruth", role="reviewer", projects=[project]))
    assert ruth.get(address)["Location"] == QUEUE
    answer = post_json(ruth, address, {**ordered(comparison)})
    assert (answer.status_code, "Somebody else" in answer.json()["error"]) == (409, True)
    assert post_json(ruth, f"{address}renew/", {"seconds": 3}).status_code == 409
    ruth.post(f"{address}give-back/")
    assert Adjudication.objects.get().reviewer == rita
    as_user(rita).post(f"{address}give-back/")
    assert Adjudication.objects.get().reviewer is None
    assert taken(ruth) == address


@pytest.mark.parametrize("who", ["trainer", "engineer"])
def test_trainers_and_engineers_do_not_adjudicate(project: Project, comparison: Comparison, who: str) -> None:
    client = as_user(make_user(username="other", role=who, projects=[project]))
    address = reverse("adjudication", args=("bread", Adjudication.objects.get().id))
    assert client.get(QUEUE).status_code == client.post(QUEUE).status_code == client.get(address).status_code == 403
    for act in ("decide", "withdraw", "give-back", "draft", "renew"):
        assert client.post(f"{address}{act}/").status_code == 403


def test_an_adjudication_of_another_project_is_not_found(comparison: Comparison, rita: User) -> None:
    make_project(slug="other").memberships.create(user=rita)
    given = Adjudication.objects.get()
    assert as_user(rita).get(reverse("adjudication", args=("other", given.id))).status_code == 404


def test_who_gave_it_withdraws_it(project: Project, comparison: Comparison, rita: User) -> None:
    given = adjudicated(project, rita)
    address = reverse("adjudication", args=("bread", given.id))
    ruth = as_user(make_user(username="ruth", role="reviewer", projects=[project]))
    assert "Withdraw it" not in page_of(ruth, address)
    ruth.post(f"{address}withdraw/")
    assert Adjudication.objects.get().state == "done"
    assert "Withdraw it" in page_of(as_user(rita), address)
    as_user(rita).post(f"{address}withdraw/")
    assert Adjudication.objects.get().state == "withdrawn"


def test_it_is_adopted_as_a_reference_ranking(project: Project, comparison: Comparison, rita: User) -> None:
    given = adjudicated(project, rita, 1, 0, 2, 3)
    url = reverse("new_reference", args=("bread", comparison.id))
    answer = as_user(rita).get(f"{url}?adopt={given.id}")
    assert answer.context["facts"]["draft"]["board"]["shelves"] == {
        identifier: place for place, (identifier,) in enumerate(given.tiers, 1)
    }


def test_a_returned_ranking_is_in_my_work_with_the_words(
    project: Project, comparison: Comparison, alice: User, bob: User, rita: User
) -> None:
    Project.objects.update(minutes_to_change=0)
    lease = lease_of(comparison.rankings.get(trainer=bob))
    adjudicated(project, rita, returned={lease.id: "Look at D again."})
    client = as_user(bob)
    change = reverse("change_ranking", args=("bread", lease.id))
    for address in ("/history/", "/history/?state=returned"):
        page = page_of(client, address)
        assert "Look at D again." in page
        assert change in page
    assert "Look at D again." not in page_of(as_user(alice), "/history/")
    rank = reverse("rank", args=("bread",))
    assert "A reviewer returned a ranking to you." in page_of(client, rank)
    assert "returned" not in page_of(as_user(alice), rank)
    assert "Look at D again." in page_of(client, reverse("lease", args=("bread", lease.id)))
    assert "Look at D again." in page_of(client, change)
