"""Agreement between the trainers of a project: on pairs, beyond chance, and in the course of time."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations

from django.utils import timezone
from django.utils.translation import gettext as _

from charts import Point, Series, Svg, line_chart
from labeling.models import User
from labeling.quality.ranking_fields import RankingFields
from labeling.quality.selection import Selection
from labeling.statistics.agreement import PairCounts, compare_rankings
from labeling.statistics.alpha import alpha_with_interval, pair_units
from labeling.statistics.change_point import ChangePoint, change_point
from labeling.statistics.intervals import Estimate, bootstrap, proportion, ratio_of_sums
from labeling.web import times

_FEWEST_TO_RESAMPLE = 5  # comparisons; below, an interval over pairs is too narrow, but better than none
FLAGGED_BELOW = 0.01  # p of no change: the page is looked at often, and one look in a hundred may cry wolf


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreedPairs:
    """The pairs of completions that two trainers both ranked. `since` is when the later of the two did."""

    one: User
    other: User
    counts: PairCounts
    since: datetime
    guideline_version: int | None  # None where the two ranked under different ones


PairsByComparison = dict[str, list[AgreedPairs]]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanOfAgreement:
    """The agreement of a week, or of the rankings made under one version of the guidelines."""

    label: str
    num_comparisons: int
    agreement: Estimate
    query: str  # of the list of the boards behind it


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementOverTime:
    weeks: list[SpanOfAgreement]
    versions: list[SpanOfAgreement]
    chart: Svg | None  # None with fewer than two weeks
    change: ChangePoint | None
    changed_on: date | None  # the first day after the change; None unless the change is flagged

    @property
    def spans(self) -> list[SpanOfAgreement]:
        return [*self.weeks, *self.versions]


def pairs_by_comparison(rankings: Sequence[RankingFields], selection: Selection) -> PairsByComparison:
    """What every two trainers agree on, for comparisons with several rankings; with a trainer chosen, only theirs."""
    found: PairsByComparison = {}
    for identifier, several in several_by_comparison(rankings).items():
        pairs = [
            AgreedPairs(
                one=one.trainer,
                other=other.trainer,
                counts=compare_rankings(one.tiers, other.tiers),
                since=max(one.ranked_at, other.ranked_at),
                guideline_version=one.guideline_version if one.guideline_version == other.guideline_version else None,
            )
            for one, other in combinations(several, 2)
            if one.trainer is not None and other.trainer is not None and selection.concerns(one.trainer, other.trainer)
        ]
        if pairs:
            found[identifier] = pairs
    return found


def several_by_comparison(rankings: Iterable[RankingFields]) -> dict[str, list[RankingFields]]:
    """The rankings of each comparison that has at least two."""
    by_comparison: defaultdict[str, list[RankingFields]] = defaultdict(list)
    for ranking in rankings:
        by_comparison[ranking.comparison_id].append(ranking)
    return {identifier: several for identifier, several in by_comparison.items() if len(several) > 1}


def agreement_on_pairs(comparisons: Iterable[Sequence[AgreedPairs]]) -> Estimate | None:
    """Pairwise agreement without ties; the bootstrap is over comparisons, since the pairs of one are dependent."""
    clusters = [cluster for per in comparisons if (cluster := _cluster(per))[1]]
    if not clusters:
        return None
    if len(clusters) < _FEWEST_TO_RESAMPLE:
        return proportion(math.fsum(one for one, _ in clusters), int(math.fsum(n for _, n in clusters)))
    found = bootstrap(clusters, ratio_of_sums, rounds=400)
    if found.low < found.high:
        return found
    return proportion(found.value * found.n, found.n)  # all alike: drawing again cannot show what else there may be


def alpha_of_orders(rankings: Sequence[RankingFields]) -> Estimate | None:
    """Krippendorff's alpha over the pairs of all rankings, ties included (statistics.alpha.pair_units)."""
    several = several_by_comparison(rankings).values()
    clusters = [list(pair_units([ranking.tiers for ranking in per])) for per in several]
    return alpha_with_interval(clusters, level="interval")


def alpha_of_ratings(rankings: Sequence[RankingFields]) -> Estimate | None:
    """Krippendorff's alpha of the overall ratings, 1 to 7; the units are completions."""
    several = several_by_comparison(rankings).values()
    clusters = [
        [[ranking.ratings.get(completion) for ranking in per] for completion in per[0].lengths] for per in several
    ]
    return alpha_with_interval(clusters, level="ordinal")


def week_of(per: Sequence[AgreedPairs]) -> date:
    """The Monday of the week in which the latest of a comparison's rankings was made, in the reader's zone."""
    day = timezone.localtime(_since(per)).date()
    return day - timedelta(days=day.weekday())


def agreement_over_time(pairs: PairsByComparison) -> AgreementOverTime:
    """By week of the later ranking, and by version of the guidelines, with a test for a change."""
    by_week: defaultdict[date, list[list[AgreedPairs]]] = defaultdict(list)
    by_version: defaultdict[int, list[list[AgreedPairs]]] = defaultdict(list)
    ordered = sorted((per for per in pairs.values() if _cluster(per)[1]), key=_since)
    for per in ordered:
        by_week[week_of(per)].append(per)
        for version in {one.guideline_version for one in per if one.guideline_version is not None}:
            by_version[version].append([one for one in per if one.guideline_version == version])
    weeks = {monday: week for monday, per in sorted(by_week.items()) if (week := _week(monday, per)) is not None}
    change = change_point([_cluster(per) for per in ordered])
    flagged = change is not None and change.p < FLAGGED_BELOW
    return AgreementOverTime(
        weeks=list(weeks.values()),
        versions=[span for version, per in sorted(by_version.items()) if (span := _version(version, per)) is not None],
        chart=_chart(weeks),
        change=change,
        changed_on=timezone.localtime(_since(ordered[change.index])).date() if change and flagged else None,
    )


def _cluster(per: Sequence[AgreedPairs]) -> tuple[float, float]:
    """(pairs in agreement, pairs that both trainers ordered) of one comparison."""
    return float(sum(one.counts.alike for one in per)), float(sum(one.counts.trials() for one in per))


def _since(per: Sequence[AgreedPairs]) -> datetime:
    return max(one.since for one in per)


def _week(monday: date, per: Sequence[Sequence[AgreedPairs]]) -> SpanOfAgreement | None:
    label = _("week of %(day)s") % {"day": times.day(monday)}
    return _span(label, per, query=f"week={monday}")


def _version(version: int, per: Sequence[Sequence[AgreedPairs]]) -> SpanOfAgreement | None:
    return _span(_("guidelines, version %(n)d") % {"n": version}, per, query=f"guidelines={version}")


def _span(label: str, per: Sequence[Sequence[AgreedPairs]], *, query: str) -> SpanOfAgreement | None:
    agreement = agreement_on_pairs(per)
    if agreement is None:
        return None
    num_comparisons = sum(1 for one in per if _cluster(one)[1])
    return SpanOfAgreement(label=label, num_comparisons=num_comparisons, agreement=agreement, query=query)


def _chart(weeks: Mapping[date, SpanOfAgreement]) -> Svg | None:
    """`weeks` by their Mondays, oldest first."""
    if len(weeks) < 2:
        return None
    first = min(weeks)
    points = [
        Point((monday - first).days // 7 + 1, *(100 * part for part in (found.value, found.low, found.high)))
        for monday, found in ((monday, week.agreement) for monday, week in weeks.items())
    ]
    series = Series(name=_("agreement"), points=points)
    return line_chart([series], title=_("Agreement by week"), x_label=_("week"), y_label=_("%"), y_range=(0, 100))
