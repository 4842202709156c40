"""Submitted rankings, changed and withdrawn: which version counts, in which place, and until when."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling.exports.retractions import retractions_in
from labeling.models import AuditEvent, Comparison, Delivery, Lease, Project, Ranking, User
from labeling.rankings import assignment, mending
from labeling.rankings.assignment import Nothing
from labeling.rankings.mending import MendedMeanwhile, change_key
from labeling.rankings.reference_agreement import gold_agreement_by_trainer
from labeling.rankings.submission import AssignmentError, RatingGiven, Submission
from tests.labeling.exports.material import exported
from tests.labeling.factories import make_comparison, make_comparisons, make_reference, places_of
from tests.labeling.rankings.at_work import claim, in_shown_order

pytestmark = pytest.mark.django_db


def ranked(project: Project, by: User, **fields: Any) -> tuple[Lease, Ranking]:
    lease = claim(project, by)
    ranking = assignment.submit(lease, in_shown_order(lease, **fields), key=uuid.uuid4(), by=by).ranking
    assert ranking is not None
    lease.refresh_from_db()
    return lease, ranking


def turned_round(lease: Lease, **fields: Any) -> Submission:
    return Submission(tiers=tuple((identifier,) for identifier in reversed(lease.shown_order)), **fields)


def change(lease: Lease, ranking: Ranking, by: User, **fields: Any) -> Ranking:
    return mending.change(lease, turned_round(lease, **fields), key=change_key(ranking.id), by=by)


def end_the_time(lease: Lease, *, minutes: int = 30) -> None:
    Lease.objects.filter(id=lease.id).update(closed_at=timezone.now() - timedelta(minutes=minutes))


def test_a_change_is_a_new_version_in_the_place_of_the_old_one(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease, old = ranked(project, alice, seconds=20.0, note="hard")
    rating = RatingGiven(completion_id=lease.shown_order[0], overall=2)
    new = change(lease, old, alice, seconds=5.0, note="easier than I thought", ratings=(rating,), unacceptable_from=3)
    old.refresh_from_db()
    assert old.retracted_at is not None
    assert (old.tiers, old.note) == ([[one] for one in lease.shown_order], "hard")
    assert (new.retracted_at, new.lease_id, new.note) == (None, lease.id, "easier than I thought")
    assert (new.tiers, new.unacceptable_from) == ([[one] for one in reversed(lease.shown_order)], 3)
    assert (new.shown_order, new.seconds, new.ratings.get().overall) == (lease.shown_order, 25.0, 2)
    assert mending.standing(lease) == new
    assert places_of(comparison) == (1, 0, 0, 1)
    assert (comparison.num_rankings, comparison.state) == (1, Comparison.State.DONE)
    event = AuditEvent.objects.get(verb="change ranking", by=alice)
    assert event.detail == {"lease": str(lease.id), "old": str(old.id), "new": str(new.id)}


def test_the_same_change_twice_is_one_version(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    assert change(lease, old, alice, seconds=3.0) == change(lease, old, alice, seconds=4.0)
    assert Ranking.objects.count() == 2


def test_a_change_that_changes_nothing_makes_no_version(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    assert mending.change(lease, in_shown_order(lease), key=change_key(old.id), by=alice) == old
    assert Ranking.objects.count() == 1


def test_of_two_changes_of_one_version_the_first_counts_and_the_second_is_told(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease, old = ranked(project, alice)
    first = change(lease, old, alice)
    with pytest.raises(MendedMeanwhile, match="this one does not"):
        change(lease, old, alice, note="another")
    second = change(lease, first, alice, note="in its turn")
    with pytest.raises(MendedMeanwhile, match="changed elsewhere"):
        change(lease, old, alice, note="another")
    assert mending.standing(lease) == second
    assert places_of(comparison) == (1, 0, 0, 1)


def test_the_time_to_change_is_counted_from_the_first_submission(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    end_the_time(lease, minutes=29)
    new = change(lease, old, alice)
    lease.refresh_from_db()
    assert timezone.now() < (mending.changes_until(lease) or timezone.now()) < timezone.now() + timedelta(minutes=2)
    end_the_time(lease)
    with pytest.raises(AssignmentError, match="is over, so the ranking that you submitted counts"):
        change(lease, new, alice, note="too late")
    new.refresh_from_db()
    assert (new.retracted_at, Ranking.objects.count()) == (None, 2)


def test_a_project_can_have_another_time_or_none(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    end_the_time(lease, minutes=50)
    Project.objects.update(minutes_to_change=60)
    new = mending.change(Lease.objects.get(id=lease.id), turned_round(lease), key=change_key(old.id), by=alice)
    Project.objects.update(minutes_to_change=0)
    lease = Lease.objects.get(id=lease.id)
    assert mending.changes_until(lease) is None
    with pytest.raises(AssignmentError, match="is over"):
        change(lease, new, alice, note="never")


def test_only_its_author_mends_a_ranking(project: Project, alice: User, bob: User) -> None:
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    with pytest.raises(AssignmentError, match="another trainer's"):
        change(lease, old, bob)
    with pytest.raises(AssignmentError, match="another trainer's"):
        mending.withdraw(old, by=bob)
    mending.withdraw(old, by=alice)
    with pytest.raises(AssignmentError, match="another trainer's"):
        mending.put_back(old, by=bob)


def test_a_change_makes_sense_as_a_submission_does(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    with pytest.raises(AssignmentError, match="exactly one place"):
        mending.change(lease, Submission(tiers=((lease.shown_order[0],),)), key=change_key(old.id), by=alice)
    abstained = mending.change(lease, Submission(abstained="I cannot"), key=change_key(old.id), by=alice)
    assert (abstained.abstained, abstained.tiers) == ("I cannot", [])


def test_a_ranking_of_a_withdrawn_comparison_is_not_changed(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease, old = ranked(project, alice)
    Comparison.objects.filter(id=comparison.id).update(state=Comparison.State.WITHDRAWN)
    with pytest.raises(AssignmentError, match="comparison was withdrawn"):
        change(lease, old, alice)
    assert mending.changes_until(Lease.objects.get(id=lease.id)) is None


def test_a_withdrawn_ranking_gives_its_place_to_others(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project)
    lease, ranking = ranked(project, alice)
    mending.withdraw(ranking, by=alice, reason="I had not read D")
    assert places_of(comparison) == (1, 1, 0, 0)
    assert (comparison.state, comparison.num_rankings) == (Comparison.State.OPEN, 0)
    assert AuditEvent.objects.get(verb="withdraw ranking", by=alice).detail == {"reason": "I had not read D"}
    assert isinstance(assignment.claim(project, by=alice), Nothing)
    with pytest.raises(AssignmentError, match="You withdrew"):
        assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    with pytest.raises(MendedMeanwhile, match="withdrawn meanwhile"):
        change(lease, ranking, alice)
    with pytest.raises(MendedMeanwhile, match="does not count any more"):
        mending.withdraw(ranking, by=alice)
    assert claim(project, bob).comparison_id == comparison.id
    assert places_of(comparison) == (1, 0, 1, 0)
    with pytest.raises(AssignmentError, match="Somebody else took its place"):
        mending.put_back(ranking, by=alice)
    assert places_of(comparison) == (1, 0, 1, 0)


def test_a_withdrawal_is_undone_while_the_place_is_free(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project)
    lease, ranking = ranked(project, alice)
    mending.withdraw(ranking, by=alice)
    mending.put_back(ranking, by=alice)
    assert (ranking.retracted_at, mending.standing(lease)) == (None, ranking)
    assert places_of(comparison) == (1, 0, 0, 1)
    assert comparison.state == Comparison.State.DONE
    assert isinstance(assignment.claim(project, by=bob), Nothing)
    assert AuditEvent.objects.filter(verb="put back ranking", by=alice).count() == 1
    with pytest.raises(MendedMeanwhile, match="not withdrawn"):
        mending.put_back(ranking, by=alice)
    lease.refresh_from_db()
    assert change(lease, ranking, alice).retracted_at is None


def test_a_version_that_was_changed_is_not_withdrawn_or_put_back(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    change(lease, old, alice)
    old.refresh_from_db()
    with pytest.raises(MendedMeanwhile):
        mending.withdraw(old, by=alice)
    with pytest.raises(MendedMeanwhile):
        mending.put_back(old, by=alice)


def test_a_late_copy_of_the_first_submission_does_not_undo_a_change(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    new = change(lease, old, alice)
    with pytest.raises(AssignmentError, match="already submitted"):
        assignment.submit(lease, in_shown_order(lease), key=old.submission_key, by=alice)
    assert mending.standing(lease) == new


def test_gold_items_are_mended_as_work_is_and_measured_by_what_counts(project: Project, alice: User) -> None:
    project.gold_every = 1
    project.save()
    reference = make_reference(project=project)
    lease = claim(project, alice)
    wrong = Submission(tiers=tuple(map(tuple, reversed(reference.tiers))))
    old = assignment.submit(lease, wrong, key=uuid.uuid4(), by=alice).ranking
    assert old is not None
    assert gold_agreement_by_trainer(project)[alice.id].value == 0
    right = Submission(tiers=tuple(map(tuple, reference.tiers)))
    new = mending.change(lease, right, key=change_key(old.id), by=alice)
    assert gold_agreement_by_trainer(project)[alice.id].value == 1
    assert places_of(reference.comparison) == (1, 0, 0, 1)
    mending.withdraw(new, by=alice)
    assert gold_agreement_by_trainer(project) == {}
    assert places_of(reference.comparison) == (1, 0, 0, 0)
    mending.put_back(new, by=alice)
    assert places_of(reference.comparison) == (1, 0, 0, 1)


@pytest.mark.usefixtures("store")
def test_exports_hold_the_version_that_counts_and_say_which_they_hold_no_more(project: Project, alice: User) -> None:
    make_comparisons(project=project, num=2)
    lease, old = ranked(project, alice)
    before = exported(project)
    new = change(lease, old, alice)
    after = exported(project)
    assert [retractions_in(export).num for export in (before, after)] == [1, 0]
    assert after.num_records == 1
    mending.withdraw(new, by=alice)
    assert [retractions_in(export).num for export in (before, after)] == [1, 1]
    mending.put_back(new, by=alice)
    assert [retractions_in(export).num for export in (before, after)] == [1, 0]


def test_a_change_announces_no_comparison_a_second_time(project: Project, alice: User) -> None:
    project.webhooks.create(url="https://example.org/", events=["comparison.completed"])
    make_comparison(project=project)
    lease, old = ranked(project, alice)
    assert Delivery.objects.count() == 1
    change(lease, old, alice)
    assert Delivery.objects.count() == 1
