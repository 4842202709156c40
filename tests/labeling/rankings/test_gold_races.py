"""Gold items under many people at once: the queue's law holds, and nobody waits. One race at a time: test_locks.py."""

import uuid
from functools import partial

import pytest

from labeling.models import Comparison, Lease, Membership, Ranking
from labeling.rankings import assignment
from tests.labeling.factories import (
    make_comparison,
    make_comparisons,
    make_project,
    make_reference,
    make_users,
    places_of,
)
from tests.labeling.rankings.at_work import in_shown_order
from tests.labeling.rankings.test_assignment_races import BROKEN, OVERFULL, at_once, number, watched, work_day

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_storm_with_gold_mixed_in_never_breaks_the_law() -> None:
    project = make_project(rankings_wanted=3, gold_every=3)
    make_comparisons(project=project, num=30, num_completions=3)
    gold = [make_reference(project=project).comparison for _ in range(5)]
    trainers = make_users(num=12, project=project)
    with watched() as looks:
        at_once([partial(work_day, project, trainers, seed=n, num_acts=30) for n in range(8)])
    assert len(looks) > 5
    assert not any(looks)
    assert number(BROKEN) == number(OVERFULL) == 0
    assert Ranking.objects.filter(comparison__in=gold, retracted_at=None).count() > 10
    assert Ranking.objects.filter(comparison__use="work", retracted_at=None).count() > 10
    assert set(Comparison.objects.filter(use="gold").values_list("open_slots", "state")) == {(0, "open")}


def test_all_who_are_due_are_given_the_same_item_at_once() -> None:
    project = make_project(gold_every=1)
    gold = make_reference(project=project).comparison
    work = make_comparison(project=project)
    trainers = make_users(num=8, project=project)
    found = at_once([partial(assignment.claim, project, by=trainer) for trainer in trainers])
    assert [lease.comparison_id for lease in found] == [gold.id] * 8

    def submit(lease: Lease) -> bool:
        return assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=lease.trainer).kept

    assert not any(at_once([partial(submit, lease) for lease in found]))
    assert places_of(gold) == (1, 0, 0, 8)
    assert places_of(work) == (1, 1, 0, 0)


def test_many_tabs_of_one_trainer_are_given_one_gold_item_and_counted_once() -> None:
    project = make_project(gold_every=1)
    for _ in range(4):
        make_reference(project=project)
    (trainer,) = make_users(num=1, project=project)
    found = at_once([partial(assignment.claim, project, by=trainer)] * 8)
    assert len({lease.id for lease in found}) == 1
    assert Lease.objects.count() == 1
    assert Membership.objects.get(user=trainer).num_claims == 1


def test_a_gold_item_that_runs_out_gives_no_place_back() -> None:
    project = make_project(gold_every=1)
    gold = make_reference(project=project).comparison
    for trainer in make_users(num=6, project=project):
        assignment.claim(project, by=trainer)
    Lease.objects.update(expires_at="2020-01-01T00:00Z")
    assert sum(at_once([assignment.expire_leases] * 4)) + assignment.expire_leases() == 6
    assert places_of(gold) == (1, 0, 0, 0)
