"""A choice among several, for formats that have no word for it: one order of two for each pair that it gives."""

from collections.abc import Iterator
from dataclasses import replace

from labeling.statistics.agreement import ordered_pairs
from records import Ranking


def apart(ranking: Ranking) -> Iterator[Ranking]:
    """The ranking itself; of a choice one ranking of two completions for each pair, since it says no more."""
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
