"""The first day: guidelines, practice with its explanations, real work; and practice pages by themselves."""

import uuid
from typing import Any

import pytest
from django.urls import reverse

from labeling.models import Comparison, Membership, PracticeRanking, Project, Reference, User
from labeling.rankings.practice import shown_order
from tests.labeling.factories import make_comparison, make_project, make_reference, make_user
from tests.labeling.signed_in import as_user, page_of, post_json

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread", practice_required=True)


@pytest.fixture
def reference(project: Project) -> Reference:
    return make_reference(project=project, use="practice")


def board_url(reference: Reference) -> str:
    return reverse("practice_board", args=("bread", reference.comparison_id))


def ranked(reference: Reference, *, turned: bool = False, **more: Any) -> dict[str, Any]:
    """What the page sends: the reference's order, or the opposite."""
    ids = [identifier for tier in reference.tiers for identifier in tier]
    shelves = {identifier: place + 1 for place, identifier in enumerate(reversed(ids) if turned else ids)}
    return {"key": str(uuid.uuid4()), "shelves": shelves, "line": None, **more}


def test_the_first_day_leads_from_guidelines_through_practice_to_work(reference: Reference, alice: User) -> None:
    make_comparison(project=reference.comparison.project)
    client = as_user(alice)
    assert "Read the guidelines" in page_of(client, "/")
    page_of(client, "/p/bread/guidelines/")
    for address in ("/", "/p/bread/"):
        assert 'href="/p/bread/practice/"' in page_of(client, address)
    assert client.post("/p/bread/rank/")["Location"] == "/p/bread/practice/"
    assert board_url(reference) in page_of(client, "/p/bread/practice/")
    result = post_json(client, board_url(reference), ranked(reference)).json()["next"]
    assert "Just as the reference has it" in page_of(client, result)
    assert "done on" in page_of(client, "/p/bread/practice/")
    assert "Comparisons wait to be ranked" in page_of(client, "/")
    assert client.post("/p/bread/rank/")["Location"].startswith("/p/bread/rank/")


def test_the_board_is_the_one_of_real_work_without_its_ways_out(reference: Reference, alice: User) -> None:
    page = page_of(as_user(alice), board_url(reference))
    assert "Practice 1 of 1: nothing here is counted." in page
    for identifier in shown_order(reference.comparison, by=alice):
        assert f'data-id="{identifier}"' in page
    for absent in ("/skip/", 'name="abstained"', "report-box", "lease-clock", "Correct"):
        assert absent not in page
    assert reference.explanation not in page


def test_the_result_says_which_pairs_agree_and_why(reference: Reference, alice: User) -> None:
    Reference.objects.update(unacceptable_from=3)
    client = as_user(alice)
    ids = [tier[0] for tier in reference.tiers]
    reference.comparison.completions.filter(id=ids[1]).update(finish_reason="length")
    values = ranked(reference, line=5)
    values["shelves"] = {ids[0]: 1, ids[1]: 3, ids[2]: 3, ids[3]: 2}  # 3 alike, one tied, two the other way round
    page = page_of(client, post_json(client, board_url(reference), values).json()["next"])
    letters = {one: chr(ord("A") + at) for at, one in enumerate(PracticeRanking.objects.get().shown_order)}
    assert "Mostly as the reference has it: 3 of 6 pairs." in page
    assert page.count("cut off") == 1
    assert f"The reference finds {letters[ids[3]]} unacceptable." in page
    assert "Each is <em>worse</em> than the one before." in page
    assert page.count("you too") == 3
    assert f"you: {' and '.join(sorted((letters[ids[1]], letters[ids[2]])))} tied" in page
    assert f"you: {letters[ids[3]]} above {letters[ids[1]]}" in page


def test_a_different_view_is_met_kindly(reference: Reference, alice: User) -> None:
    client = as_user(alice)
    page = page_of(client, post_json(client, board_url(reference), ranked(reference, turned=True)).json()["next"])
    assert "You saw this one differently: 0 of 6 pairs" in page


def test_it_works_without_scripts(reference: Reference, alice: User) -> None:
    client = as_user(alice)
    ids = [tier[0] for tier in reference.tiers]
    form = {"key": str(uuid.uuid4()), **{f"shelf:{one}": place + 1 for place, one in enumerate(ids)}, "line": ""}
    del form[f"shelf:{ids[0]}"]
    refused = client.post(board_url(reference), form)
    assert refused.status_code == 422
    assert "still unranked" in refused.content.decode()
    form[f"shelf:{ids[0]}"] = "1"
    assert client.post(board_url(reference), form)["Location"].startswith("/p/bread/practice/done/")
    assert Membership.objects.get(user=alice).practised_at is not None


def test_what_makes_no_sense_is_refused_with_a_sentence(reference: Reference, alice: User) -> None:
    client = as_user(alice)
    for values in (ranked(reference) | {"shelves": {}}, ranked(reference) | {"abstained": "dunno"}, {"key": "x"}):
        answer = post_json(client, board_url(reference), values)
        assert answer.status_code == 422
        assert answer.json()["error"]
    assert not PracticeRanking.objects.exists()


def test_practice_can_be_skipped_only_where_it_is_not_required(reference: Reference, alice: User) -> None:
    make_comparison(project=reference.comparison.project)
    client = as_user(alice)
    assert "Skip it" not in page_of(client, "/p/bread/practice/")
    Project.objects.update(practice_required=False)
    page_of(client, "/p/bread/guidelines/")
    assert "Skip it" in page_of(client, "/p/bread/practice/")
    assert "Practise" in page_of(client, "/")
    assert client.post("/p/bread/rank/")["Location"].startswith("/p/bread/rank/")
    assert "Go on ranking" in page_of(client, "/")


def test_a_project_without_a_set_says_so(project: Project, alice: User) -> None:
    assert "There is no practice set" in page_of(as_user(alice), "/p/bread/practice/")


def test_others_cannot_see_it(reference: Reference, alice: User) -> None:
    charlie, erin = make_user(username="charlie"), make_user(username="erin", projects=[reference.comparison.project])
    mine = post_json(as_user(alice), board_url(reference), ranked(reference)).json()["next"]
    for address in ("/p/bread/practice/", board_url(reference), mine):
        assert as_user(charlie).get(address).status_code == 404
        assert as_user(erin).get(address).status_code == 403
    rita = make_user(username="rita", projects=[reference.comparison.project])
    assert as_user(rita).get(mine).status_code == 404


def test_only_practice_has_a_practice_board(project: Project, alice: User) -> None:
    client = as_user(alice)
    for other in (make_comparison(project=project), make_reference(project=project, use="gold").comparison):
        assert client.get(reverse("practice_board", args=("bread", other.id))).status_code == 404
    retired = make_reference(project=project, use="practice")
    Comparison.objects.filter(id=retired.comparison_id).update(state="withdrawn")
    assert client.get(board_url(retired)).status_code == 404


def test_queries_do_not_grow_with_the_set(project: Project, alice: User, django_assert_max_num_queries: Any) -> None:
    client = as_user(alice)
    for _ in range(6):
        reference = make_reference(project=project, use="practice")
        post_json(client, board_url(reference), ranked(reference))
    for address in ("/p/bread/practice/", "/p/bread/", "/"):
        with django_assert_max_num_queries(18):
            client.get(address)
