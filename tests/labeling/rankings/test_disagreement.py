"""How far rankings differ is kept as they come, change and go; what differs too much is sent to adjudication."""

import random
import uuid
from functools import reduce
from itertools import combinations
from operator import add

import pytest

from labeling.models import Adjudication, AuditEvent, Comparison, Project, Ranking, User
from labeling.models.distances import measure_distances
from labeling.rankings import adjudication, disagreement, mending
from labeling.rankings.mending import change_key
from labeling.statistics.agreement import PairCounts, compare_rankings
from tests.labeling.factories import make_comparison, make_comparisons, make_user
from tests.labeling.rankings.disputed import in_order, lease_of, make_disputed, rank

pytestmark = pytest.mark.django_db


def distance_of(comparison: Comparison) -> float | None:
    return Comparison.objects.get(id=comparison.id).distance


def test_the_distance_in_the_row_is_that_of_the_formula(project: Project) -> None:
    generator = random.Random(7)
    for comparison in make_comparisons(project=project, num=12, num_completions=5):
        ids = [str(one.id) for one in comparison.completions.all()]
        for _ in range(generator.randint(2, 5)):
            tiers: list[list[str]] = [[] for _ in range(4)]
            for one in ids:
                generator.choice(tiers).append(one)
            Ranking.objects.create(
                comparison=comparison, submission_key=uuid.uuid4(), tiers=[tier for tier in tiers if tier]
            )
    measure_distances([comparison.id for comparison in project.comparisons.all()])
    measured, expected = [], []
    for comparison in project.comparisons.all():
        orders = [ranking.tiers for ranking in comparison.rankings.all()]
        counts = reduce(add, (compare_rankings(*two) for two in combinations(orders, 2)), PairCounts())
        measured.append(comparison.distance)
        expected.append(counts.distance)
    assert len(expected) == 12
    assert measured == pytest.approx(expected)


def test_it_is_measured_as_rankings_come_change_and_go(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project, rankings_wanted=2)
    rank(project, alice)
    assert distance_of(comparison) is None
    bobs = rank(project, bob, 0, 1, 3, 2)
    assert distance_of(comparison) == pytest.approx(1 / 6)
    new = mending.change(lease_of(bobs), in_order(comparison, 3, 2, 1, 0), key=change_key(bobs.id), by=bob)
    assert distance_of(comparison) == 1
    mending.withdraw(new, by=bob)
    assert distance_of(comparison) is None
    new.refresh_from_db()
    mending.put_back(new, by=bob)
    assert distance_of(comparison) == 1


def test_an_abstention_is_no_order(project: Project, alice: User, bob: User) -> None:
    comparison = make_comparison(project=project, rankings_wanted=2)
    rank(project, alice)
    Ranking.objects.create(comparison=comparison, trainer=bob, submission_key=uuid.uuid4(), abstained="Too hard.")
    measure_distances([comparison.id])
    assert distance_of(comparison) is None


def test_the_rule_sends_what_is_agreed_on_less_when_the_last_ranking_comes(
    project: Project, alice: User, bob: User
) -> None:
    Project.objects.update(adjudicates_below=80)
    project.refresh_from_db()
    comparison = make_comparison(project=project, rankings_wanted=3)
    rank(project, alice)
    rank(project, bob, 3, 2, 1, 0)
    assert not Adjudication.objects.exists()
    rank(project, make_user(username="carl", projects=[project]))
    sent = Adjudication.objects.get()
    assert (sent.comparison, sent.sent_by, sent.below, sent.state) == (comparison, None, 80, "waiting")
    event = AuditEvent.objects.get(verb="send to adjudication")
    assert (event.by, event.project, event.detail["below"]) == (None, project, 80)


def test_the_rule_leaves_what_reaches_the_agreement(project: Project, alice: User, bob: User) -> None:
    """One of six pairs is opposite: an agreement of 83 percent."""
    for below, sent in ((83, 0), (84, 1)):
        Project.objects.update(adjudicates_below=below)
        project.refresh_from_db()
        make_comparison(project=project, rankings_wanted=2)
        rank(project, alice)
        rank(project, bob, 0, 1, 3, 2)
        assert Adjudication.objects.count() == sent


def test_a_change_of_a_full_comparison_is_measured_by_the_rule_and_sent_once(
    project: Project, alice: User, bob: User
) -> None:
    Project.objects.update(adjudicates_below=80)
    project.refresh_from_db()
    comparison = make_comparison(project=project, rankings_wanted=2)
    rank(project, alice)
    bobs = rank(project, bob)
    assert not Adjudication.objects.exists()
    changed = mending.change(lease_of(bobs), in_order(comparison, 3, 2, 1, 0), key=change_key(bobs.id), by=bob)
    sent = Adjudication.objects.get()
    adjudication.withdraw(sent, by=make_user(username="adam", role="admin"))
    mending.change(lease_of(changed), in_order(comparison, 3, 2, 1, 1), key=change_key(changed.id), by=bob)
    assert Adjudication.objects.get() == sent


def test_an_admin_sends_what_differs_once(project: Project, alice: User, bob: User) -> None:
    adam = make_user(username="adam", role="admin")
    comparison = make_disputed(project, alice, bob)
    sent = disagreement.send(comparison, by=adam)
    assert (sent.sent_by, sent.below, sent.state) == (adam, None, "waiting")
    with pytest.raises(disagreement.NotDisputed, match="sent already"):
        disagreement.send(comparison, by=adam)
    lone = make_comparison(project=project)
    rank(project, alice)
    with pytest.raises(disagreement.NotDisputed, match="no two rankings"):
        disagreement.send(lone, by=adam)
    Comparison.objects.filter(id=comparison.id).update(state="withdrawn")
    with pytest.raises(disagreement.NotDisputed, match="withdrawn"):
        disagreement.send(comparison, by=adam)
