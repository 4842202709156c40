"""The practice set: done in passes, kept apart from rankings, noted on the membership, asked for first."""

import uuid

import pytest

from labeling.models import Comparison, Lease, Membership, PracticeRanking, Project, Ranking, User
from labeling.rankings import assignment
from labeling.rankings.assignment import Nothing
from labeling.rankings.practice import exercises, exercises_left, shown_order, submit_practice
from labeling.rankings.references import set_retired
from labeling.rankings.submission import AssignmentError, Submission
from tests.labeling.factories import make_comparison, make_project, make_reference, make_user, places_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(practice_required=True)
    for _ in range(2):
        make_reference(project=project, use="practice")
    return project


def practise(comparison: Comparison, by: User, *, key: uuid.UUID | None = None) -> PracticeRanking:
    """Ranks as the reference does."""
    submission = Submission(tiers=tuple(map(tuple, comparison.reference.tiers)))
    shown = shown_order(comparison, by=by)
    return submit_practice(comparison, submission, shown=shown, key=key or uuid.uuid4(), by=by)


def upcoming(project: Project, by: User) -> Comparison | None:
    exercise = next(iter(exercises_left(exercises(project, by=by))), None)
    return exercise.comparison if exercise else None


def practised_at(by: User) -> object:
    return Membership.objects.get(user=by).practised_at


def test_the_set_is_done_in_its_order_and_noted_at_its_end(project: Project, alice: User) -> None:
    first, second = (exercise.comparison for exercise in exercises(project, by=alice))
    assert upcoming(project, alice) == first
    practise(first, alice)
    assert upcoming(project, alice) == second
    assert practised_at(alice) is None
    practise(second, alice)
    assert upcoming(project, alice) is None
    assert practised_at(alice) is not None
    assert [exercise.num_times for exercise in exercises(project, by=alice)] == [1, 1]


def test_practice_is_no_ranking_and_takes_no_place(project: Project, alice: User) -> None:
    offered = exercises(project, by=alice)
    assert len(offered) == 2
    for exercise in offered:
        practise(exercise.comparison, alice)
        assert places_of(exercise.comparison) == (1, 0, 0, 0)
    assert not Ranking.objects.exists()
    assert not Lease.objects.exists()


def test_it_may_be_repeated_and_the_newest_time_is_what_shows(project: Project, alice: User) -> None:
    comparison = exercises(project, by=alice)[0].comparison
    before = [str(completion) for completion in comparison.completions.order_by("index").values_list("id", flat=True)]
    turned = Submission(tiers=tuple((identifier,) for identifier in reversed(before)))
    submit_practice(comparison, turned, shown=before, key=uuid.uuid4(), by=alice)
    counts = exercises(project, by=alice)[0].counts
    assert counts is not None
    assert (counts.alike, counts.opposite) == (0, 6)
    practise(comparison, alice)
    exercise = exercises(project, by=alice)[0]
    assert exercise.counts is not None
    assert (exercise.num_times, exercise.counts.alike, exercise.counts.opposite) == (2, 6, 0)


def test_the_shown_order_stays_until_it_is_ranked(project: Project, alice: User) -> None:
    comparison = exercises(project, by=alice)[0].comparison
    orders = set()
    for _ in range(12):
        order = shown_order(comparison, by=alice)
        assert shown_order(comparison, by=alice) == order
        orders.add(tuple(order))
        practise(comparison, alice)
    assert len(orders) > 4  # of 24


def test_the_same_submission_again_is_the_same_practice(project: Project, alice: User) -> None:
    comparison, key = exercises(project, by=alice)[0].comparison, uuid.uuid4()
    assert practise(comparison, alice, key=key) == practise(comparison, alice, key=key)
    other = make_user(username="bob", projects=[project])
    with pytest.raises(AssignmentError, match="reload"):
        practise(comparison, other, key=key)


@pytest.mark.parametrize("change", ["order", "line", "comparison"])
def test_another_practice_under_the_same_key_is_refused(project: Project, alice: User, change: str) -> None:
    """Its feedback would be on what was sent first."""
    comparison, other = (exercise.comparison for exercise in exercises(project, by=alice))
    key = uuid.uuid4()
    ranking = practise(comparison, alice, key=key)
    tiers = tuple(map(tuple, other.reference.tiers if change == "comparison" else comparison.reference.tiers))
    again = Submission(
        tiers=tiers[::-1] if change == "order" else tiers, unacceptable_from=1 if change == "line" else None
    )
    with pytest.raises(AssignmentError, match="reload"):
        submit_practice(other if change == "comparison" else comparison, again, shown=[], key=key, by=alice)
    assert PracticeRanking.objects.get() == ranking


def test_it_wants_an_order_that_makes_sense(project: Project, alice: User) -> None:
    comparison = exercises(project, by=alice)[0].comparison
    for submission in (Submission(abstained="dunno"), Submission(tiers=(("nobody",),))):
        with pytest.raises(AssignmentError):
            submit_practice(comparison, submission, shown=[], key=uuid.uuid4(), by=alice)
    assert not PracticeRanking.objects.exists()


def test_real_work_waits_until_the_set_is_done(project: Project, alice: User) -> None:
    make_comparison(project=project)
    answer = assignment.claim(project, by=alice)
    assert isinstance(answer, Nothing)
    assert answer.practice_first
    for exercise in exercises(project, by=alice):
        practise(exercise.comparison, alice)
    assert isinstance(assignment.claim(project, by=alice), Lease)


def test_work_in_hand_is_finished_first(project: Project, alice: User) -> None:
    Project.objects.update(practice_required=False)
    make_comparison(project=project)
    project.refresh_from_db()
    lease = assignment.claim(project, by=alice)
    Project.objects.update(practice_required=True)
    project.refresh_from_db()
    assert assignment.claim(project, by=alice) == lease


def test_nobody_waits_for_a_set_that_is_empty_or_retired(project: Project, alice: User) -> None:
    make_comparison(project=project)
    first, second = (exercise.comparison for exercise in exercises(project, by=alice))
    practise(first, alice)
    set_retired(second.reference, retired=True, by=alice)
    assert isinstance(assignment.claim(project, by=alice), Lease)


def test_admins_and_programs_need_no_practice(project: Project) -> None:
    make_comparison(project=project, rankings_wanted=2)
    adam = make_user(username="adam")
    program = make_user(username="program", projects=[project], is_simulated=True)
    for person in (adam, program):
        assert isinstance(assignment.claim(project, by=person), Lease)
