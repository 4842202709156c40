"""A person's own recent work, shown to themselves: counts, speed and agreement. Ranks nobody against others."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.models import Comparison, Dialogue, Ranking, User
from labeling.rankings.reference_agreement import gold_agreement_until_today, practice_agreement
from labeling.statistics.agreement import PairCounts, compare_rankings
from labeling.web.times import duration

NUM_DAYS = 14
DAY_WIDTH = 20  # units of the drawing
DRAWING_HEIGHT = 64
FEWEST_TIMES = 3  # a median of fewer would be noise
FEWEST_PAIRS = 10  # a share of fewer would be noise
NEWEST_RANKINGS = 200  # so that agreement is recent and not a beginner's


@dataclass(frozen=True, kw_only=True)
class Figure:
    label: str
    value: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Day:
    """One bar of the chart: `y` and `height` in the units of the drawing."""

    title: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, kw_only=True)
class PersonalStatistics:
    figures: list[Figure]
    days: list[Day]
    summary: str


def personal_statistics(user: User) -> PersonalStatistics:
    since = timezone.localdate() - timedelta(days=NUM_DAYS - 1)
    per_day = _per_day(user, since)
    days = [since + timedelta(days=number) for number in range(NUM_DAYS)]
    total = sum(per_day.values())
    return PersonalStatistics(
        figures=[
            _accepted(user),
            _rankings(user),
            _time_per_ranking(user),
            _agreement(user),
            *_reference_figures(user),
        ],
        days=_bars(days, per_day),
        summary=ngettext(
            "%(n)d dialogue or ranking in the last two weeks",
            "%(n)d dialogues and rankings in the last two weeks",
            total,
        )
        % {"n": total},
    )


def _per_day(user: User, since: date) -> Counter[date]:
    """Dialogues submitted and rankings made on each day, by the calendar of the person's time zone."""
    counts: Counter[date] = Counter()
    submitted = Dialogue.objects.filter(author=user, submitted_at__date__gte=since).annotate(
        day=TruncDate("submitted_at")
    )
    ranked = Ranking.objects.filter(trainer=user, retracted_at=None, ranked_at__date__gte=since).annotate(
        day=TruncDate("ranked_at")
    )
    for rows in (submitted, ranked):
        for day, num in rows.order_by().values("day").annotate(num=Count("pk")).values_list("day", "num"):
            counts[day] += num
    return counts


def _bars(days: list[date], per_day: Counter[date]) -> list[Day]:
    most = max(per_day.values(), default=0) or 1
    bars = []
    for number, day in enumerate(days):
        height = max(2.0, round(DRAWING_HEIGHT * per_day[day] / most, 1)) if per_day[day] else 2.0
        title = f"{date_format(day, 'j M')}: {per_day[day]}"
        bars.append(Day(title=title, x=number * DAY_WIDTH, y=DRAWING_HEIGHT - height, height=height))
    return bars


def _accepted(user: User) -> Figure:
    states = Counter(
        dict(
            Dialogue.objects.filter(author=user, kind=Dialogue.Kind.DEMONSTRATION)
            .order_by()
            .values("state")
            .annotate(num=Count("pk"))
            .values_list("state", "num")
        )
    )
    waiting = states[Dialogue.State.SUBMITTED]
    note = ngettext("%(n)d waits for review", "%(n)d wait for review", waiting) % {"n": waiting} if waiting else ""
    return Figure(label=_("Dialogues accepted"), value=str(states[Dialogue.State.ACCEPTED]), note=note)


def _rankings(user: User) -> Figure:
    mine = Ranking.objects.filter(trainer=user, retracted_at=None)
    lately = mine.filter(ranked_at__gte=timezone.now() - timedelta(days=7)).count()
    note = ngettext("%(n)d in the last seven days", "%(n)d in the last seven days", lately) % {"n": lately}
    return Figure(label=_("Rankings"), value=str(mine.count()), note=note)


def _time_per_ranking(user: User) -> Figure:
    recent = Ranking.objects.filter(trainer=user, retracted_at=None, seconds__gt=0).order_by("-ranked_at")
    seconds = [seconds for seconds in recent.values_list("seconds", flat=True)[:50] if seconds]
    if len(seconds) < FEWEST_TIMES:
        return Figure(label=_("Time for one ranking"), value="–", note=_("after a few rankings"))
    note = _("the middle of the last %(n)d") % {"n": len(seconds)}
    return Figure(label=_("Time for one ranking"), value=duration(median(seconds)), note=note)


def _agreement(user: User) -> Figure:
    """How often others who ranked the same comparison ordered two completions alike."""
    standing = Ranking.objects.filter(retracted_at=None, abstained=None, comparison__use=Comparison.Use.WORK)
    mine = dict(
        standing.filter(trainer=user).order_by("-ranked_at").values_list("comparison_id", "tiers")[:NEWEST_RANKINGS]
    )
    others = standing.filter(comparison_id__in=list(mine), trainer__isnull=False, trainer__is_simulated=False)
    counts = PairCounts()
    for comparison_id, tiers in others.exclude(trainer=user).values_list("comparison_id", "tiers"):
        counts += compare_rankings(mine[comparison_id], tiers)
    rate = counts.rate()
    if rate is None or rate.n < FEWEST_PAIRS:
        return Figure(label=_("Agreement with others"), value="–", note=_("once others ranked the same comparisons"))
    note = _("of %(n)d pairs; people agree on about three of four") % {"n": rate.n}
    return Figure(label=_("Agreement with others"), value=_percent(rate.value), note=note)


def _reference_figures(user: User) -> list[Figure]:
    """Agreement with reference rankings, in practice and on gold items, where there are enough pairs."""
    figures = []
    practice, gold = practice_agreement(user), gold_agreement_until_today(user)
    if practice is not None:
        value = _("%(alike)s of %(n)d") % {"alike": f"{practice.value * practice.n:g}", "n": practice.n}
        note = _("pairs; a tie against an order is half of one. Practise again whenever you like")
        figures.append(Figure(label=_("As in the practice set"), value=value, note=note))
    if gold is not None and gold.n >= FEWEST_PAIRS:
        note = _("of %(n)d pairs until yesterday; some comparisons have a known order") % {"n": gold.n}
        figures.append(Figure(label=_("As on gold items"), value=_percent(gold.value), note=note))
    return figures


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
