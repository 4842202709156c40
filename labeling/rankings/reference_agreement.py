"""Agreement of people with reference rankings, per comparison for those who made it and per person.

Pairwise agreement with ties counting half and a Wilson interval. Retracted rankings, abstentions and simulated
trainers are left out.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from labeling.models import Comparison, PracticeRanking, Project, Ranking, Reference, User
from labeling.statistics.agreement import PairCounts, compare_rankings
from labeling.statistics.intervals import Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceFigures:
    """How many people ranked a reference and their agreement with it; for practice, that of their first attempt."""

    num_people: int
    agreement: Estimate | None


NO_FIGURES = ReferenceFigures(num_people=0, agreement=None)


def figures_by_reference(references: QuerySet[Reference]) -> dict[uuid.UUID, ReferenceFigures]:
    """Figures by the comparison's id; comparisons that nobody has ranked are missing."""
    tiers = dict(references.values_list("comparison_id", "tiers"))
    first = PracticeRanking.objects.filter(comparison__in=tiers, trainer__is_simulated=False)
    first = first.order_by("comparison_id", "trainer_id", "ranked_at").distinct("comparison_id", "trainer_id")
    counts: defaultdict[uuid.UUID, list[PairCounts]] = defaultdict(list)
    for rankings in (first, _gold_rankings().filter(comparison__in=tiers)):
        for comparison_id, given in rankings.values_list("comparison_id", "tiers"):
            counts[comparison_id].append(compare_rankings(given, tiers[comparison_id]))
    return {
        comparison_id: ReferenceFigures(num_people=len(several), agreement=_pooled(several))
        for comparison_id, several in counts.items()
    }


def gold_agreement_by_trainer(project: Project) -> dict[uuid.UUID, Estimate]:
    """Agreement with the gold items of a project by the trainer's id; trainers who ranked none are missing."""
    rankings = _gold_rankings().filter(comparison__project=project)
    counts: defaultdict[uuid.UUID, list[PairCounts]] = defaultdict(list)
    for trainer_id, given, known in rankings.values_list("trainer_id", "tiers", "comparison__reference__tiers"):
        counts[trainer_id].append(compare_rankings(given, known))
    found = {trainer_id: _pooled(several) for trainer_id, several in counts.items()}
    return {trainer_id: estimate for trainer_id, estimate in found.items() if estimate is not None}


def gold_agreement_until_today(user: User) -> Estimate | None:
    """A person's agreement with the gold items that they ranked before today; None if there are none.

    Today's rankings are left out: otherwise a change of the figure would reveal that the last comparison was gold.
    """
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rankings = _gold_rankings().filter(trainer=user, ranked_at__lt=midnight)
    return _agreement(rankings.values_list("tiers", "comparison__reference__tiers"))


def practice_agreement(user: User) -> Estimate | None:
    """A person's agreement in practice, over their latest ranking of each exercise; None if there are none."""
    newest = PracticeRanking.objects.filter(trainer=user).order_by("comparison_id", "-ranked_at")
    return _agreement(newest.distinct("comparison_id").values_list("tiers", "comparison__reference__tiers"))


def _gold_rankings() -> Any:
    standing = Ranking.objects.filter(comparison__use=Comparison.Use.GOLD, retracted_at=None, abstained=None)
    return standing.filter(trainer__is_simulated=False, comparison__reference__isnull=False)


def _agreement(pairs_of_tiers: Iterable[Any]) -> Estimate | None:
    return _pooled(compare_rankings(given, known) for given, known in pairs_of_tiers)


def _pooled(several: Iterable[PairCounts]) -> Estimate | None:
    return sum(several, PairCounts()).rate("half")
