"""Gold items in the queue: once in N, where nobody expects it, never twice, and like any other comparison."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.models import Comparison, Lease, Membership, Project, Ranking, User
from labeling.rankings import assignment, mending
from labeling.rankings.assignment import Nothing
from labeling.rankings.gold_schedule import is_gold_due
from labeling.rankings.submission import Submission
from tests.labeling.factories import (
    make_comparison,
    make_comparisons,
    make_project,
    make_reference,
    make_users,
    places_of,
)
from tests.labeling.rankings.at_work import claim, in_shown_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(gold_every=4)


@pytest.fixture
def alice(project: Project) -> User:
    return make_users(num=1, project=project)[0]


def rank(project: Project, by: User) -> Lease:
    lease = claim(project, by)
    outcome = assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=by)
    assert outcome.ranking is not None
    return lease


def turns(project: Project, by: User, *, num: int) -> list[bool]:
    membership = Membership.objects.get(project=project, user=by)
    due = []
    for membership.num_claims in range(num):
        due.append(is_gold_due(project, membership))
    return due


def test_one_in_every_n_is_gold_at_a_place_that_changes(project: Project) -> None:
    alice, bob = make_users(num=2, project=project)
    due = turns(project, alice, num=160)
    blocks = [due[start : start + 4] for start in range(0, 160, 4)]
    assert [sum(block) for block in blocks] == [1] * 40
    assert {block.index(True) for block in blocks} == {0, 1, 2, 3}
    assert due == turns(project, alice, num=160)
    assert due != turns(project, bob, num=160)
    elsewhere = make_project(gold_every=4)
    Membership.objects.create(project=elsewhere, user=alice)
    assert due != turns(elsewhere, alice, num=160)


def test_without_gold_nothing_is_due_and_nothing_counted(project: Project, alice: User) -> None:
    project.gold_every = 0
    project.save()
    make_reference(project=project)
    make_comparisons(project=project, num=4)
    assert not any(rank(project, alice).comparison.use == "gold" for _ in range(4))
    assert Membership.objects.get(user=alice).num_claims == 0


def test_gold_items_come_when_they_are_due_each_once(project: Project, alice: User) -> None:
    references = [make_reference(project=project) for _ in range(3)]
    make_comparisons(project=project, num=40)
    leases = [rank(project, alice) for _ in range(20)]
    gold = [lease.comparison.use == "gold" for lease in leases]
    due = turns(project, alice, num=20)
    assert sum(due) == 5
    assert [number for number, is_gold in enumerate(gold) if is_gold] == [n for n, is_due in enumerate(due) if is_due][
        :3
    ]
    given = [lease.comparison_id for lease, is_gold in zip(leases, gold, strict=True) if is_gold]
    assert sorted(given) == sorted(reference.comparison_id for reference in references)


def test_each_person_gets_the_items_in_an_order_of_their_own(project: Project) -> None:
    project.gold_every = 1
    project.save()
    for _ in range(6):
        make_reference(project=project)
    first = {claim(project, trainer).comparison_id for trainer in make_users(num=12, project=project)}
    assert len(first) > 1  # that twelve draws of six are alike has a chance below 1e-8


def test_any_number_of_people_rank_it_and_no_place_is_used(project: Project) -> None:
    project.gold_every = 1
    project.save()
    gold = make_reference(project=project).comparison
    work = make_comparison(project=project)
    trainers = make_users(num=5, project=project)
    for trainer in trainers:
        assert rank(project, trainer).comparison == gold
    assert places_of(gold) == (1, 0, 0, 5)
    assert (gold.state, gold.num_rankings) == ("open", 5)
    assert places_of(work) == (1, 1, 0, 0)
    assert rank(project, trainers[0]).comparison == work
    assert isinstance(assignment.claim(project, by=trainers[0]), Nothing)


def test_what_happens_to_a_lease_happens_to_a_gold_one(project: Project, alice: User) -> None:
    project.gold_every = 1
    project.save()
    gold = make_reference(project=project).comparison
    lease = claim(project, alice)
    assert claim(project, alice) == lease
    Lease.objects.filter(id=lease.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert assignment.expire_leases(project) == 1
    again = claim(project, alice)
    assert again == lease
    assert "your board is as you left it" in again.reason
    ranking = assignment.submit(again, Submission(abstained="no idea"), key=uuid.uuid4(), by=alice).ranking
    assert ranking is not None
    other = Submission(tiers=(tuple(again.shown_order),))
    changed = mending.change(again, other, key=mending.change_key(ranking.id), by=alice)
    assert places_of(gold) == (1, 0, 0, 1)
    mending.withdraw(changed, by=alice)
    assert places_of(gold) == (1, 0, 0, 0)
    assert isinstance(assignment.claim(project, by=alice), Nothing)


def test_one_who_comes_late_still_counts_since_no_place_can_be_gone(project: Project, alice: User) -> None:
    project.gold_every = 1
    project.save()
    make_reference(project=project)
    lease = claim(project, alice)
    Lease.objects.filter(id=lease.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert assignment.expire_leases(project) == 1
    submission = Submission(tiers=(tuple(lease.shown_order),))
    assert not assignment.submit(lease, submission, key=uuid.uuid4(), by=alice).kept


def test_practice_is_never_handed_out(project: Project, alice: User) -> None:
    project.gold_every = 1
    project.save()
    make_reference(project=project, use="practice")
    assert isinstance(assignment.claim(project, by=alice), Nothing)


@pytest.mark.parametrize("wanted", [1, 3])
def test_its_sentence_is_one_that_work_says_too(wanted: int) -> None:
    project = make_project(rankings_wanted=wanted)
    make_comparisons(project=project, num=3)
    said = set()
    for trainer in make_users(num=9, project=project):
        if isinstance(lease := assignment.claim(project, by=trainer), Lease):
            said.add(lease.reason)
            assignment.submit(lease, Submission(abstained="-"), key=uuid.uuid4(), by=trainer)
    Comparison.objects.update(state="withdrawn")
    project.gold_every = 1
    project.save()
    make_reference(project=project)
    reasons = {claim(project, trainer).reason for trainer in make_users(num=40, project=project)}
    assert len(said) == wanted
    assert reasons == said  # that forty draws leave one of three out has a chance below 1e-6


def test_a_gold_ranking_is_an_ordinary_row(project: Project, alice: User) -> None:
    project.gold_every = 1
    project.save()
    make_reference(project=project)
    lease = rank(project, alice)
    ranking = Ranking.objects.get(lease=lease)
    assert ranking.shown_order == lease.shown_order
    assert ranking.guideline_version == project.guidelines
