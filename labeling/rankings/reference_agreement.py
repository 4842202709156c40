"""How people did where the order is known: by comparison for those who made it, by person for themselves and reviewers.

Agreement is over pairs of completions, ties counting half, with the Wilson interval of a share. Simulated trainers
are left out.
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
    """How the people did who ranked one of them; in practice, at their first time."""

    num_people: int
    agreement: Estimate | None


NOBODY = ReferenceFigures(num_people=0, agreement=None)


def figures_by_reference(references: QuerySet[Reference]) -> dict[uuid.UUID, ReferenceFigures]:
    """Figures by comparison; those that nobody has ranked are missing."""
    tiers = dict(references.values_list("comparison_id", "tiers"))
    first = PracticeRanking.objects.filter(comparison__in=tiers, trainer__is_simulated=False)
    first = first.order_by("comparison_id", "trainer_id", "ranked_at").distinct("comparison_id", "trainer_id")
    counts: defaultdict[uuid.UUID, list[PairCounts]] = defaultdict(list)
    for rankings in (first, _gold_rankings().filter(comparison__in=tiers)):
        for comparison_id, given in rankings.values_list("comparison_id", "tiers"):
            counts[comparison_id].append(compare_rankings(given, tiers[comparison_id]))
    return {
        comparison_id: ReferenceFigures(num_people=len(several), agreement=_together(several))
        for comparison_id, several in counts.items()
    }


def gold_agreement_by_trainer(project: Project) -> dict[uuid.UUID, Estimate]:
    """Each trainer's agreement with the gold items of a project; those who had none are missing."""
    rankings = _gold_rankings().filter(comparison__project=project)
    counts: defaultdict[uuid.UUID, list[PairCounts]] = defaultdict(list)
    for trainer_id, given, known in rankings.values_list("trainer_id", "tiers", "comparison__reference__tiers"):
        counts[trainer_id].append(compare_rankings(given, known))
    found = {trainer_id: _together(several) for trainer_id, several in counts.items()}
    return {trainer_id: estimate for trainer_id, estimate in found.items() if estimate is not None}


def gold_agreement_until_today(user: User) -> Estimate | None:
    """A person's agreement with gold items, as far as they ranked them before today.

    What they rank now does not move it: else one look at it would tell whether the last one was gold.
    """
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rankings = _gold_rankings().filter(trainer=user, ranked_at__lt=midnight)
    return _agreement(rankings.values_list("tiers", "comparison__reference__tiers"))


def practice_agreement(user: User) -> Estimate | None:
    """A person's agreement in practice, each exercise as they ranked it last."""
    newest = PracticeRanking.objects.filter(trainer=user).order_by("comparison_id", "-ranked_at")
    return _agreement(newest.distinct("comparison_id").values_list("tiers", "comparison__reference__tiers"))


def _gold_rankings() -> Any:
    standing = Ranking.objects.filter(comparison__use=Comparison.Use.GOLD, retracted_at=None, abstained=None)
    return standing.filter(trainer__is_simulated=False, comparison__reference__isnull=False)


def _agreement(pairs_of_tiers: Iterable[Any]) -> Estimate | None:
    return _together(compare_rankings(given, known) for given, known in pairs_of_tiers)


def _together(several: Iterable[PairCounts]) -> Estimate | None:
    return sum(several, PairCounts()).rate("half")
