"""The filter by agreement, the only one that compares several rankings. Knows no other filter."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from uuid import UUID

from labeling.models import Adjudication, Ranking
from labeling.statistics.agreement import PairCounts, Tiers, compare_rankings


def keep_agreeing(
    chunks: Iterable[Sequence[str]], target: Path, *, at_least: int, keeps_adjudicated: bool = False
) -> int:
    """Write to `target` the ids of rankings whose comparison reaches `at_least` percent agreement; returns how many.

    The rate is over all rankings of the comparison that count: pairs of completions that two trainers ordered alike,
    out of the pairs that both ordered. A comparison without such a pair has no rate, and its rankings are left out.
    An adjudication is no ranking of it; it stays as its comparison does, or in any case with `keeps_adjudicated`.
    """
    num = 0
    with open(target, "w") as file:
        for ids in chunks:
            comparison_of = {str(one): comparison for one, comparison in _comparisons(ids)}
            settled = {str(one): comparison for one, comparison in _settled(ids)}
            rates = _rates({*comparison_of.values(), *settled.values()})
            reaching = {comparison for comparison, rate in rates.items() if rate * 100 >= at_least}
            known = comparison_of | settled
            kept = [one for one in ids if known.get(one) in reaching or (keeps_adjudicated and one in settled)]
            file.writelines(f"{one}\n" for one in kept)
            num += len(kept)
    return num


def _comparisons(ids: Sequence[str]) -> Iterable[tuple[UUID, UUID]]:
    return Ranking.objects.filter(id__in=ids).values_list("id", "comparison_id")


def _settled(ids: Sequence[str]) -> Iterable[tuple[UUID, UUID]]:
    return Adjudication.objects.filter(id__in=ids).values_list("id", "comparison_id")


def _rates(comparisons: set[UUID]) -> dict[UUID, float]:
    orders: defaultdict[UUID, list[Tiers]] = defaultdict(list)
    counting = Ranking.objects.filter(comparison__in=comparisons, retracted_at=None, abstained=None, is_choice=False)
    for comparison, tiers in counting.order_by("comparison_id", "id").values_list("comparison_id", "tiers"):
        orders[comparison].append(tiers)
    return {comparison: rate for comparison, given in orders.items() if (rate := _rate(given)) is not None}


def _rate(orders: Sequence[Tiers]) -> float | None:
    counts = PairCounts()
    for first, second in combinations(orders, 2):
        counts += compare_rankings(first, second)
    estimate = counts.rate()
    return None if estimate is None else estimate.value
