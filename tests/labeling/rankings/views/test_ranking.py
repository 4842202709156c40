"""The ranking pages as a browser without scripts, and as its scripts, speak to them."""

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import Comparison, Lease, Project, Ranking, Report, User
from labeling.rankings.submission import RATING_FLAGS
from tests.labeling.factories import make_comparison, make_project, make_user
from tests.labeling.signed_in import as_user, page_of, post_json

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="bread")


def url(name: str, held: Lease, *more: Any) -> str:
    return reverse(name, args=("bread", held.id, *more))


def board(held: Lease, *shelves: int, **more: Any) -> dict[str, Any]:
    """What the page sends: the completions, in shown order, on these shelves."""
    placed = dict(zip(held.shown_order, shelves, strict=False))
    return {"key": str(uuid.uuid4()), "shelves": placed, "line": None, **more}


def test_the_way_in_offers_the_next_and_then_leads_back_to_it(project: Project, alice: User) -> None:
    make_comparison(project=project)
    client = as_user(alice)
    assert "Next comparison" in client.get("/p/bread/rank/").content.decode()
    leads_to = client.post("/p/bread/rank/")["Location"]
    assert leads_to == url("lease", Lease.objects.get())
    assert "Go on with it" in client.get("/p/bread/rank/").content.decode()


def test_nothing_to_rank_says_why(project: Project, alice: User) -> None:
    answer = as_user(alice).post("/p/bread/rank/", follow=True)
    assert "There are no comparisons in this project yet." in answer.content.decode()


def test_the_board_names_no_policy_and_no_length(held: Lease, alice: User) -> None:
    page = as_user(alice).get(url("lease", held)).content.decode()
    assert held.comparison.project.policy is not None
    assert held.comparison.project.policy.name not in page
    assert "tokens" not in page
    assert page.count('class="completion"') == 4


def test_a_completion_that_was_cut_is_marked_on_its_card(held: Lease, alice: User) -> None:
    assert "cut off" not in page_of(as_user(alice), url("lease", held))
    held.comparison.completions.update(finish_reason="stop")
    held.comparison.completions.filter(id=held.shown_order[2]).update(finish_reason="length")
    cards = page_of(as_user(alice), url("lease", held)).split('<article class="completion"')[1:]
    assert ["cut off" in card for card in cards] == [False, False, True, False]


def test_who_abstains_is_not_told_that_a_ranking_is_saved(held: Lease, alice: User) -> None:
    client = as_user(alice)
    post_json(client, url("lease", held), board(held, abstained="Not my subject", note="It is chemistry."))
    page = page_of(client, "/p/bread/rank/")
    assert "You abstained. Your reason is saved." in page
    assert "Your ranking is saved." not in page
    ranking = Ranking.objects.get()
    assert (ranking.abstained, ranking.note) == ("Not my subject", "It is chemistry.")


def test_shelves_become_tiers_and_the_line_their_index(held: Lease, alice: User) -> None:
    answer = post_json(as_user(alice), url("lease", held), board(held, 4, 2, 2, 3, line=4, layout="two"))
    assert answer.status_code == 200
    ranking = Ranking.objects.get()
    a, b, c, d = held.shown_order
    assert [sorted(tier) for tier in ranking.tiers] == [sorted([b, c]), [d], [a]]
    assert (ranking.unacceptable_from, ranking.layout) == (2, "two")


def test_strengths_of_shelves_become_those_of_the_gaps_between_tiers(held: Lease, alice: User) -> None:
    # What is said of an empty shelf, or of what stands above the best tier, is said of nothing.
    sent = board(held, 4, 2, 2, 3, strengths={"2": 2, "3": 3, "4": 1, "1": 2})
    assert post_json(as_user(alice), url("lease", held), sent).status_code == 200
    assert Ranking.objects.get().strengths == [3, 1]


