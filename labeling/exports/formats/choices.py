"""Choices (one completion preferred to each other) as pairwise rankings, for formats that cannot express them."""

from collections.abc import Iterator
from dataclasses import replace

from labeling.statistics.agreement import ordered_pairs
from records import Ranking


def as_pairwise_rankings(ranking: Ranking) -> Iterator[Ranking]:
    """The ranking itself; for a choice, one ranking of two completions for each pair that it orders."""
    if not ranking.choice:
        yield ranking
        return
    by_id = {completion.id: completion for completion in ranking.completions}
    for number, (chosen, other) in enumerate(ordered_pairs(ranking.tiers), start=1):
        pair = (by_id[chosen], by_id[other])
        ratings = tuple(rating for rating in ranking.ratings if rating.completion_id in (chosen, other))
        yield replace(
            ranking,
            id=f"{ranking.id}-{number}",
            completions=pair,
            tiers=((chosen,), (other,)),
            shown_order=tuple(one for one in ranking.shown_order if one in (chosen, other)),
            ratings=ratings,
            choice=None,
        )
