"""Two who mend one ranking at once, each in a transaction of its own: the second waits, and is told what counts."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db.models.functions import Now

from labeling.models import Comparison, Lease, Project, Ranking, User
from labeling.rankings import assignment, mending
from labeling.rankings.mending import MendedMeanwhile, change_key
from labeling.rankings.submission import AssignmentError, Submission
from tests.labeling.factories import make_comparison, make_project, make_user, places_of
from tests.labeling.overlapping import overlap
from tests.labeling.rankings.at_work import claim, in_shown_order, lose

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="at-once")


@pytest.fixture
def alice(project: Project) -> User:
    return make_user(username="alice", projects=[project])


@pytest.fixture
def ranking(project: Project, alice: User) -> Ranking:
    make_comparison(project=project)
    lease = claim(project, alice)
    outcome = assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    assert outcome.ranking is not None
    return outcome.ranking


def changing(ranking: Ranking, **fields: Any) -> Callable[[], Ranking]:
    """A change of this version, by the page that was opened with it."""
    lease = Lease.objects.get(id=ranking.lease_id)
    submission = Submission(tiers=(tuple(lease.shown_order),), **fields)
    return partial(mending.change, lease, submission, key=change_key(ranking.id), by=lease.trainer)


def withdrawing(ranking: Ranking) -> Callable[[], None]:
    seen = Ranking.objects.get(id=ranking.id)
    assert seen.trainer is not None
    return partial(mending.withdraw, seen, by=seen.trainer)


def counted(ranking: Ranking) -> list[str]:
    """The notes of the rankings that count."""
    rankings = Ranking.objects.filter(comparison=ranking.comparison_id, retracted_at=None)
    return list(rankings.values_list("note", flat=True))


def test_of_two_changes_at_once_one_counts_and_the_other_is_told(ranking: Ranking) -> None:
    with pytest.raises(MendedMeanwhile, match="this one does not"):
        overlap(changing(ranking, note="first"), changing(ranking, note="second"))
    assert counted(ranking) == ["first"]
    assert places_of(ranking.comparison) == (1, 0, 0, 1)


def test_the_same_change_at_once_is_one_version(ranking: Ranking) -> None:
    new = overlap(changing(ranking, note="once"), changing(ranking, note="once"))
    assert counted(ranking) == ["once"]
    assert new.note == "once"
    assert Ranking.objects.count() == 2


def test_a_change_that_meets_a_withdrawal_does_not_count_and_is_told_so(ranking: Ranking) -> None:
    with pytest.raises(MendedMeanwhile, match="withdrawn meanwhile"):
        overlap(withdrawing(ranking), changing(ranking, note="late"))
    assert counted(ranking) == []
    assert places_of(ranking.comparison) == (1, 1, 0, 0)


def test_a_withdrawal_that_meets_a_change_withdraws_nothing(ranking: Ranking) -> None:
    with pytest.raises(MendedMeanwhile, match="changed or withdrawn before"):
        overlap(changing(ranking, note="first"), withdrawing(ranking))
    assert counted(ranking) == ["first"]
    assert places_of(ranking.comparison) == (1, 0, 0, 1)


def test_two_withdrawals_at_once_give_the_place_back_once(ranking: Ranking) -> None:
    with pytest.raises(MendedMeanwhile):
        overlap(withdrawing(ranking), withdrawing(ranking))
    assert places_of(ranking.comparison) == (1, 1, 0, 0)


def test_a_withdrawal_is_undone_once(ranking: Ranking, alice: User) -> None:
    mending.withdraw(ranking, by=alice)
    one, other = (Ranking.objects.get(id=ranking.id) for _ in range(2))
    with pytest.raises(MendedMeanwhile, match="not withdrawn"):
        overlap(partial(mending.put_back, one, by=alice), partial(mending.put_back, other, by=alice))
    assert places_of(ranking.comparison) == (1, 0, 0, 1)


def test_a_change_that_meets_a_retraction_by_somebody_else_does_not_count(ranking: Ranking) -> None:
    """An admin takes the ranking out under the same locks: the comparison first, then its ranking."""

    def retract() -> None:
        comparison = Comparison.objects.select_for_update().get(id=ranking.comparison_id)
        Ranking.objects.filter(id=ranking.id).update(retracted_at=Now())
        comparison.num_rankings, comparison.open_slots, comparison.state = 0, 1, Comparison.State.OPEN
        comparison.save()

    with pytest.raises(MendedMeanwhile, match="withdrawn meanwhile"):
        overlap(retract, changing(ranking, note="late"))
    assert counted(ranking) == []
    assert places_of(ranking.comparison) == (1, 1, 0, 0)


def test_a_change_that_meets_the_withdrawal_of_its_comparison_does_not_count(ranking: Ranking) -> None:
    leave_out = Comparison.objects.filter(id=ranking.comparison_id).update
    with pytest.raises(AssignmentError, match="comparison was withdrawn"):
        overlap(partial(leave_out, state=Comparison.State.WITHDRAWN), changing(ranking, note="late"))
    assert counted(ranking) == [""]


def test_the_time_is_over_for_a_change_that_waited_until_it_was(ranking: Ranking) -> None:
    """The time is read after the lock, not when the page was sent."""

    def age() -> None:
        Comparison.objects.select_for_update().get(id=ranking.comparison_id)
        Lease.objects.filter(id=ranking.lease_id).update(closed_at="2026-01-01T00:00:00Z")

    with pytest.raises(AssignmentError, match="is over"):
        overlap(age, changing(ranking, note="late"))
    assert counted(ranking) == [""]


def test_the_place_of_a_withdrawn_ranking_is_given_to_one_person(
    ranking: Ranking, project: Project, alice: User
) -> None:
    mending.withdraw(ranking, by=alice)
    bob = make_user(username="bob", projects=[project])
    lease = claim(project, bob)
    lose(lease)
    submit = partial(assignment.submit, lease, in_shown_order(lease), key=uuid.uuid4(), by=bob)
    back = Ranking.objects.get(id=ranking.id)
    assert overlap(partial(mending.put_back, back, by=alice), submit).kept
    assert places_of(ranking.comparison) == (1, 0, 0, 1)
