"""Orders handed in: what is kept of each, once, early or late, and taken back. Races: test_assignment_races.py."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from labeling.models import AuditEvent, Comparison, GuidelineVersion, Lease, Project, Ranking, User
from labeling.rankings import assignment
from labeling.rankings.assignment import Nothing
from labeling.rankings.submission import AssignmentError, RatingGiven, Submission
from tests.labeling.factories import make_comparison, make_comparisons, make_user, places_of
from tests.labeling.rankings.at_work import claim, in_shown_order, lose, run_out

pytestmark = pytest.mark.django_db


def test_a_submission_becomes_a_ranking_with_all_that_it_was_made_under(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    GuidelineVersion.objects.create(project=project, version=2, text="Be kind.")
    lease = claim(project, alice)
    a, b, c, d = lease.shown_order
    submission = Submission(
        tiers=((b,), (a, c), (d,)),
        unacceptable_from=2,
        strengths=(3, 1),
        ratings=(RatingGiven(completion_id=b, overall=6, flags={"hallucination": True}, note="invents a river"),),
        note="The river decided it.",
        seconds=41.5,
        layout="columns",
    )
    ranking = assignment.submit(lease, submission, key=uuid.uuid4(), by=alice).ranking
    assert ranking is not None
    ranking.refresh_from_db()
    assert ranking.tiers == [[b], [a, c], [d]]
    assert (ranking.unacceptable_from, ranking.seconds, ranking.layout) == (2, 41.5, "columns")
    assert ranking.shown_order == lease.shown_order
    assert ranking.guideline_version is not None
    assert ranking.guideline_version.version == 2
    rating = ranking.ratings.get()
    assert (str(rating.completion_id), rating.overall, rating.flags) == (b, 6, {"hallucination": True})
    assert (rating.note, ranking.note) == ("invents a river", "The river decided it.")
    assert ranking.strengths == [3, 1]
    assert places_of(comparison) == (1, 0, 0, 1)
    assert (comparison.state, comparison.num_rankings) == (Comparison.State.DONE, 1)
    assert AuditEvent.objects.filter(verb="submit ranking", by=alice).exists()


def test_where_all_are_acceptable_the_line_may_stand_below_the_last(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease = claim(project, alice)
    submission = Submission(tiers=(tuple(lease.shown_order),), unacceptable_from=1)
    ranking = assignment.submit(lease, submission, key=uuid.uuid4(), by=alice).ranking
    assert ranking is not None
    assert ranking.unacceptable_from == 1


def test_an_abstention_needs_a_reason_and_fills_the_place(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    with pytest.raises(AssignmentError):
        assignment.submit(lease, Submission(abstained=" "), key=uuid.uuid4(), by=alice)
    outcome = assignment.submit(lease, Submission(abstained="makes no sense"), key=uuid.uuid4(), by=alice)
    assert outcome.ranking is not None
    assert outcome.ranking.tiers == []
    assert places_of(comparison) == (1, 0, 0, 1)


@pytest.mark.parametrize(
    "wrong",
    ["missing", "twice", "unknown", "empty tier", "line", "rating", "two ratings", "overall above", "overall below"],
)
def test_it_refuses_what_is_not_a_weak_order(project: Project, alice: User, wrong: str) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    a, b, c, d = lease.shown_order
    submission = {
        "missing": Submission(tiers=((a,), (b, c))),
        "twice": Submission(tiers=((a,), (b, c), (d, a))),
        "unknown": Submission(tiers=((a,), (b, c), (d,), (str(uuid.uuid4()),))),
        "empty tier": Submission(tiers=((a,), (), (b, c, d))),
        "line": Submission(tiers=((a, b, c, d),), unacceptable_from=2),
        "rating": Submission(tiers=((a, b, c, d),), ratings=(RatingGiven(completion_id=str(uuid.uuid4())),)),
        "two ratings": Submission(tiers=((a, b, c, d),), ratings=(RatingGiven(completion_id=a),) * 2),
        "overall above": Submission(tiers=((a, b, c, d),), ratings=(RatingGiven(completion_id=a, overall=8),)),
        "overall below": Submission(tiers=((a, b, c, d),), ratings=(RatingGiven(completion_id=a, overall=0),)),
    }[wrong]
    with pytest.raises(AssignmentError):
        assignment.submit(lease, submission, key=uuid.uuid4(), by=alice)
    assert places_of(comparison) == (1, 0, 1, 0)


@pytest.mark.parametrize("late", [False, True])
def test_the_time_at_work_is_the_longest_that_was_counted(project: Project, alice: User, *, late: bool) -> None:
    make_comparison(project=project)
    lease = claim(project, alice)
    assignment.renew(lease, by=alice, seconds=50)
    if late:
        lose(lease)
    assignment.submit(lease, in_shown_order(lease, seconds=7.0), key=uuid.uuid4(), by=alice)
    lease.refresh_from_db()
    assert lease.seconds == 50


def test_a_time_that_nobody_measured_is_unknown(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease = claim(project, alice)
    ranking = assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice).ranking
    assert ranking is not None
    ranking.refresh_from_db()
    assert ranking.seconds is None


def test_the_same_submission_twice_is_one_ranking(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    key, submission = uuid.uuid4(), in_shown_order(lease, seconds=3.0)
    first = assignment.submit(lease, submission, key=key, by=alice)
    again = assignment.submit(lease, in_shown_order(lease, seconds=9.0), key=key, by=alice)
    assert first.ranking is not None
    assert again.ranking == first.ranking
    assert places_of(comparison) == (1, 0, 0, 1)


def test_the_same_key_with_another_order_is_refused(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease = claim(project, alice)
    key = uuid.uuid4()
    assignment.submit(lease, in_shown_order(lease), key=key, by=alice)
    turned = Submission(tiers=tuple((identifier,) for identifier in reversed(lease.shown_order)))
    with pytest.raises(AssignmentError, match="another order"):
        assignment.submit(lease, turned, key=key, by=alice)
    with pytest.raises(AssignmentError, match="already submitted a ranking"):
        assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)


@pytest.mark.parametrize(
    "change",
    [
        {"unacceptable_from": 1},
        {"unacceptable_from": None},
        {"ratings": ()},
        {"ratings": {"overall": 3}},
        {"ratings": {"flags": {"hallucination": True}}},
        {"ratings": {"note": "too long"}},
        {"note": "B was hard."},
        {"note": ""},
        {"strengths": (1, 2, 3)},
        {"strengths": ()},
    ],
)
def test_the_same_key_with_another_judgement_is_refused(project: Project, alice: User, change: dict[str, Any]) -> None:
    make_comparison(project=project)
    lease, key = claim(project, alice), uuid.uuid4()
    rating = RatingGiven(completion_id=lease.shown_order[0], overall=6, flags={"violent_content": True}, note="warm")
    first = in_shown_order(lease, unacceptable_from=2, strengths=(1, 2, 2), ratings=(rating,), note="A was hard.")
    ranking = assignment.submit(lease, first, key=key, by=alice).ranking
    if change.get("ratings"):
        change = {"ratings": (replace(rating, **change["ratings"]),)}
    with pytest.raises(AssignmentError, match="another order"):
        assignment.submit(lease, replace(first, **change), key=key, by=alice)
    assert assignment.submit(lease, first, key=key, by=alice).ranking == ranking


def test_the_same_key_with_another_reason_to_abstain_is_refused(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, key = claim(project, alice), uuid.uuid4()
    ranking = assignment.submit(lease, Submission(abstained="no idea"), key=key, by=alice).ranking
    with pytest.raises(AssignmentError, match="another order"):
        assignment.submit(lease, Submission(abstained="makes no sense"), key=key, by=alice)
    assert assignment.submit(lease, Submission(abstained="no idea"), key=key, by=alice).ranking == ranking


def test_a_key_that_another_comparison_used_is_refused(project: Project, alice: User) -> None:
    first, second = make_comparisons(project=project, num=2)
    key = uuid.uuid4()
    lease = claim(project, alice)
    assignment.submit(lease, in_shown_order(lease), key=key, by=alice)
    other = claim(project, alice)
    with pytest.raises(AssignmentError, match="already been used"):
        assignment.submit(other, in_shown_order(other), key=key, by=alice)
    assert sorted([places_of(first), places_of(second)]) == [(1, 0, 0, 1), (1, 0, 1, 0)]


def test_a_late_submission_counts_while_a_place_is_free(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    lose(lease)
    outcome = assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    assert outcome.ranking is not None
    assert places_of(comparison) == (1, 0, 0, 1)


def test_a_submission_that_is_late_but_whose_place_nobody_took_counts(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    run_out(lease)
    assert assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice).ranking is not None
    assert places_of(comparison) == (1, 0, 0, 1)


def test_a_late_submission_without_a_place_is_kept_and_explained(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    assignment.save_draft(lease, draft={"shelves": {}}, version=0, by=alice)
    lose(lease)
    others = claim(project, bob)
    key, submission = uuid.uuid4(), in_shown_order(lease)
    outcome = assignment.submit(lease, submission, key=key, by=alice)
    assert outcome.kept
    assert "kept" in outcome.sentence
    lease.refresh_from_db()
    assert lease.state == Lease.State.LATE
    assert lease.draft["submission"]["tiers"] == [[identifier] for identifier in lease.shown_order]
    assert lease.draft["shelves"] == {}
    assert assignment.submit(lease, submission, key=key, by=alice).kept  # the same again: the same answer
    assert assignment.submit(others, in_shown_order(others), key=uuid.uuid4(), by=bob).ranking is not None
    assert places_of(comparison) == (1, 0, 0, 1)
    assert isinstance(assignment.claim(project, by=alice), Nothing)
    assert AuditEvent.objects.filter(verb="keep late ranking", by=alice, subject_id=str(lease.id)).count() == 1


def test_of_several_late_submissions_the_last_is_kept(project: Project, alice: User, bob: User) -> None:
    """The page of a lease sends all of them under one key."""
    make_comparison(project=project)
    lease, key = claim(project, alice), uuid.uuid4()
    lose(lease)
    claim(project, bob)
    for line in (1, 2, None):
        assert assignment.submit(lease, in_shown_order(lease, unacceptable_from=line), key=key, by=alice).kept
        lease.refresh_from_db()
        assert lease.draft["submission"]["unacceptable_from"] == line


def test_a_late_submission_counts_when_it_is_sent_again_and_a_place_has_come_free(
    project: Project, alice: User, bob: User
) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    lose(lease)
    others = claim(project, bob)
    key = uuid.uuid4()
    assert assignment.submit(lease, in_shown_order(lease), key=key, by=alice).kept
    assignment.skip(others, reason="too long", by=bob)
    assert assignment.submit(lease, in_shown_order(lease), key=key, by=alice).ranking is not None
    assert places_of(comparison) == (1, 0, 0, 1)


def test_a_submission_to_a_withdrawn_comparison_is_kept(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    Comparison.objects.filter(id=comparison.id).update(state=Comparison.State.WITHDRAWN)
    assert assignment.in_hand(project, by=alice) is None
    outcome = assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    assert outcome.kept
    assert "withdrawn" in outcome.sentence
    assert places_of(comparison) == (1, 1, 0, 0)
    assert assignment.in_hand(project, by=alice) is None


@pytest.mark.parametrize("strengths", [(1, 2), (1, 2, 3, 1), (0, 1, 2), (1, 2, 4)])
def test_strengths_are_one_to_three_and_one_a_gap(project: Project, alice: User, strengths: tuple[int, ...]) -> None:
    make_comparison(project=project)
    lease = claim(project, alice)
    with pytest.raises(AssignmentError, match="every two neighbouring tiers"):
        assignment.submit(lease, in_shown_order(lease, strengths=strengths), key=uuid.uuid4(), by=alice)


def test_what_the_project_asks_for_is_asked_of_every_order_but_of_no_abstention(project: Project, alice: User) -> None:
    Project.objects.filter(id=project.id).update(asks_ratings=True, asks_strengths=True)
    make_comparisons(project=project, num=3)
    lease = claim(project, alice)
    rated = tuple(RatingGiven(completion_id=one, overall=4) for one in lease.shown_order)
    no_value = (*rated[:3], RatingGiven(completion_id=lease.shown_order[3], flags={"hallucination": True}))
    for lacking, words in (
        ({"strengths": (1, 1, 1)}, "4 of 4 have none"),
        ({"strengths": (1, 1, 1), "ratings": no_value}, "1 of 4 have none"),
        ({"ratings": rated}, "how much better each tier is"),
    ):
        with pytest.raises(AssignmentError, match=words):
            assignment.submit(lease, in_shown_order(lease, **lacking), key=uuid.uuid4(), by=alice)
    lease.refresh_from_db()
    assert lease.state == Lease.State.OPEN  # what was refused has closed nothing
    assert not Ranking.objects.exists()
    assignment.submit(lease, in_shown_order(lease, strengths=(1, 1, 1), ratings=rated), key=uuid.uuid4(), by=alice)
    lease = claim(project, alice)
    tied = Submission(
        tiers=(tuple(lease.shown_order),),
        ratings=tuple(RatingGiven(completion_id=one, overall=4) for one in lease.shown_order),
    )
    assignment.submit(lease, tied, key=uuid.uuid4(), by=alice)  # of one tier nothing is better than the next
    lease = claim(project, alice)
    assignment.submit(lease, Submission(abstained="no idea"), key=uuid.uuid4(), by=alice)
    assert Ranking.objects.count() == 3


def test_a_submission_that_counts_already_is_not_asked_for_more(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, key = claim(project, alice), uuid.uuid4()
    ranking = assignment.submit(lease, in_shown_order(lease), key=key, by=alice).ranking
    Project.objects.filter(id=project.id).update(asks_ratings=True, asks_strengths=True)
    assert assignment.submit(lease, in_shown_order(lease), key=key, by=alice).ranking == ranking


def test_a_simulated_trainer_is_asked_for_an_order_alone(project: Project) -> None:
    Project.objects.filter(id=project.id).update(asks_ratings=True, asks_strengths=True)
    make_comparison(project=project)
    robot = make_user(is_simulated=True, projects=[project])
    lease = claim(project, robot)
    assert assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=robot).ranking is not None
