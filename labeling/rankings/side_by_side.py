"""The rankings of one comparison beside each other: each trainer's order, and pair for pair who said what.

The letters are of the completions as they are stored, one order for all readers: each trainer saw another.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any

from django.utils.translation import gettext as _

from labeling.models import Adjudication, Comparison, Ranking, User
from labeling.rankings.submission import RATING_FLAGS
from labeling.rankings.views.board import format_order, letters
from labeling.sampling import screenings
from labeling.statistics.agreement import places_of

MOST = 50  # rankings shown beside each other, the newest; an import can bring any number


@dataclass(frozen=True, kw_only=True, slots=True)
class OneOrder:
    """A ranking, or the adjudication, as a line: who, the order in words, and what was said besides."""

    name: str
    order: str
    ranking: Ranking | None
    adjudication: Adjudication | None = None
    ratings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def at(self) -> datetime | None:
        if self.ranking is not None:
            return self.ranking.ranked_at
        return self.adjudication.ordered_at if self.adjudication is not None else None

    @property
    def seconds(self) -> float | None:
        made = self.ranking or self.adjudication
        return made.seconds if made is not None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Who put the first above the second, the second above the first, and who tied them."""

    first: str
    second: str
    for_first: list[str]
    for_second: list[str]
    tied: list[str]

    @property
    def is_disputed(self) -> bool:
        return sum(map(bool, (self.for_first, self.for_second, self.tied))) > 1


@dataclass(frozen=True, kw_only=True, slots=True)
class SideBySide:
    completions: list[dict[str, Any]]
    orders: list[OneOrder]
    pairs: list[Pair]  # the disputed ones first
    is_cut: bool  # whether there are more rankings than are shown


def side_by_side(comparison: Comparison, *, adjudication: Adjudication | None = None, by: User) -> SideBySide:
    """All that stand, with the adjudication on top. Engineers read pseudonyms, as in what they export."""
    completions = list(comparison.completions.order_by("index", "id"))
    names = letters([str(one.id) for one in completions])
    screened = screenings.of_completions(completions)
    standing = comparison.rankings.filter(retracted_at=None).select_related("trainer", "guideline_version")
    rankings = list(standing.prefetch_related("ratings").order_by("-ranked_at", "id")[: MOST + 1])
    orders = [_order_of(ranking, names, by) for ranking in rankings[:MOST]]
    judged = [
        (order.name, order.ranking.tiers)
        for order in orders
        if order.ranking is not None and order.ranking.abstained is None and not order.ranking.is_choice
    ]
    if adjudication is not None and adjudication.state in Adjudication.GIVEN:
        orders.insert(0, _order_of_adjudication(adjudication, names, by))
    return SideBySide(
        completions=[
            {
                "letter": names[str(one.id)],
                "content": one.content,
                "finish_reason": one.finish_reason,
                "screening": screened.get(one.pk),
            }
            for one in completions
        ],
        orders=orders,
        pairs=sorted(_pairs(judged, names), key=lambda pair: not pair.is_disputed),
        is_cut=len(rankings) > MOST,
    )


def name_of(person: User | None, outside: str, *, by: User) -> str:
    if person is None:
        return outside or _("imported")
    return str(person) if by.can_review else person.pseudonym


def _order_of(ranking: Ranking, names: dict[str, str], by: User) -> OneOrder:
    if ranking.abstained is not None:
        order = _("abstained: %(reason)s") % {"reason": ranking.abstained}
    else:
        tied = ", " if ranking.is_choice else " = "
        order = format_order(ranking.tiers, ranking.unacceptable_from, names, tied=tied)
    ratings = [
        {
            "letter": names[str(rating.completion_id)],
            "overall": rating.overall,
            "flags": [label for flag, label in RATING_FLAGS.items() if rating.flags.get(flag)],
            "note": rating.note,
        }
        for rating in ranking.ratings.all()
    ]
    return OneOrder(
        name=name_of(ranking.trainer, ranking.outside_trainer, by=by),
        order=order,
        ranking=ranking,
        ratings=sorted(ratings, key=lambda rating: str(rating["letter"])),
    )


def _order_of_adjudication(adjudication: Adjudication, names: dict[str, str], by: User) -> OneOrder:
    return OneOrder(
        name=name_of(adjudication.reviewer, adjudication.outside_reviewer, by=by),
        order=format_order(adjudication.tiers, adjudication.unacceptable_from, names),
        ranking=None,
        adjudication=adjudication,
    )


def _pairs(judged: Sequence[tuple[str, list[list[str]]]], names: dict[str, str]) -> list[Pair]:
    said: defaultdict[tuple[str, str], tuple[list[str], list[str], list[str]]]
    said = defaultdict(lambda: ([], [], []))
    for name, tiers in judged:
        places = places_of(tiers)
        for first, second in combinations(names, 2):
            way = 2 if places[first] == places[second] else 0 if places[first] < places[second] else 1
            said[first, second][way].append(name)
    return [
        Pair(first=names[first], second=names[second], for_first=above, for_second=below, tied=tied)
        for (first, second), (above, below, tied) in said.items()
    ]