def test_what_the_project_asks_for_is_asked_in_words(held: Lease, alice: User, project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(asks_strengths=True)
    page = as_user(alice).get(url("lease", held)).content.decode()
    assert page.count('name="strength:4"') == 3
    answer = post_json(as_user(alice), url("lease", held), board(held, 1, 2, 3, 4))
    assert answer.status_code == 422
    assert "how much better each tier is than the next" in answer.json()["error"]
    values = {f"shelf:{one}": str(place) for place, one in enumerate(held.shown_order, 1)}
    refused = as_user(alice).post(url("lease", held), {"key": str(uuid.uuid4()), "strength:3": "2", **values})
    assert refused.status_code == 422
    assert 'name="strength:3" value="2" checked' in refused.content.decode()
    Project.objects.filter(pk=project.pk).update(asks_strengths=False, asks_ratings=True)
    answer = post_json(as_user(alice), url("lease", held), board(held, 1, 2, 3, 4))
    assert "4 of 4 have none" in answer.json()["error"]
    assert not Ranking.objects.exists()


def test_a_line_below_everything_is_no_line(held: Lease, alice: User) -> None:
    post_json(as_user(alice), url("lease", held), board(held, 1, 2, 3, 4, line=5))
    assert Ranking.objects.get().unacceptable_from is None


def test_the_same_submission_twice_is_one_ranking(held: Lease, alice: User) -> None:
    client, sent = as_user(alice), board(held, 1, 2, 3, 4)
    assert post_json(client, url("lease", held), sent).status_code == 200
    assert post_json(client, url("lease", held), sent).status_code == 200
    assert Ranking.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shelves": {}}, "exactly one place"),
        ({"shelves": None}, "names no completions"),
        ({"key": "nonsense"}, "lost its key"),
        ({"line": "third"}, "is not a tier"),
        ({"ratings": {"x": {"overall": 9}}}, "rating belongs to no completion"),
        ({"ratings": ["x"]}, "ratings could not be read"),
        ({"ratings": {"x": {"flags": 1}}}, "ratings could not be read"),
        ({"note": ["x"]}, "note could not be read"),
        ({"strengths": [1, 2, 3]}, "could not be read"),
        ({"strengths": {"2": 1, "4": 2}}, "how much better tier 2 is than tier 3"),
        ({"strengths": {"2": 1, "3": 4, "4": 2}}, "every two neighbouring tiers"),
        ({"strengths": {"2": 1, "3": True, "4": 2}}, "is not a tier"),
        ({"note": "x" * 5001}, "5001 characters"),
        ({"ratings": {"x": {"overall": True}}}, "is not a tier"),
        ({"ratings": {"x": {"overall": 2.5}}}, "is not a tier"),
        ({"line": float("inf")}, "“body.line” was not taken"),
        ({"line": "9" * 10_000}, "is not a tier"),
    ],
)
def test_what_is_no_ranking_is_refused_in_words_and_changes_nothing(
    held: Lease, alice: User, change: dict[str, Any], said: str
) -> None:
    answer = post_json(as_user(alice), url("lease", held), board(held, 1, 2, 3, 4) | change)
    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert not Ranking.objects.exists()


@pytest.mark.parametrize("body", ["", "[]", "{", '"x"', "null"])
def test_a_body_that_is_no_board_is_refused(held: Lease, alice: User, body: str) -> None:
    answer = as_user(alice).post(url("lease", held), body, content_type="application/json")
    assert answer.status_code == 422


def test_an_unranked_completion_is_refused(held: Lease, alice: User) -> None:
    values = board(held, 1, 2, 3)
    values["shelves"][held.shown_order[3]] = None
    answer = post_json(as_user(alice), url("lease", held), values)
    assert "1 of 4" in answer.json()["error"]


def test_the_plain_form_keeps_what_was_chosen_when_it_is_refused(held: Lease, alice: User) -> None:
    values = {"key": str(uuid.uuid4()), f"shelf:{held.shown_order[0]}": "3"}
    answer = as_user(alice).post(url("lease", held), values)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert page.count("checked") == 1
    assert values["key"] in page


def test_a_page_without_javascript_says_what_is_missing(held: Lease, alice: User) -> None:
    page = as_user(alice).get(url("lease", held)).content.decode()
    assert "JavaScript is off." in page.partition("<noscript>")[2].partition("</noscript>")[0]


def test_the_plain_form_keeps_ratings_and_the_line_when_it_is_refused(
    held: Lease, alice: User, project: Project
) -> None:
    Project.objects.filter(pk=project.pk).update(asks_ratings=True)
    first = held.shown_order[0]
    rated = {f"overall:{first}": "6", f"flag:{first}": next(iter(RATING_FLAGS)), f"note:{first}": "invents a river"}
    page = as_user(alice).post(url("lease", held), {"key": str(uuid.uuid4()), "line": "3", **rated}).content.decode()
    assert '<option value="3" selected>' in page
    assert f'name="overall:{first}" value="6" checked' in page
    assert f'name="flag:{first}" value="{next(iter(RATING_FLAGS))}" checked' in page
    assert page.count("invents a river") == 1
    assert page.count(" checked") == 2


def test_the_plain_form_hands_in_a_note_alone_and_no_rating_of_which_nothing_is_said(held: Lease, alice: User) -> None:
    first, *others = held.shown_order
    values = {f"shelf:{one}": "1" for one in held.shown_order} | {f"note:{one}": "" for one in others}
    as_user(alice).post(url("lease", held), {"key": str(uuid.uuid4()), f"note:{first}": "invents a river", **values})
    rating = Ranking.objects.get().ratings.get()
    assert (str(rating.completion_id), rating.overall, rating.note) == (first, None, "invents a river")


