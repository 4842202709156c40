"""One trainer's weak order of the completions of a comparison, as everything here reads it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class WeakOrder:
    """Where a trainer put each completion: 0 is the best tier; completions of one tier are tied.

    A completion goes by one name wherever it stands under its prompt, so that comparisons of a prompt can share it.
    """

    trainer: str
    prompt: str
    comparison: str
    places: Mapping[str, int]


def of_several(orders: Iterable[WeakOrder]) -> list[WeakOrder]:
    """Those of comparisons that at least two people ordered: the only ones in which people can be told apart."""
    people: defaultdict[str, set[str]] = defaultdict(set)
    kept = list(orders)
    for order in kept:
        people[order.comparison].add(order.trainer)
    return [order for order in kept if len(people[order.comparison]) > 1]
