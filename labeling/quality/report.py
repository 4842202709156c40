"""Quality of a project's rankings: agreement, ties, and biases of position and length, with intervals.

Reads the newest rankings. Rankings by simulated trainers and imported ones are counted apart and never enter people's
agreement.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from uuid import UUID

from labeling.models import Project, User
from labeling.quality.agreement import (
    AgreedPairs,
    AgreementOverTime,
    PairsByComparison,
    agreement_on_pairs,
    agreement_over_time,
    alpha_of_orders,
    alpha_of_ratings,
    pairs_by_comparison,
)
from labeling.quality.policy_comparison import SourceFigures, source_figures
from labeling.quality.ranking_fields import RankingFields, by_people, newest_rankings
from labeling.quality.selection import EVERYTHING, Selection
from labeling.rankings.reference_agreement import gold_agreement_by_trainer
from labeling.statistics.agreement import PairCounts, ordered_pairs, position_bias, shown_earlier_wins, tied_pairs
from labeling.statistics.intervals import Estimate, proportion
from labeling.statistics.length_bias import preference_for_longer


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
    alpha_of_orders: Estimate | None
    alpha_of_ratings: Estimate | None
    tied: Estimate | None
    earlier_wins: Estimate | None
    earlier_wins_p: float | None
    prefers_longer: Estimate | None
    median_seconds: float | None
    over_time: AgreementOverTime
    trainers: list[TrainerFigures]
    sources: list[SourceFigures]


def quality_figures(project: Project, selection: Selection = EVERYTHING) -> QualityFigures:
    """Figures over the newest rankings of people that are selected, and the numbers of the others."""
    kept = newest_rankings(project, selection)
    people = by_people(kept)
    own = [ranking for ranking in people if selection.concerns(ranking.trainer)]
    judged = [ranking for ranking in own if not ranking.abstained]
    orders = whole_orders(people)
    pairs = pairs_by_comparison(orders, selection)
    totals = sum((one.counts for per in pairs.values() for one in per), PairCounts())
    earlier_won, earlier_total = _earlier_wins(judged)
    earlier = position_bias(earlier_won, earlier_total) if earlier_total else None
    return QualityFigures(
        num_rankings=len(own) if selection.trainer else len(kept),
        num_abstained=sum(ranking.abstained for ranking in own),
        num_simulated=sum(ranking.kind == "simulated" for ranking in kept),
        num_imported=sum(ranking.kind == "imported" for ranking in kept),
        agreement=agreement_on_pairs(pairs.values()),
        agreement_ties_half=totals.rate("half"),
        chance_ties_half=totals.chance("half"),
        alpha_of_orders=alpha_of_orders(orders),
        alpha_of_ratings=alpha_of_ratings(people),
        tied=_tied(judged),
        earlier_wins=earlier.share if earlier else None,
        earlier_wins_p=earlier.p if earlier else None,
        prefers_longer=preference_for_longer(lengths_of_pairs(judged)),
        median_seconds=_median(ranking.seconds for ranking in judged),
        over_time=agreement_over_time(pairs),
        trainers=_trainer_figures(own, pairs, gold_agreement_by_trainer(project)),
        sources=source_figures(judged),
    )


def whole_orders(rankings: Iterable[RankingFields]) -> list[RankingFields]:
    """Those that say how every two completions stand to each other: no abstentions, no choices of one."""
    return [ranking for ranking in rankings if not ranking.abstained and not ranking.is_choice]


def lengths_of_pairs(rankings: Iterable[RankingFields]) -> list[tuple[int, int]]:
    """(characters of the better completion, of the worse) of every ordered pair."""
    return [
        (ranking.lengths[better], ranking.lengths[worse])
        for ranking in rankings
        for better, worse in ordered_pairs(ranking.tiers)
        if better in ranking.lengths and worse in ranking.lengths
    ]


def num_tied_pairs(ranking: RankingFields) -> int:
    return 0 if ranking.is_choice else sum(1 for _ in tied_pairs(ranking.tiers))


def _tied(rankings: Iterable[RankingFields]) -> Estimate | None:
    tied = ordered = 0
    for ranking in rankings:
        tied += num_tied_pairs(ranking)
        ordered += sum(1 for _ in ordered_pairs(ranking.tiers))
    return proportion(tied, tied + ordered) if tied + ordered else None


def _earlier_wins(rankings: Iterable[RankingFields]) -> tuple[int, int]:
    """Over ordered pairs: how often the completion shown earlier is ranked better, and the number of pairs."""
    outcomes = [shown_earlier_wins(ranking.tiers, ranking.shown_order) for ranking in rankings if ranking.shown_order]
    return sum(won for won, _ in outcomes), sum(total for _, total in outcomes)


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
            agreement=agreement_on_pairs([_with(trainer, per) for per in pairs.values()]),
            gold=gold.get(trainer.id),
            prefers_longer=preference_for_longer(
                lengths_of_pairs(ranking for ranking in rankings if not ranking.abstained)
            ),
        )
        for trainer, rankings in by_trainer.items()
    ]
    return sorted(figures, key=lambda one: (-one.num_rankings, one.trainer.username))


def _with(trainer: User, per: Sequence[AgreedPairs]) -> list[AgreedPairs]:
    return [one for one in per if trainer in (one.one, one.other)]
