"""Whose rankings count towards the agreement with references, which of several, and when it shows."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.models import PracticeRanking, Project, Ranking, Reference, User
from labeling.rankings.reference_agreement import (
    figures_by_reference,
    gold_agreement_by_trainer,
    gold_agreement_until_today,
    practice_agreement,
)
from tests.labeling.factories import make_project, make_reference, make_user

pytestmark = pytest.mark.django_db


def rank(reference: Reference, by: User, *, turned: bool = False, days_ago: int = 0, **fields: object) -> None:
    """In the reference's order, or the opposite: of 6 pairs all alike, or none."""
    tiers = reference.tiers[::-1] if turned else reference.tiers
    values = {"comparison": reference.comparison, "trainer": by, "submission_key": uuid.uuid4(), "tiers": tiers}
    is_practice = reference.comparison.use == "practice"
    row = PracticeRanking(shown_order=[], **values) if is_practice else Ranking(**values | fields)
    row.save()
    type(row).objects.filter(pk=row.pk).update(ranked_at=timezone.now() - timedelta(days=days_ago))  # type: ignore[attr-defined]


def test_of_gold_items_what_stands_and_what_people_ordered_counts(project: Project, alice: User, bob: User) -> None:
    program = make_user(projects=[project], is_simulated=True)
    gold, other = (make_reference(project=project) for _ in range(2))
    elsewhere = make_reference(project=make_project())
    rank(gold, alice)
    rank(gold, bob, turned=True, retracted_at=timezone.now())
    rank(gold, program, turned=True)
    rank(other, bob, abstained="no idea")
    rank(elsewhere, alice, turned=True)
    found = gold_agreement_by_trainer(project)
    assert {trainer: (one.value, one.n) for trainer, one in found.items()} == {alice.id: (1.0, 6)}
    figures = figures_by_reference(Reference.objects.of(project))
    assert {key: one.num_people for key, one in figures.items()} == {gold.comparison_id: 1}


def test_for_a_reference_a_persons_first_practice_counts_and_for_the_person_the_last(
    project: Project, alice: User
) -> None:
    exercise = make_reference(project=project, use="practice")
    for days_ago, turned in ((3, True), (2, True), (1, False)):
        rank(exercise, alice, days_ago=days_ago, turned=turned)
    rank(exercise, make_user(projects=[project], is_simulated=True))
    (figures,) = figures_by_reference(Reference.objects.of(project)).values()
    assert figures.agreement is not None
    assert (figures.num_people, figures.agreement.value, figures.agreement.n) == (1, 0.0, 6)
    own = practice_agreement(alice)
    assert own is not None
    assert (own.value, own.n) == (1.0, 6)


def test_todays_gold_items_do_not_show_before_midnight(project: Project, alice: User, bob: User) -> None:
    early, late = (make_reference(project=project) for _ in range(2))
    rank(early, alice, days_ago=1)
    rank(late, alice, turned=True)
    rank(early, bob, days_ago=1, turned=True)
    own = gold_agreement_until_today(alice)
    assert own is not None
    assert (own.value, own.n) == (1.0, 6)