def test_a_note_on_the_ranking_is_kept_and_shown_again_where_the_board_is_refused(held: Lease, alice: User) -> None:
    values = {f"shelf:{one}": "1" for one in held.shown_order[:3]} | {"note": "A <b>hard</b>\r\nchoice"}
    refused = as_user(alice).post(url("lease", held), {"key": str(uuid.uuid4()), **values})
    assert refused.status_code == 422
    assert "A &lt;b&gt;hard&lt;/b&gt;\r\nchoice</textarea>" in refused.content.decode()
    key = str(uuid.uuid4())
    values[f"shelf:{held.shown_order[3]}"] = "2"
    as_user(alice).post(url("lease", held), {"key": key, **values})
    assert Ranking.objects.get().note == "A <b>hard</b>\nchoice"
    # Sent again by a script, whose lines end otherwise, it is the same submission.
    again = board(held, 1, 1, 1, 2, key=key, note="A <b>hard</b>\nchoice\n")
    assert post_json(as_user(alice), url("lease", held), again).status_code == 200
    assert post_json(as_user(alice), url("lease", held), again | {"note": "Easy"}).status_code == 422
    assert Ranking.objects.get().note == "A <b>hard</b>\nchoice"


def test_drafts_are_kept_by_version_and_a_stale_one_learns_the_newer(held: Lease, alice: User) -> None:
    client = as_user(alice)
    first = post_json(client, url("lease_draft", held), {"draft": {"board": 1}, "version": 0})
    assert first.json() == {"version": 1}
    stale = post_json(client, url("lease_draft", held), {"draft": {"board": 2}, "version": 0})
    assert (stale.status_code, stale.json()) == (409, {"version": 1, "draft": {"board": 1}})
    held.refresh_from_db()
    assert held.draft == {"board": 1}


def test_a_sign_of_life_renews_the_lease(held: Lease, alice: User) -> None:
    before = held.expires_at
    answer = post_json(as_user(alice), url("lease_renew", held), {"seconds": 12})
    assert answer.json()["seconds_left"] > 0
    held.refresh_from_db()
    assert held.expires_at > before
    assert held.seconds == 12


def test_a_skip_gives_the_place_back(held: Lease, alice: User) -> None:
    as_user(alice).post(url("skip_lease", held), {"reason": "Not my topic"})
    assert Comparison.objects.get().open_slots == 1
    held.refresh_from_db()
    assert (held.state, held.skip_reason) == (Lease.State.SKIPPED, "Not my topic")


def test_an_empty_queue_says_why_before_anybody_asks(project: Project, alice: User) -> None:
    client = as_user(alice)
    page = client.get("/p/bread/rank/").content.decode()
    assert "Nothing to rank just now" in page
    assert "There are no comparisons in this project yet." in page
    comparison = make_comparison(project=project)
    assert "Ready when you are" in client.get("/p/bread/rank/").content.decode()
    Lease.objects.create(
        comparison=comparison, trainer=alice, state="skipped", shown_order=[], expires_at=timezone.now()
    )
    assert "You have seen all that is open" in client.get("/p/bread/rank/").content.decode()


def test_what_slipped_out_of_ones_hands_waits_for_one_again(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    Lease.objects.create(
        comparison=comparison, trainer=alice, state="expired", shown_order=[], expires_at=timezone.now()
    )
    assert "Ready when you are" in as_user(alice).get("/p/bread/rank/").content.decode()


@pytest.mark.parametrize("reason", [None, "", "because"])
def test_a_skip_wants_a_reason_of_the_list(held: Lease, alice: User, reason: str | None) -> None:
    refused = as_user(alice).post(url("skip_lease", held), {} if reason is None else {"reason": reason})
    assert refused.status_code == 422
    assert "Choose why you skip it." in refused.content.decode()
    held.refresh_from_db()
    assert held.state == Lease.State.OPEN


def test_a_report_wants_a_kind_of_the_list(held: Lease, alice: User) -> None:
    completion = held.shown_order[1]
    address = url("report_completion", held, completion)
    refused = as_user(alice).post(address, {f"report_kind:{completion}": "ugly"})
    assert refused.status_code == 422
    assert not Report.objects.exists()
    as_user(alice).post(address, {f"report_kind:{completion}": "biased", f"report_note:{completion}": "look"})
    report = Report.objects.get()
    assert (str(report.completion_id), report.kind, report.note) == (completion, "biased", "look")


@pytest.mark.parametrize("name", ["bob", "charlie", "rita"])
def test_a_lease_is_nobody_elses(held: Lease, project: Project, name: str) -> None:
    other = make_user(username=name, projects=[] if name == "charlie" else [project])
    client = as_user(other)
    assert client.get(url("lease", held)).status_code == 404
    for view in ("lease", "lease_draft", "lease_renew", "skip_lease"):
        assert post_json(client, url(view, held), board(held, 1, 2, 3, 4)).status_code == 404
    assert not Ranking.objects.exists()


def test_engineers_do_not_rank(held: Lease, erins_browser: Client) -> None:
    assert erins_browser.get("/p/bread/rank/").status_code == 403


def test_the_boards_queries_do_not_grow_with_the_project(
    held: Lease, alice: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        make_comparison(project=project)
    client = as_user(alice)
    with django_assert_max_num_queries(10):
        assert client.get(url("lease", held)).status_code == 200
