"""The queue and its rule: who is given what, and what becomes of it. Races are in test_assignment_races.py."""

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from labeling.models import AuditEvent, Comparison, Completion, Lease, Membership, Project, User
from labeling.rankings import assignment
from labeling.rankings.assignment import Nothing
from labeling.rankings.submission import AssignmentError, StaleDraft
from tests.labeling.factories import make_chat, make_comparison, make_comparisons, make_project, make_user, places_of
from tests.labeling.rankings.at_work import claim, in_shown_order, lose, run_out

pytestmark = pytest.mark.django_db


def test_a_claim_holds_a_place_and_records_the_shown_order(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project, rankings_wanted=2)
    lease = claim(project, alice)
    assert lease.comparison_id == comparison.id
    assert places_of(comparison) == (2, 1, 1, 0)
    shown = set(map(str, comparison.completions.values_list("id", flat=True)))
    assert len(lease.shown_order) == 4
    assert set(lease.shown_order) == shown
    assert lease.reason
    assert timedelta(minutes=29) < lease.expires_at - timezone.now() < timedelta(minutes=31)


def test_the_shown_order_is_drawn_anew_for_every_trainer(project: Project) -> None:
    make_comparison(project=project, rankings_wanted=40, num_completions=4)
    orders = {tuple(claim(project, make_user(projects=[project])).shown_order) for _trainer in range(12)}
    assert len(orders) > 6  # of 24; that twelve draws give six or fewer has a chance below 0.002


def test_the_comparison_in_hand_comes_first_and_its_time_is_extended(project: Project, alice: User) -> None:
    make_comparisons(project=project, num=3)
    lease = claim(project, alice)
    Lease.objects.filter(id=lease.id).update(expires_at=timezone.now() + timedelta(minutes=1))
    again = claim(project, alice)
    assert again.id == lease.id
    assert again.expires_at - timezone.now() > timedelta(minutes=29)
    assert again.shown_order == lease.shown_order
    assert assignment.in_hand(project, by=alice) == lease


def test_a_place_whose_time_is_over_but_that_nobody_took_is_still_in_hand(project: Project, alice: User) -> None:
    make_comparisons(project=project, num=2)
    lease = claim(project, alice)
    run_out(lease)
    assert claim(project, alice).id == lease.id


def test_work_of_an_earlier_day_is_not_in_hand(project: Project, alice: User) -> None:
    make_comparisons(project=project, num=2)
    first = claim(project, alice)
    assignment.submit(first, in_shown_order(first), key=uuid.uuid4(), by=alice)
    second = claim(project, alice)
    assert second != first
    assert claim(project, alice) == assignment.in_hand(project, by=alice) == second


