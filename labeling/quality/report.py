"""Quality of a project's rankings: agreement, ties, and biases of position and length, with intervals.

Reads the newest rankings. Rankings by simulated trainers and imported ones are counted apart and never enter people's
agreement.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from uuid import UUID

from django.db.models import Prefetch

from labeling.models import Comparison, Completion, Project, Ranking, User
from labeling.quality.policy_comparison import Source, SourceFigures, source_figures, source_of
from labeling.rankings.reference_agreement import gold_agreement_by_trainer
from labeling.statistics.agreement import (
    PairCounts,
    compare_rankings,
    ordered_pairs,
    position_bias,
    shown_earlier_wins,
    tied_pairs,
)
from labeling.statistics.intervals import Estimate, bootstrap, proportion, ratio_of_sums
from labeling.statistics.length_bias import preference_for_longer

NEWEST = 5000  # rankings that are read, so that the page stays fast


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingFields:
    """The fields of a ranking that the statistics read."""

    comparison_id: str
    trainer: User | None
    kind: str
    tiers: list[list[str]]
    shown_order: list[str]
    seconds: float | None
    abstained: bool
    is_choice: bool
    lengths: dict[str, int]
    sources: dict[str, Source]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerFigures:
    trainer: User
    num_rankings: int
    num_abstained: int
    median_seconds: float | None
    agreement: Estimate | None
    gold: Estimate | None  # agreement with the project's gold items
    prefers_longer: Estimate | None


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityFigures:
    """All figures of one project; None where nothing can be computed."""

    num_rankings: int
    num_abstained: int
    num_simulated: int
    num_imported: int
    agreement: Estimate | None
    agreement_ties_half: Estimate | None
    chance_ties_half: float
    tied: Estimate | None
    earlier_wins: Estimate | None
    earlier_wins_p: float | None
    prefers_longer: Estimate | None
    median_seconds: float | None
    trainers: list[TrainerFigures]
    sources: list[SourceFigures]


def quality_figures(project: Project) -> QualityFigures:
    """Figures over the newest rankings of people, and the numbers of the others."""
    kept = _newest(project)
    people = [ranking for ranking in kept if ranking.kind == "person"]
    judged = [ranking for ranking in people if not ranking.abstained]
    pairs = _pairs_by_comparison([ranking for ranking in judged if not ranking.is_choice])
    totals = sum((counts for per in pairs.values() for _, _, counts in per), PairCounts())
    earlier_won, earlier_total = _earlier_wins(judged)
    earlier = position_bias(earlier_won, earlier_total) if earlier_total else None
    return QualityFigures(
        num_rankings=len(kept),
        num_abstained=sum(ranking.abstained for ranking in people),
        num_simulated=sum(ranking.kind == "simulated" for ranking in kept),
        num_imported=sum(ranking.kind == "imported" for ranking in kept),
        agreement=_clustered(pairs.values()),
        agreement_ties_half=totals.rate("half"),
        chance_ties_half=totals.chance("half"),
        tied=_tied(judged),
        earlier_wins=earlier.share if earlier else None,
        earlier_wins_p=earlier.p if earlier else None,
        prefers_longer=preference_for_longer(_lengths(judged)),
        median_seconds=_median(ranking.seconds for ranking in judged),
        trainers=_trainer_figures(people, pairs, gold_agreement_by_trainer(project)),
        sources=source_figures(judged),
    )


def _newest(project: Project) -> list[RankingFields]:
    rankings = (
        Ranking.objects.filter(comparison__project=project, comparison__use=Comparison.Use.WORK, retracted_at=None)
        .select_related("trainer")
        .prefetch_related(Prefetch("comparison__completions", queryset=Completion.objects.select_related("policy")))
        .order_by("-ranked_at")[:NEWEST]
    )
    return [
        RankingFields(
            comparison_id=str(ranking.comparison_id),
            trainer=ranking.trainer,
            kind=_kind(ranking.trainer),
            tiers=ranking.tiers,
            shown_order=ranking.shown_order,
            seconds=ranking.seconds,
            abstained=ranking.abstained is not None,
            is_choice=ranking.is_choice,
            lengths={str(one.id): len(one.content) for one in ranking.comparison.completions.all()},
            sources={str(one.id): source for one in ranking.comparison.completions.all() if (source := source_of(one))},
        )
        for ranking in rankings
    ]


def _kind(trainer: User | None) -> str:
    if trainer is None:
        return "imported"
    return "simulated" if trainer.is_simulated else "person"


PairsByComparison = dict[str, list[tuple[User, User, PairCounts]]]


def _pairs_by_comparison(rankings: Sequence[RankingFields]) -> PairsByComparison:
    """Pair counts of every two trainers, for comparisons with several rankings."""
    by_comparison: defaultdict[str, list[RankingFields]] = defaultdict(list)
    for ranking in rankings:
        by_comparison[ranking.comparison_id].append(ranking)
    return {
        identifier: [
            (one.trainer, other.trainer, compare_rankings(one.tiers, other.tiers))
            for one, other in combinations(several, 2)
            if one.trainer is not None and other.trainer is not None
        ]
        for identifier, several in by_comparison.items()
        if len(several) > 1
    }


def _clustered(comparisons: Iterable[list[tuple[User, User, PairCounts]]]) -> Estimate | None:
    """Pairwise agreement without ties; the bootstrap is over comparisons, since the pairs of one are dependent."""
    clusters = [
        (float(sum(counts.alike for _, _, counts in per)), float(sum(counts.trials() for _, _, counts in per)))
        for per in comparisons
    ]
    clusters = [cluster for cluster in clusters if cluster[1]]
    if not clusters:
        return None
    if len(clusters) < 5:  # too few to resample; an interval over pairs is too narrow, but better than none
        return proportion(math.fsum(one for one, _ in clusters), int(math.fsum(n for _, n in clusters)))
    return bootstrap(clusters, ratio_of_sums, rounds=400)


def _tied(rankings: Iterable[RankingFields]) -> Estimate | None:
    tied = ordered = 0
    for ranking in rankings:
        tied += 0 if ranking.is_choice else sum(1 for _ in tied_pairs(ranking.tiers))
        ordered += sum(1 for _ in ordered_pairs(ranking.tiers))
    return proportion(tied, tied + ordered) if tied + ordered else None


def _earlier_wins(rankings: Iterable[RankingFields]) -> tuple[int, int]:
    """Over ordered pairs: how often the completion shown earlier is ranked better, and the number of pairs."""
    outcomes = [shown_earlier_wins(ranking.tiers, ranking.shown_order) for ranking in rankings if ranking.shown_order]
    return sum(won for won, _ in outcomes), sum(total for _, total in outcomes)


def _lengths(rankings: Iterable[RankingFields]) -> list[tuple[int, int]]:
    return [
        (ranking.lengths[better], ranking.lengths[worse])
        for ranking in rankings
        for better, worse in ordered_pairs(ranking.tiers)
        if better in ranking.lengths and worse in ranking.lengths
    ]


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _trainer_figures(
    people: Sequence[RankingFields], pairs: PairsByComparison, gold: Mapping[UUID, Estimate]
) -> list[TrainerFigures]:
    by_trainer: defaultdict[User, list[RankingFields]] = defaultdict(list)
    for ranking in people:
        if ranking.trainer is not None:
            by_trainer[ranking.trainer].append(ranking)
    figures = [
        TrainerFigures(
            trainer=trainer,
            num_rankings=len(rankings),
            num_abstained=sum(ranking.abstained for ranking in rankings),
            median_seconds=_median(ranking.seconds for ranking in rankings if not ranking.abstained),
            agreement=_clustered([[pair for pair in per if trainer in pair[:2]] for per in pairs.values()]),
            gold=gold.get(trainer.id),
            prefers_longer=preference_for_longer(_lengths(ranking for ranking in rankings if not ranking.abstained)),
        )
        for trainer, rankings in by_trainer.items()
    ]
    return sorted(figures, key=lambda one: (-one.num_rankings, one.trainer.username))
