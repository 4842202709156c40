"""A submitted ranking as its author opens it again, and the board on which it is changed."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import Comparison, Lease, Project, Ranking, User
from labeling.rankings import assignment, mending
from labeling.rankings.submission import RatingGiven, Submission
from tests.labeling.factories import make_comparison, make_project, make_reference, make_user
from tests.labeling.rankings.at_work import claim
from tests.labeling.signed_in import as_user, page_of, post_json

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread")


@pytest.fixture
def ranked(held: Lease, alice: User) -> Lease:
    """B above C and D, which are tied and unacceptable; A below them."""
    a, b, c, d = held.shown_order
    rating = RatingGiven(completion_id=b, overall=6, flags={"hallucination": True}, note="Invents a river.")
    submission = Submission(
        tiers=((b,), (c, d), (a,)), unacceptable_from=1, strengths=(3, 1), ratings=(rating,),
        note="The river decided it.", seconds=12.0,
    )  # fmt: skip
    assignment.submit(held, submission, key=uuid.uuid4(), by=alice)
    return Lease.objects.select_related("comparison__project").get(id=held.id)


def url(name: str, held: Lease) -> str:
    return reverse(name, args=("bread", held.id))


def ranking_of(held: Lease) -> Ranking:
    return Ranking.objects.get(lease=held)


def changed(held: Lease, *shelves: int, **more: Any) -> dict[str, Any]:
    """What the page of the change sends."""
    key = str(mending.change_key(ranking_of(held).id))
    return {"key": key, "shelves": dict(zip(held.shown_order, shelves, strict=True)), "line": None, **more}


def end_the_time(held: Lease) -> None:
    Lease.objects.filter(id=held.id).update(closed_at=timezone.now() - timedelta(minutes=31))


def test_a_submitted_board_is_a_ranking_to_read(ranked: Lease, alice: User) -> None:
    page = page_of(as_user(alice), url("lease", ranked))
    assert 'id="ranking-form"' not in page
    assert [page.count(words) for words in ("unacceptable from here on", ">unacceptable<", "tied")] == [1, 3, 1]
    order = [page.index(f'id="ranked-{letter}"') for letter in "BCDA"]
    assert order == sorted(order)
    for words in ("The river decided it.", "6/7", "Invents a river.", "It makes something up.", "It counts."):
        assert words in page


def test_the_end_of_the_time_is_said_in_the_zone_of_the_account(ranked: Lease, alice: User) -> None:
    User.objects.update(time_zone="Asia/Kolkata")
    Lease.objects.filter(id=ranked.id).update(closed_at="2020-11-20T23:10:00Z")
    page = page_of(as_user(alice), url("lease", ranked))
    assert "You submitted it on 21 Nov 2020, 04:40." in page
    assert "The time to change it ended on 21 Nov 2020, 05:10;" in page


def test_after_the_time_a_reviewer_is_named(ranked: Lease, alice: User) -> None:
    client = as_user(alice)
    assert "Change it until" in page_of(client, url("lease", ranked))
    end_the_time(ranked)
    page = page_of(client, url("lease", ranked))
    assert "ask a reviewer if it is wrong" in page
    assert "Change it until" not in page
    assert client.get(url("change_ranking", ranked))["Location"] == url("lease", ranked)
    Project.objects.update(minutes_to_change=0)
    assert "is not changed any more in this project" in page_of(client, url("lease", ranked))


def test_an_abstention_is_called_one(held: Lease, alice: User) -> None:
    assignment.submit(held, Submission(abstained="Not my subject"), key=uuid.uuid4(), by=alice)
    page = page_of(as_user(alice), url("lease", held))
    assert "You abstained on" in page
    assert "Not my subject." in page
    assert "Not ranked" in page
    assert "unacceptable" not in page


def test_only_its_author_opens_and_changes_it(ranked: Lease, project: Project) -> None:
    for user in (make_user(username="bob", projects=[project]), make_user(username="adam", role="admin")):
        client = as_user(user)
        assert client.get(url("lease", ranked)).status_code == 404
        assert client.get(url("change_ranking", ranked)).status_code == 404
        body = changed(ranked, 1, 2, 3, 4)
        assert post_json(client, url("change_ranking", ranked), body).status_code == 404
    assert Ranking.objects.count() == 1


def test_the_board_of_a_change_is_filled_with_the_ranking(ranked: Lease, alice: User) -> None:
    Project.objects.update(asks_ratings=True)
    answer = as_user(alice).get(url("change_ranking", ranked))
    a, b, c, d = ranked.shown_order
    facts, page = answer.context["facts"], answer.content.decode()
    assert facts["draft"]["board"] == {"shelves": {b: 1, c: 2, d: 2, a: 3}, "line": 2, "strengths": {"2": 3, "3": 1}}
    assert facts["asks"] == {"ratings": True, "strengths": True}  # though the project does not ask for strengths now
    assert facts["draft"]["ratings"] == {b: {"overall": 6, "flags": ["hallucination"], "note": "Invents a river."}}
    assert facts["draft"]["note"] == "The river decided it."
    assert f'name="shelf:{a}" value="3" checked' in page  # and without scripts
    assert '<option value="2" selected>' in page
    assert f'name="overall:{b}" value="6" checked' in page
    assert 'name="strength:2" value="3" checked' in page
    assert page.count("The river decided it.") == 2  # in the field and in the facts
    assert "skip" not in page.split('<footer class="acts">')[1].split("</footer>")[0]
    assert "lease-clock" not in page


def test_a_change_counts_and_leads_back_to_the_ranking(ranked: Lease, alice: User) -> None:
    client = as_user(alice)
    answer = post_json(client, url("change_ranking", ranked), changed(ranked, 1, 2, 3, 4, note="Better.", seconds=3))
    assert answer.json() == {"next": url("lease", ranked)}
    page = page_of(client, url("lease", ranked))
    assert "Your change is saved; this is the ranking that counts now." in page
    assert "This is your change of" in page
    assert "Better." in page
    ranking = ranking_of(ranked)
    assert (ranking.tiers, ranking.seconds) == ([[one] for one in ranked.shown_order], 15.0)


def test_a_change_is_asked_for_what_a_submission_is(ranked: Lease, alice: User) -> None:
    client = as_user(alice)
    for asked, words in (("asks_ratings", "4 of 4 have none"), ("asks_strengths", "how much better each tier is")):
        Project.objects.update(asks_ratings=False, asks_strengths=False)
        Project.objects.update(**{asked: True})
        answer = post_json(client, url("change_ranking", ranked), changed(ranked, 1, 2, 3, 4))
        assert answer.status_code == 422
        assert words in answer.json()["error"]
    assert Ranking.objects.count() == 1
    strengths = {"2": 1, "3": 2, "4": 3}
    answer = post_json(client, url("change_ranking", ranked), changed(ranked, 1, 2, 3, 4, strengths=strengths))
    assert answer.status_code == 200
    assert ranking_of(ranked).strengths == [1, 2, 3]


def test_who_changes_nothing_is_not_told_that_a_change_is_saved(ranked: Lease, alice: User) -> None:
    client = as_user(alice)
    rating = {ranked.shown_order[1]: {"overall": 6, "flags": ["hallucination"], "note": "Invents a river."}}
    body = changed(ranked, 3, 1, 2, 2, line=2, note="The river decided it.", ratings=rating, strengths={"2": 3, "3": 1})
    post_json(client, url("change_ranking", ranked), body)
    page = page_of(client, url("lease", ranked))
    assert "Nothing was different" in page
    assert "Your change is saved" not in page
    assert Ranking.objects.count() == 1


def test_a_change_that_comes_too_late_is_refused_and_lost_nowhere(ranked: Lease, alice: User) -> None:
    client = as_user(alice)
    draft = {"changes": str(ranking_of(ranked).id), "board": {"shelves": {}, "line": 5}, "note": "On reflection."}
    version = Lease.objects.get(id=ranked.id).draft_version
    post_json(client, url("lease_draft", ranked), {"draft": draft, "version": version})
    end_the_time(ranked)
    answer = post_json(client, url("change_ranking", ranked), changed(ranked, 1, 2, 3, 4))
    assert answer.status_code == 422
    assert "is over, so the ranking that you submitted counts" in answer.json()["error"]
    assert answer.json()["own"] == url("lease", ranked)
    plain = {f"shelf:{one}": "1" for one in ranked.shown_order} | {"note": "On reflection.", "line": ""}
    shown = client.post(url("change_ranking", ranked), plain | {"key": changed(ranked, 1, 1, 1, 1)["key"]})
    assert shown.status_code == 422
    assert "On reflection." in shown.content.decode()
    page = page_of(client, url("lease", ranked))
    assert "was not submitted in time. It is kept, and does not count." in page
    assert "On reflection." in page
    assert Ranking.objects.count() == 1


def test_a_change_that_was_overtaken_is_told_so_with_a_conflict(ranked: Lease, alice: User) -> None:
    client = as_user(alice)
    first, second = changed(ranked, 1, 2, 3, 4), changed(ranked, 4, 3, 2, 1)
    assert post_json(client, url("change_ranking", ranked), first).status_code == 200
    answer = post_json(client, url("change_ranking", ranked), second)
    assert answer.status_code == 409
    assert "this one does not" in answer.json()["error"]
    assert ranking_of(ranked).tiers == [[one] for one in ranked.shown_order]


def test_the_draft_of_a_change_is_offered_again_until_it_is_begun_anew(ranked: Lease, alice: User) -> None:
    client = as_user(alice)
    draft = {"changes": str(ranking_of(ranked).id), "board": {"shelves": {}, "line": 5}, "note": "On reflection."}
    post_json(client, url("lease_draft", ranked), {"draft": draft, "version": 0})
    assert "You have begun to change it." in page_of(client, url("lease", ranked))
    answer = client.get(url("change_ranking", ranked))
    assert answer.context["facts"]["draft"] == draft
    assert "This is the change as you left it." in answer.content.decode()
    anew = client.get(url("change_ranking", ranked) + "?anew=yes")
    assert anew.context["facts"]["draft"]["note"] == "The river decided it."
    post_json(client, url("change_ranking", ranked), changed(ranked, 1, 2, 3, 4))
    assert "You have begun to change it." not in page_of(client, url("lease", ranked))
    assert client.get(url("change_ranking", ranked)).context["facts"]["draft"]["note"] == ""


def test_a_board_left_open_in_another_tab_is_told_of_the_submission(ranked: Lease, alice: User) -> None:
    client = as_user(alice)
    answer = post_json(client, url("lease_draft", ranked), {"draft": {"board": {}}, "version": 0})
    assert answer.json() == {"version": 1, "own": url("lease", ranked)}
    draft = {"changes": str(ranking_of(ranked).id)}
    assert post_json(client, url("lease_draft", ranked), {"draft": draft, "version": 1}).json() == {"version": 2}


def test_a_gold_item_is_read_and_changed_as_work_is(project: Project, alice: User) -> None:
    Project.objects.update(gold_every=1)
    pages = []
    for _ in range(2):
        if not pages:
            make_reference(project=project)
        else:
            make_comparison(project=project)
        held = claim(Project.objects.get(), alice)
        assert held.comparison.use == ("work" if pages else "gold")
        body = {"key": str(uuid.uuid4()), "shelves": dict.fromkeys(held.shown_order, 1), "line": None}
        post_json(as_user(alice), url("lease", held), body)
        pages.append(shape_of(as_user(alice), held))
    assert pages[0] == pages[1]


def shape_of(client: Client, held: Lease) -> list[list[str]]:
    """The elements of the two pages of a ranking, without what they hold."""
    pages = [page_of(client, url(name, held)).split("<main")[1] for name in ("lease", "change_ranking")]
    return [[part.split(" ")[0].split(">")[0] for part in page.split("<")] for page in pages]


def test_a_ranking_whose_comparison_was_left_out_says_so(ranked: Lease, alice: User) -> None:
    Comparison.objects.update(state=Comparison.State.WITHDRAWN)
    page = page_of(as_user(alice), url("lease", ranked))
    assert "Its comparison was withdrawn since, so it does not count." in page
    assert "Change it until" not in page


def test_a_ranking_that_somebody_else_took_out_is_not_its_authors_to_change(ranked: Lease, alice: User) -> None:
    Ranking.objects.update(retracted_at=timezone.now())
    page = page_of(as_user(alice), url("lease", ranked))
    assert "It was taken out and does not count any more." in page