def test_a_lease_that_ran_out_gives_its_place_back(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    assert isinstance(assignment.claim(project, by=bob), Nothing)
    lose(lease)
    assert places_of(comparison) == (1, 1, 0, 0)
    assert claim(project, bob).comparison_id == comparison.id


def test_a_dead_sweeper_starves_nobody(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project)
    run_out(claim(project, alice))
    assert claim(project, bob).comparison_id == comparison.id  # nobody called expire_leases
    assert places_of(comparison) == (1, 0, 1, 0)


def test_what_was_skipped_does_not_come_back(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    assignment.skip(lease, reason="Not my topic", by=alice)
    assignment.skip(lease, reason="pressed twice", by=alice)
    lease.refresh_from_db()
    assert (lease.state, lease.skip_reason) == (Lease.State.SKIPPED, "Not my topic")
    assert places_of(comparison) == (1, 1, 0, 0)
    assert isinstance(assignment.claim(project, by=alice), Nothing)
    assert claim(project, bob).comparison_id == comparison.id
    (skipped,) = AuditEvent.objects.filter(verb="skip comparison", by=alice, subject_id=str(lease.id))
    assert skipped.detail["reason"] == "Not my topic"


def test_what_was_skipped_bars_nothing_that_stands_behind_it(project: Project, alice: User) -> None:
    first, second = (make_comparison(project=project, queue_key=key) for key in (0.1, 0.2))
    lease = claim(project, alice)
    assert lease.comparison_id == first.id
    assignment.skip(lease, reason="", by=alice)
    assert claim(project, alice).comparison_id == second.id


def test_an_expired_lease_that_is_skipped_gives_its_place_back_once(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project, rankings_wanted=2)
    lease = claim(project, alice)
    claim(project, bob)
    lose(lease)
    assignment.skip(lease, reason="", by=alice)
    assert places_of(comparison) == (2, 1, 1, 0)
    assert isinstance(assignment.claim(project, by=alice), Nothing)


def test_a_ranking_cannot_be_skipped(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    assignment.skip(lease, reason="", by=alice)
    lease.refresh_from_db()
    assert lease.state == Lease.State.SUBMITTED
    assert places_of(comparison) == (1, 0, 0, 1)


def test_leases_of_one_comparison_that_run_out_together_give_all_their_places_back(
    project: Project, alice: User, bob: User
) -> None:
    comparison = make_comparison(project=project, rankings_wanted=3)
    for person in (alice, bob):
        run_out(claim(project, person))
    assert assignment.expire_leases() == 2
    assert places_of(comparison) == (3, 3, 0, 0)


def test_the_leases_of_one_project_are_closed_without_those_of_others(project: Project, alice: User) -> None:
    elsewhere = make_project()
    Membership.objects.create(project=elsewhere, user=alice)
    for one in (project, elsewhere):
        make_comparison(project=one)
        run_out(claim(one, alice))
    assert assignment.expire_leases(project) == 1
    assert Lease.objects.get(state=Lease.State.OPEN).comparison.project == elsewhere


def test_work_in_hand_is_of_the_project_and_the_oldest_first(project: Project, alice: User) -> None:
    elsewhere = make_project()
    Membership.objects.create(project=elsewhere, user=alice)
    for one in (elsewhere, project):
        make_comparisons(project=one, num=2)
        claim(one, alice)
    first = Lease.objects.get(trainer=alice, comparison__project=project)
    other = Comparison.objects.filter(project=project).exclude(id=first.comparison_id).get()
    older = Lease.objects.create(comparison=other, trainer=alice, shown_order=[], expires_at=first.expires_at)
    Lease.objects.filter(id=older.id).update(opened_at=first.opened_at - timedelta(hours=1))
    assert claim(project, alice) == assignment.in_hand(project, by=alice) == older


def test_a_lease_that_ran_out_comes_back_with_its_draft(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    assignment.save_draft(lease, draft={"shelves": {"x": 1}}, version=0, by=alice)
    lose(lease)
    again = claim(project, alice)
    assert (again.id, again.draft, again.shown_order) == (lease.id, {"shelves": {"x": 1}}, lease.shown_order)
    assert again.closed_at is None
    assert again.expires_at - timezone.now() > timedelta(minutes=29)
    assert places_of(comparison) == (1, 0, 1, 0)


def test_nobody_ranks_their_own_dialogue_where_the_project_forbids_it(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project, dialogue=make_chat(project=project, author=alice))
    nothing = assignment.claim(project, by=alice)
    assert isinstance(nothing, Nothing)
    assert "other trainers" in nothing.reason
    project.forbids_own_text = False
    assert claim(project, alice).comparison_id == comparison.id


def test_nobody_ranks_a_completion_that_they_wrote(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project)
    Completion.objects.create(comparison=comparison, index=4, content="Paris, on the Seine.", author=alice)
    assert isinstance(assignment.claim(project, by=alice), Nothing)
    assert len(claim(project, bob).shown_order) == 5


def test_nobody_ranks_the_same_comparison_twice(project: Project, alice: User) -> None:
    make_comparison(project=project, rankings_wanted=3)
    lease = claim(project, alice)
    assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=alice)
    assert isinstance(assignment.claim(project, by=alice), Nothing)


def test_a_comparison_never_has_two_rankings_of_one_trainer_even_by_hand(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project, rankings_wanted=3)
    comparison.rankings.create(trainer=alice, submission_key=uuid.uuid4())
    with pytest.raises(IntegrityError), transaction.atomic():
        comparison.rankings.create(trainer=alice, submission_key=uuid.uuid4())


def test_the_queue_is_drawn_by_its_key(project: Project, alice: User) -> None:
    late, early = (make_comparison(project=project, queue_key=key) for key in (0.7, -0.3))
    first = claim(project, alice)
    assert first.comparison_id == early.id
    assignment.submit(first, in_shown_order(first), key=uuid.uuid4(), by=alice)
    assert claim(project, alice).comparison_id == late.id


def test_practice_and_other_projects_are_not_in_the_queue(project: Project, alice: User) -> None:
    make_comparison(project=project, use="practice")
    make_comparison(project=make_project())
    nothing = assignment.claim(project, by=alice)
    assert isinstance(nothing, Nothing)
    assert "no comparisons" in nothing.reason


def test_the_reason_says_how_far_a_comparison_is(project: Project, alice: User, bob: User) -> None:
    make_comparison(project=project, rankings_wanted=2)
    assert "Next in the queue" in claim(project, alice).reason
    assert "completes it" in claim(project, bob).reason


@pytest.mark.parametrize(
    ("state", "words"),
    [("sampling", "being sampled"), ("done", "Everything is ranked"), ("failed", "Everything is ranked")],
)
def test_nothing_comes_with_its_reason(project: Project, alice: User, state: str, words: str) -> None:
    make_comparison(project=project, state=state)
    nothing = assignment.claim(project, by=alice)
    assert isinstance(nothing, Nothing)
    assert words in nothing.reason


def test_a_stranger_to_the_project_is_given_nothing(project: Project) -> None:
    make_comparison(project=project)
    nothing = assignment.claim(project, by=make_user(username="charlie"))
    assert isinstance(nothing, Nothing)
    assert "do not work in this project" in nothing.reason


def test_an_admin_ranks_without_having_been_added(project: Project) -> None:
    make_comparison(project=project)
    adam = make_user(username="adam")
    claim(project, adam)
    assert Membership.objects.filter(project=project, user=adam).count() == 1


def test_a_place_belongs_to_the_trainer_who_holds_it(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    with pytest.raises(AssignmentError):
        assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=bob)
    with pytest.raises(AssignmentError):
        assignment.renew(lease, by=bob, seconds=1)
    with pytest.raises(AssignmentError):
        assignment.save_draft(lease, draft={}, version=0, by=bob)
    with pytest.raises(AssignmentError):
        assignment.skip(lease, reason="", by=bob)
    assert places_of(comparison) == (1, 0, 1, 0)


def test_a_sign_of_life_extends_the_lease_and_counts_time(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease = claim(project, alice)
    Lease.objects.filter(id=lease.id).update(expires_at=timezone.now() + timedelta(minutes=1))
    renewed = assignment.renew(lease, by=alice, seconds=30)
    assert renewed.expires_at - timezone.now() > timedelta(minutes=29)
    assert renewed.seconds == 30
    assert assignment.renew(lease, by=alice, seconds=12).seconds == 30  # another tab, younger, takes no time away


def test_a_sign_of_life_after_expiry_does_not_take_the_place_back(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project)
    lease = claim(project, alice)
    lose(lease)
    ended = Lease.objects.get(id=lease.id).expires_at
    with pytest.raises(AssignmentError, match="no longer reserved"):
        assignment.renew(lease, by=alice, seconds=1)
    assert Lease.objects.get(id=lease.id).expires_at == ended
    assert places_of(comparison) == (1, 1, 0, 0)


def test_a_draft_from_an_older_tab_is_refused_with_the_newer_one(project: Project, alice: User) -> None:
    make_comparison(project=project)
    lease = claim(project, alice)
    Lease.objects.filter(id=lease.id).update(expires_at=timezone.now() + timedelta(minutes=1))
    assert assignment.save_draft(lease, draft={"n": 1}, version=0, by=alice) == 1
    assert Lease.objects.get(id=lease.id).expires_at - timezone.now() > timedelta(minutes=29)
    with pytest.raises(StaleDraft) as stale:
        assignment.save_draft(lease, draft={"n": 2}, version=0, by=alice)
    assert (stale.value.version, stale.value.draft) == (1, {"n": 1})
    with pytest.raises(AssignmentError, match="too large"):
        assignment.save_draft(lease, draft={"n": "x" * 300_000}, version=1, by=alice)
