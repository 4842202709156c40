"""Two at the queue at once, one of whom has not committed yet: who waits, who does not, and what the other finds."""

import uuid
from functools import partial

import pytest
from django.db.models.functions import Now

from labeling.dialogues import review
from labeling.models import Comparison, Dialogue, Lease, Membership, Project, User
from labeling.rankings import assignment, corrections
from labeling.rankings.assignment import Nothing
from labeling.rankings.practice import submit_practice
from labeling.rankings.queue_order import take_next
from labeling.rankings.references import InvalidReference, make_reference
from labeling.rankings.submission import Submission
from tests.labeling import factories
from tests.labeling.factories import make_comparison, make_comparisons, places_of
from tests.labeling.rankings.at_work import after_waiting, claim, in_shown_order, lose, run_out, without_waiting

pytestmark = pytest.mark.django_db(transaction=True)


def take(project: Project, by: User) -> Lease:
    """A place, in the transaction that is open."""
    lease = take_next(project, Membership.objects.get(project=project, user=by))
    assert lease is not None
    return lease


def close(lease: Lease, state: Lease.State) -> None:
    Lease.objects.filter(id=lease.id).update(state=state, closed_at=Now())


def test_a_submission_counts_the_place_that_another_is_just_given(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project, rankings_wanted=2)
    lease = claim(project, alice)
    submit = partial(assignment.submit, lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    assert after_waiting(partial(take, project, bob), submit).ranking is not None
    assert places_of(comparison) == (2, 0, 1, 1)


def test_one_who_comes_late_waits_for_the_one_who_is_just_given_the_last_place(
    project: Project, alice: User, bob: User
) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    lose(lease)
    submit = partial(assignment.submit, lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    assert after_waiting(partial(take, project, bob), submit).kept
    assert places_of(comparison) == (1, 0, 1, 0)


def test_a_comparison_that_somebody_is_submitting_is_passed_over(project: Project, alice: User) -> None:
    first, second = (make_comparison(project=project, queue_key=key) for key in (0.1, 0.2))
    submitting = partial(Comparison.objects.select_for_update(no_key=True).get, id=first.id)
    found = without_waiting(submitting, partial(assignment.claim, project, by=alice))
    assert found.comparison_id == second.id


def test_a_place_that_another_is_just_given_is_passed_over(project: Project, alice: User, bob: User) -> None:
    first, second = (make_comparison(project=project, queue_key=key) for key in (0.1, 0.2))
    found = without_waiting(partial(take, project, bob), partial(assignment.claim, project, by=alice))
    assert found.comparison_id == second.id
    assert places_of(first) == places_of(second) == (1, 0, 1, 0)


def test_a_second_tab_waits_for_the_first_and_is_given_the_same(project: Project, alice: User) -> None:
    make_comparisons(project=project, num=2)

    def first_tab() -> None:
        Membership.objects.select_for_update().get(user=alice)
        take(project, alice)

    found = after_waiting(first_tab, partial(assignment.claim, project, by=alice))
    assert found == Lease.objects.get()


def test_what_is_submitted_meanwhile_is_not_in_hand(project: Project, alice: User) -> None:
    make_comparisons(project=project, num=2)
    lease = claim(project, alice)
    found = after_waiting(partial(close, lease, Lease.State.SUBMITTED), partial(assignment.claim, project, by=alice))
    assert (found.state, found.comparison_id != lease.comparison_id) == (Lease.State.OPEN, True)


def test_a_sweep_leaves_the_lease_that_is_just_renewed(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    run_out(lease)
    assert after_waiting(partial(assignment.renew, lease, by=alice, seconds=1), assignment.expire_leases) == 0
    assert places_of(comparison) == (1, 0, 1, 0)


def test_a_sweep_passes_over_a_comparison_that_somebody_is_submitting(project: Project, alice: User, bob: User) -> None:
    for person in (alice, bob):
        make_comparison(project=project)
        run_out(claim(project, person))
    one = Lease.objects.get(trainer=alice).comparison
    submitting = partial(Comparison.objects.select_for_update(no_key=True).get, id=one.id)
    assert without_waiting(submitting, assignment.expire_leases) == 1
    assert Lease.objects.get(trainer=alice).state == Lease.State.OPEN


def test_the_last_two_exercises_sent_at_once_complete_the_practice_set() -> None:
    project = factories.make_project(practice_required=True)
    (alice,) = factories.make_users(num=1, project=project)
    practise = []
    for _ in range(2):
        comparison = factories.make_reference(project=project, use="practice").comparison
        order = Submission(tiers=tuple(map(tuple, comparison.reference.tiers)))
        practise.append(partial(submit_practice, comparison, order, shown=[], key=uuid.uuid4(), by=alice))
    after_waiting(*practise)
    assert Membership.objects.get(user=alice).practised_at is not None


def test_two_who_make_a_reference_of_one_comparison_make_one(project: Project, rita: User) -> None:
    comparison = make_comparison(project=project)
    first, *others = [str(completion.id) for completion in comparison.completions.all()]
    order = Submission(tiers=((first,), tuple(others)))
    make = partial(make_reference, comparison, order, use="gold", by=rita)
    with pytest.raises(InvalidReference, match="already"):
        after_waiting(partial(make, key=uuid.uuid4()), partial(make, key=uuid.uuid4()))
    assert Comparison.objects.count() == 2


def test_a_text_that_is_sent_twice_at_once_is_one_demonstration(project: Project, alice: User) -> None:
    make_comparison(project=project)
    write = partial(corrections.write_better, claim(project, alice), content="Paris!", key=uuid.uuid4(), by=alice)
    assert after_waiting(write, write) == Dialogue.objects.get()


def test_two_sweeps_make_one_comparison_of_an_accepted_text(project: Project, alice: User, rita: User) -> None:
    make_comparison(project=project, round=project.current_round)
    lease = claim(project, alice)
    text = corrections.write_better(lease, content="Paris!", key=uuid.uuid4(), by=alice)
    assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    review.accept(text, by=rita)
    sweep = partial(corrections.create_comparisons_from_corrections, project)
    assert after_waiting(sweep, sweep) == 0
    assert Comparison.objects.count() == 2


def test_an_expired_item_that_is_submitted_meanwhile_is_not_given_out_again() -> None:
    project = factories.make_project(gold_every=1)
    factories.make_reference(project=project)
    (alice,) = factories.make_users(num=1, project=project)
    lease = claim(project, alice)
    lose(lease)
    found = after_waiting(partial(close, lease, Lease.State.SUBMITTED), partial(assignment.claim, project, by=alice))
    assert isinstance(found, Nothing)
    assert Lease.objects.get().state == Lease.State.SUBMITTED
