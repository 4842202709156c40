"""The boards behind each figure of the quality page: the very rankings that it counts, most telling first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from labeling.models import Comparison, Project
from labeling.quality.agreement import AgreedPairs, pairs_by_comparison, several_by_comparison, week_of
from labeling.quality.ranking_fields import RankingFields, by_people, newest_rankings
from labeling.quality.report import lengths_of_pairs, num_tied_pairs, whole_orders
from labeling.quality.selection import Selection, name_of
from labeling.rankings.views.board import format_order, letters
from labeling.statistics.agreement import shown_earlier_wins
from labeling.statistics.length_bias import CLEARLY
from labeling.web.times import duration

PAGE = 25  # boards

FIGURES: dict[str, Any] = {
    "rankings": gettext_lazy("Rankings"),
    "abstained": gettext_lazy("Abstentions"),
    "agreement": gettext_lazy("Trainers agree on a pair"),
    "tied": gettext_lazy("Pairs left tied"),
    "earlier": gettext_lazy("The one shown earlier wins"),
    "longer": gettext_lazy("The clearly longer one wins"),
    "time": gettext_lazy("Time for a ranking"),
    "sources": gettext_lazy("Policies on one board"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Behind:
    """One comparison behind a figure: its rankings that count there, and what they add, in words."""

    comparison_id: str
    rankings: list[RankingFields]
    says: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderOnBoard:
    trainer: str
    order: str  # in the letters of the board, which are the same for all trainers here
    seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """A row of the page."""

    comparison: Comparison
    says: str
    orders: list[OrderOnBoard]

    @property
    def completions(self) -> list[dict[str, str]]:
        known = _letters(self.comparison)
        completions = sorted(self.comparison.completions.all(), key=lambda one: one.index)
        return [{"letter": known[str(one.id)], "content": one.content} for one in completions]


def boards_behind(project: Project, figure: str, selection: Selection, *, week: date | None = None) -> list[Behind]:
    """All boards behind a figure of FIGURES; `week`, a Monday, narrows agreement to the comparisons of that week."""
    people = by_people(newest_rankings(project, selection))
    if figure == "agreement":
        return _compared(people, selection, week)
    own = [ranking for ranking in people if selection.concerns(ranking.trainer)]
    return _judged(own, _MEASURES[figure])


def shown(boards: Sequence[Behind], *, names_people: bool) -> list[Board]:
    """Rows for the page, with the comparisons and their orders in words."""
    comparisons = Comparison.objects.prefetch_related("completions").in_bulk([one.comparison_id for one in boards])
    by_id = {str(identifier): comparison for identifier, comparison in comparisons.items()}
    return [
        Board(
            comparison=by_id[one.comparison_id],
            says=one.says,
            orders=[_order(ranking, by_id[one.comparison_id], names_people=names_people) for ranking in one.rankings],
        )
        for one in boards
        if one.comparison_id in by_id
    ]


def _order(ranking: RankingFields, comparison: Comparison, *, names_people: bool) -> OrderOnBoard:
    known = _letters(comparison)
    tied = ", " if ranking.is_choice else " = "
    words = (
        _("abstained")
        if ranking.abstained
        else format_order(ranking.tiers, ranking.unacceptable_from, known, tied=tied)
    )
    trainer = name_of(ranking.trainer, names_people=names_people) if ranking.trainer else ""
    return OrderOnBoard(trainer=trainer, order=words, seconds=ranking.seconds)


def _letters(comparison: Comparison) -> dict[str, str]:
    return letters([str(one.id) for one in sorted(comparison.completions.all(), key=lambda one: one.index)])


def _compared(people: Sequence[RankingFields], selection: Selection, week: date | None) -> list[Behind]:
    """The comparisons that count towards agreement, those on which trainers agree least first."""
    found = []
    orders = whole_orders(people)
    by_comparison = several_by_comparison(orders)
    for identifier, per in pairs_by_comparison(orders, selection).items():
        alike, trials = sum(one.counts.alike for one in per), sum(one.counts.trials() for one in per)
        if trials and (week is None or week_of(per) == week):
            rankings = [one for one in by_comparison[identifier] if _takes_part(one, per)]
            says = _("%(alike)d of %(all)d pairs alike") % {"alike": alike, "all": trials}
            found.append((alike / trials, Behind(comparison_id=identifier, rankings=rankings, says=says)))
    return [one for _rate, one in sorted(found, key=lambda row: row[0])]


def _takes_part(ranking: RankingFields, per: Sequence[AgreedPairs]) -> bool:
    return any(ranking.trainer in (one.one, one.other) for one in per)


Measure = Callable[[RankingFields], tuple[float, str] | None]


def _judged(rankings: Sequence[RankingFields], measure: Measure) -> list[Behind]:
    """One board a ranking that counts, the largest measure first."""
    found = []
    for ranking in rankings:
        measured = measure(ranking)
        if measured is not None:
            size, says = measured
            found.append((size, Behind(comparison_id=ranking.comparison_id, rankings=[ranking], says=says)))
    return [one for _size, one in sorted(found, key=lambda row: -row[0])]


def _every(ranking: RankingFields) -> tuple[float, str] | None:
    return ranking.ranked_at.timestamp(), ""


def _abstained(ranking: RankingFields) -> tuple[float, str] | None:
    return (ranking.ranked_at.timestamp(), "") if ranking.abstained else None


def _tied(ranking: RankingFields) -> tuple[float, str] | None:
    num = 0 if ranking.abstained else num_tied_pairs(ranking)
    return (num, ngettext("%(n)d pair tied", "%(n)d pairs tied", num) % {"n": num}) if num else None


def _earlier(ranking: RankingFields) -> tuple[float, str] | None:
    counts = not ranking.abstained and ranking.shown_order
    won, total = shown_earlier_wins(ranking.tiers, ranking.shown_order) if counts else (0, 0)
    return _share(won, total, _("%(won)d of %(all)d pairs won by the one shown earlier"))


def _longer(ranking: RankingFields) -> tuple[float, str] | None:
    pairs = [] if ranking.abstained else lengths_of_pairs([ranking])
    clear = [(better, worse) for better, worse in pairs if abs(better - worse) > CLEARLY]
    won = sum(better > worse for better, worse in clear)
    return _share(won, len(clear), _("%(won)d of %(all)d pairs won by the clearly longer one"))


def _share(won: int, total: int, words: str) -> tuple[float, str] | None:
    return (won / total, words % {"won": won, "all": total}) if total else None


def _time(ranking: RankingFields) -> tuple[float, str] | None:
    return None if ranking.abstained or ranking.seconds is None else (ranking.seconds, duration(ranking.seconds))


def _sources(ranking: RankingFields) -> tuple[float, str] | None:
    names = sorted({_source_in_words(source) for source in ranking.sources.values()})
    return (len(names), " · ".join(names)) if len(names) > 1 and not ranking.abstained else None


def _source_in_words(source: Any) -> str:
    if not source.policy:
        return _("people")
    return source.policy if source.temperature is None else f"{source.policy} {source.temperature:g}"


_MEASURES: dict[str, Measure] = {
    "rankings": _every,
    "abstained": _abstained,
    "tied": _tied,
    "earlier": _earlier,
    "longer": _longer,
    "time": _time,
    "sources": _sources,
}
