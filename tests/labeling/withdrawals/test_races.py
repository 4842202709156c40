"""A withdrawal beside those who submit, change and withdraw at the same moment, each on a connection of their own."""

import uuid
from functools import partial

import pytest

from labeling.models import Lease, Project, Ranking, User, Withdrawal
from labeling.rankings import assignment, mending
from labeling.rankings.mending import MendedMeanwhile, change_key
from labeling.rankings.submission import Submission
from labeling.withdrawals import batches
from tests.labeling.factories import make_comparison, make_project, make_user, places_of
from tests.labeling.overlapping import overlap
from tests.labeling.rankings.at_work import claim, in_shown_order
from tests.labeling.withdrawals.material import comparison_of, counts, rank, withdraw_all

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="at-once")


@pytest.fixture
def alice(project: Project) -> User:
    return make_user(username="alice", projects=[project])


@pytest.fixture
def adam() -> User:
    return make_user(username="adam")


def test_a_submission_that_began_before_is_waited_for_and_withdrawn_too(
    project: Project, alice: User, adam: User
) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    submitting = partial(assignment.submit, lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    withdrawal = overlap(submitting, partial(withdraw_all, project, alice, by=adam))
    assert withdrawal.state == Withdrawal.State.DONE
    assert not counts(Ranking.objects.get())
    assert places_of(comparison) == (1, 1, 0, 0)


def test_a_change_that_began_before_is_withdrawn_with_what_it_changed(
    project: Project, alice: User, adam: User
) -> None:
    ranking = rank(project, alice)
    lease = Lease.objects.get(id=ranking.lease_id)
    submission = Submission(tiers=(tuple(lease.shown_order),))
    changing = partial(mending.change, lease, submission, key=change_key(ranking.id), by=alice)
    withdrawal = overlap(changing, partial(withdraw_all, project, alice, by=adam))
    assert withdrawal.rows.count() == 1
    assert not Ranking.objects.filter(retracted_at=None).exists()
    assert places_of(comparison_of(ranking)) == (1, 1, 0, 0)


def test_a_change_that_comes_during_a_batch_is_refused(project: Project, alice: User, adam: User) -> None:
    ranking = rank(project, alice)
    lease = Lease.objects.get(id=ranking.lease_id)
    changing = partial(
        mending.change, lease, Submission(tiers=(tuple(lease.shown_order),)), key=change_key(ranking.id), by=alice
    )
    with pytest.raises(MendedMeanwhile):
        overlap(partial(withdraw_all, project, alice, by=adam), changing)
    assert places_of(comparison_of(ranking)) == (1, 1, 0, 0)


def test_an_author_who_withdraws_at_once_is_counted_once(project: Project, alice: User, adam: User) -> None:
    ranking = rank(project, alice)
    hers = partial(mending.withdraw, Ranking.objects.get(id=ranking.id), by=alice)
    withdrawal = overlap(hers, partial(withdraw_all, project, alice, by=adam))
    assert withdrawal.rows.count() == 0
    assert places_of(comparison_of(ranking)) == (1, 1, 0, 0)


def test_two_who_go_on_with_one_withdrawal_take_turns(
    project: Project, alice: User, adam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rankings = [rank(project, alice) for _ in range(4)]
    with monkeypatch.context() as patched:
        patched.setattr(batches, "PATIENCE", 0.0)
        withdrawal = withdraw_all(project, alice, by=adam)
    overlap(partial(batches._batch, withdrawal.id), batches.sweep)
    assert withdrawal.rows.count() == 4
    assert not any(map(counts, rankings))
    assert all(places_of(comparison_of(one)) == (1, 1, 0, 0) for one in rankings)
