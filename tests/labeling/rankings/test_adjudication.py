"""The queue of adjudications: who is given what, blind; what a decision counts for; and what is taken back."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.models import Adjudication, AuditEvent, Comparison, Lease, Project, ReturnedRanking, User
from labeling.rankings import adjudication, assignment, disagreement, mending
from labeling.rankings.adjudication import TakenMeanwhile
from labeling.rankings.assignment import Nothing
from labeling.rankings.mending import change_key
from labeling.rankings.submission import AssignmentError, StaleDraft, Submission
from tests.labeling.factories import make_comparison, make_user
from tests.labeling.rankings.disputed import adjudicated, in_order, lease_of, make_disputed, rank, take

pytestmark = pytest.mark.django_db


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", role="admin")


@pytest.fixture
def rita(project: Project) -> User:
    return make_user(username="rita", role="reviewer", projects=[project])


@pytest.fixture
def ruth(project: Project) -> User:
    return make_user(username="ruth", role="reviewer", projects=[project])


@pytest.fixture
def comparison(project: Project, alice: User, bob: User, adam: User) -> Comparison:
    made = make_disputed(project, alice, bob)
    disagreement.send(made, by=adam)
    return made


def run_out(held: Adjudication) -> None:
    Adjudication.objects.filter(id=held.id).update(expires_at=timezone.now() - timedelta(seconds=1))


def test_a_reviewer_takes_orders_and_decides(project: Project, comparison: Comparison, rita: User) -> None:
    held = take(project, rita)
    assert (held.comparison, held.reviewer, held.state) == (comparison, rita, "waiting")
    assert sorted(held.shown_order) == sorted(str(one.id) for one in comparison.completions.all())
    assert adjudication.in_hand(project, by=rita) == held
    given = adjudication.order(held, in_order(comparison, 0, 0, 1, 2, seconds=9.0), key=uuid.uuid4(), by=rita)
    assert (given.state, len(given.tiers), given.seconds) == ("ordered", 3, 9.0)
    done = adjudication.decide(given, reason="taste", words="Two ways to read it.\n", by=rita)
    assert (done.state, done.reason, done.words) == ("done", "taste", "Two ways to read it.\n")
    assert list(Adjudication.objects.in_force()) == [done]
    verbs = list(AuditEvent.objects.filter(subject_id=str(done.id)).order_by("id").values_list("verb", "by__username"))
    assert verbs == [("send to adjudication", "adam"), ("order adjudication", "rita"), ("decide adjudication", "rita")]


def test_nobody_is_given_what_they_ranked_hold_wrote_or_saw(
    project: Project, comparison: Comparison, alice: User, rita: User, ruth: User
) -> None:
    User.objects.filter(id=alice.id).update(role="reviewer")
    assert adjudication.claim(project, by=alice) is None
    adjudication.note_seen(rita, comparison)
    assert adjudication.claim(project, by=rita) is None
    comparison.completions.filter(index=0).update(author=ruth)
    assert adjudication.claim(project, by=ruth) is None
    Project.objects.update(forbids_own_text=False)
    project.refresh_from_db()
    assert adjudication.claim(project, by=ruth) is not None


def test_who_ranked_without_a_place_is_not_given_it(project: Project, comparison: Comparison, rita: User) -> None:
    chosen = in_order(comparison, 0, 1, 1, 1)
    tiers = [list(tier) for tier in chosen.tiers]
    comparison.rankings.create(trainer=rita, submission_key=uuid.uuid4(), tiers=tiers, is_choice=True)
    assert adjudication.claim(project, by=rita) is None


def test_who_holds_a_place_in_the_comparison_is_not_given_its_adjudication(
    project: Project, alice: User, bob: User, adam: User, rita: User
) -> None:
    comparison = make_comparison(project=project, rankings_wanted=3)
    rank(project, alice)
    rank(project, bob, 3, 2, 1, 0)
    held = assignment.claim(project, by=rita)
    assert isinstance(held, Lease)
    disagreement.send(comparison, by=adam)
    assert adjudication.claim(project, by=rita) is None
    assignment.skip(held, reason="", by=rita)
    assert adjudication.claim(project, by=rita) is not None


def test_who_adjudicates_or_has_seen_the_orders_is_not_given_the_comparison_to_rank(
    project: Project, alice: User, bob: User, adam: User, rita: User, ruth: User
) -> None:
    comparison = make_comparison(project=project, rankings_wanted=5)
    rank(project, alice)
    rank(project, bob, 3, 2, 1, 0)
    disagreement.send(comparison, by=adam)
    take(project, rita)
    adjudication.note_seen(ruth, comparison)
    assert isinstance(assignment.claim(project, by=rita), Nothing)
    assert isinstance(assignment.claim(project, by=ruth), Nothing)
    carl = make_user(username="carl", projects=[project])
    assert isinstance(assignment.claim(project, by=carl), Lease)


def test_one_that_ran_out_is_for_others_and_its_order_counts_until_it_is_taken(
    project: Project, comparison: Comparison, rita: User, ruth: User
) -> None:
    held = take(project, rita)
    assert adjudication.claim(project, by=ruth) is None
    run_out(held)
    assert take(project, ruth) == held
    with pytest.raises(TakenMeanwhile, match="Somebody else has taken"):
        adjudication.order(held, in_order(comparison), key=uuid.uuid4(), by=rita)
    with pytest.raises(TakenMeanwhile):
        adjudication.renew(held, by=rita)
    run_out(held)
    given = adjudication.order(held, in_order(comparison), key=uuid.uuid4(), by=ruth)
    assert (given.state, given.reviewer) == ("ordered", ruth)


def test_a_board_comes_back_as_it_was_left_and_is_nobody_elses(
    project: Project, comparison: Comparison, rita: User, ruth: User
) -> None:
    held = take(project, rita)
    assert adjudication.save_draft(held, draft={"board": 1}, version=0, by=rita) == 1
    with pytest.raises(StaleDraft):
        adjudication.save_draft(held, draft={"board": 2}, version=0, by=rita)
    with pytest.raises(TakenMeanwhile):
        adjudication.save_draft(held, draft={"board": 3}, version=1, by=ruth)
    run_out(held)
    again = take(project, rita)
    assert (again.draft, again.shown_order) == ({"board": 1}, held.shown_order)
    run_out(held)
    assert take(project, ruth).draft == {}


def test_what_was_given_back_is_for_others(project: Project, comparison: Comparison, rita: User, ruth: User) -> None:
    held = take(project, rita)
    adjudication.give_back(held, by=ruth)
    assert adjudication.in_hand(project, by=rita) == held
    adjudication.give_back(held, by=rita)
    assert adjudication.claim(project, by=rita) is None
    assert take(project, ruth) == held


def test_the_same_order_twice_is_one_and_another_is_refused(
    project: Project, comparison: Comparison, rita: User
) -> None:
    held, key = take(project, rita), uuid.uuid4()
    given = adjudication.order(held, in_order(comparison), key=key, by=rita)
    assert adjudication.order(held, in_order(comparison), key=key, by=rita) == given
    with pytest.raises(TakenMeanwhile, match="another order already"):
        adjudication.order(held, in_order(comparison, 3, 2, 1, 0), key=key, by=rita)


def test_an_adjudication_is_a_whole_order(project: Project, comparison: Comparison, rita: User) -> None:
    held = take(project, rita)
    with pytest.raises(AssignmentError, match="is an order"):
        adjudication.order(held, Submission(abstained="Hard."), key=uuid.uuid4(), by=rita)
    with pytest.raises(AssignmentError, match="exactly one place"):
        adjudication.order(held, Submission(tiers=((held.shown_order[0],),)), key=uuid.uuid4(), by=rita)


def test_an_order_of_somebody_who_saw_the_others_does_not_count(
    project: Project, comparison: Comparison, rita: User
) -> None:
    held = take(project, rita)
    adjudication.note_seen(rita, comparison)
    with pytest.raises(TakenMeanwhile, match="seen how others did"):
        adjudication.order(held, in_order(comparison), key=uuid.uuid4(), by=rita)


def test_only_the_reviewer_decides_and_only_once(
    project: Project, comparison: Comparison, rita: User, ruth: User
) -> None:
    held = take(project, rita)
    with pytest.raises(TakenMeanwhile):
        adjudication.decide(held, reason="taste", by=rita)
    given = adjudication.order(held, in_order(comparison), key=uuid.uuid4(), by=rita)
    with pytest.raises(TakenMeanwhile):
        adjudication.decide(given, reason="taste", by=ruth)
    adjudication.decide(given, reason="taste", by=rita)
    with pytest.raises(TakenMeanwhile):
        adjudication.decide(given, reason="mistake", by=rita)


def test_a_returned_ranking_is_changed_once_whatever_the_time(
    project: Project, comparison: Comparison, bob: User, rita: User
) -> None:
    Project.objects.update(minutes_to_change=0)
    old = comparison.rankings.get(trainer=bob)
    lease = lease_of(old)
    with pytest.raises(AssignmentError, match="is over"):
        mending.change(lease, in_order(comparison), key=change_key(old.id), by=bob)
    adjudicated(project, rita, returned={lease.id: "Look at D again."})
    lease = Lease.objects.get(id=lease.id)
    back = mending.returned(lease)
    assert back is not None
    assert back.words == "Look at D again."
    assert mending.may_change(lease)
    new = mending.change(lease, in_order(comparison), key=change_key(old.id), by=bob)
    assert new.retracted_at is None
    assert not mending.may_change(lease)
    with pytest.raises(AssignmentError, match="is over"):
        mending.change(lease, in_order(comparison, 3, 2, 1, 0), key=change_key(new.id), by=bob)


def test_who_stands_by_a_returned_ranking_submits_it_as_it_is(
    project: Project, comparison: Comparison, bob: User, rita: User
) -> None:
    old = comparison.rankings.get(trainer=bob)
    lease = lease_of(old)
    adjudicated(project, rita, returned={lease.id: ""})
    assert mending.change(lease, in_order(comparison, 3, 2, 1, 0), key=change_key(old.id), by=bob) == old
    assert mending.returned(Lease.objects.get(id=lease.id)) is None


def test_a_ranking_of_another_comparison_cannot_be_returned(
    project: Project, comparison: Comparison, alice: User, rita: User
) -> None:
    make_comparison(project=project)
    other = lease_of(rank(project, alice))
    with pytest.raises(AssignmentError, match="withdrawn meanwhile"):
        adjudicated(project, rita, returned={other.id: ""})
    assert not ReturnedRanking.objects.exists()


def test_who_gave_it_withdraws_it_and_an_admin_calls_off_what_is_not_decided(
    project: Project, comparison: Comparison, bob: User, rita: User, ruth: User, adam: User
) -> None:
    lease = lease_of(comparison.rankings.get(trainer=bob))
    done = adjudicated(project, rita, returned={lease.id: "Please."})
    for other in (ruth, adam):
        with pytest.raises(TakenMeanwhile):
            adjudication.withdraw(done, by=other)
    adjudication.withdraw(done, by=rita)
    assert not Adjudication.objects.in_force().exists()
    assert mending.returned(Lease.objects.get(id=lease.id)) is None
    with pytest.raises(TakenMeanwhile):
        adjudication.withdraw(done, by=rita)
    waiting = disagreement.send(comparison, by=adam)
    assert adjudication.claim(project, by=rita) is None  # she has seen the orders
    with pytest.raises(TakenMeanwhile):
        adjudication.withdraw(waiting, by=ruth)
    adjudication.withdraw(waiting, by=adam)
    assert adjudication.claim(project, by=ruth) is None
    assert AuditEvent.objects.filter(verb="call adjudication off", by=adam).count() == 1


def test_it_takes_no_place_and_counts_as_no_ranking(project: Project, comparison: Comparison, rita: User) -> None:
    before = (comparison.num_rankings, comparison.open_slots, comparison.distance)
    adjudicated(project, rita)
    comparison.refresh_from_db()
    assert (comparison.num_rankings, comparison.open_slots, comparison.distance) == before


def test_guidelines_that_were_unclear_are_listed_until_a_new_version(
    project: Project, comparison: Comparison, rita: User
) -> None:
    done = adjudicated(project, rita, reason="unclear guideline", wants_revision=True)
    assert list(Adjudication.objects.that_want_a_revision(project)) == [done]
    project.guideline_versions.create(version=100, text="Clearer.")
    assert not Adjudication.objects.that_want_a_revision(project).exists()


def test_an_archived_project_hands_out_nothing_new(project: Project, comparison: Comparison, rita: User) -> None:
    Project.objects.update(archived_at=timezone.now())
    project.refresh_from_db()
    assert adjudication.claim(project, by=rita) is None
