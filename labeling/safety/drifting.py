"""Whether a filter does or sees something else than in the weeks before: verdicts and probabilities, week by week."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models import Count, Q
from django.db.models.functions import TruncWeek
from django.utils import timezone

from charts import Point, Series, Svg, line_chart
from labeling.models import Filter, Project, Screening
from labeling.models.safety.categories import CATEGORIES, category_name
from labeling.safety.quality import screenings
from labeling.statistics.drift import MOVED, stability_index, stands_out
from labeling.statistics.intervals import Estimate, proportion

WEEKS_SHOWN, WEEKS_BEFORE = 12, 8
_BINS = 10
FEWEST_SEEN = 100  # texts, in this week and before it, from which a histogram can be held against another


@dataclass(frozen=True, kw_only=True)
class Week:
    """A week's verdicts. `…_stands_out` is None where there is nothing to hold it against."""

    monday: date
    num: int
    warned: Estimate | None
    blocked: Estimate | None
    warned_stands_out: bool | None
    blocked_stands_out: bool | None
    moved: list[tuple[str, float]]  # categories whose histogram is another than before, with the index


def weeks_of(project: Project, found: Filter, *, side: str) -> list[Week]:
    """The newest weeks, each against the eight before it, the newest first."""
    since = _monday(timezone.now()) - timedelta(weeks=WEEKS_SHOWN + WEEKS_BEFORE)
    rows = screenings(project, found, side=side).filter(created_at__gte=since)
    counted = rows.exclude(verdict=Screening.Verdict.NOT_JUDGED).annotate(week=TruncWeek("created_at")).values("week")
    counts = {
        row["week"].date(): (row["num"], row["warned"], row["blocked"])
        for row in counted.annotate(
            num=Count("id"),
            warned=Count("id", filter=Q(verdict=Screening.Verdict.WARN)),
            blocked=Count("id", filter=Q(verdict=Screening.Verdict.BLOCK)),
        ).order_by("week")
    }
    histograms = _histograms(project, found, side, since)
    newest = sorted(counts, reverse=True)[:WEEKS_SHOWN]
    return [_week(monday, counts, histograms) for monday in newest]


def drift_chart(weeks: list[Week], *, title: str) -> Svg:
    """The shares warned of and blocked, the newest week at 0."""
    oldest_first = weeks[::-1]
    shares = {"warned of": [week.warned for week in oldest_first], "blocked": [week.blocked for week in oldest_first]}
    series = [
        Series(
            name=name,
            points=[
                _point(week, weeks[0], share)
                for week, share in zip(oldest_first, found, strict=True)
                if share is not None
            ],
        )
        for name, found in shares.items()
    ]
    return line_chart(series, title=title, x_label="weeks from the newest", y_label="share of texts")


def _point(week: Week, newest: Week, share: Estimate) -> Point:
    return Point((week.monday - newest.monday).days // 7, share.value, share.low, share.high)


def _week(monday: date, counts: dict[date, tuple[int, int, int]], histograms: dict[date, dict[str, list[int]]]) -> Week:
    num, warned, blocked = counts[monday]
    before = [one for back in range(1, WEEKS_BEFORE + 1) if (one := monday - timedelta(weeks=back)) in counts]
    earlier = [counts[one] for one in before]
    moved = []
    for name in CATEGORIES:
        old = [sum(bins) for bins in zip(*(histograms[one][name] for one in before), strict=True)] or [0] * _BINS
        new = histograms[monday][name]
        index = stability_index(old, new) if min(sum(old), sum(new)) >= FEWEST_SEEN else None
        if index is not None and index > MOVED:
            moved.append((category_name(name), index))
    return Week(
        monday=monday,
        num=num,
        warned=proportion(warned, num) if num else None,
        blocked=proportion(blocked, num) if num else None,
        warned_stands_out=stands_out(warned, num, before=[(one[1], one[0]) for one in earlier]),
        blocked_stands_out=stands_out(blocked, num, before=[(one[2], one[0]) for one in earlier]),
        moved=moved,
    )


def _histograms(project: Project, found: Filter, side: str, since: datetime) -> dict[date, dict[str, list[int]]]:
    """By week and category, how many texts had a probability in each tenth."""
    table = Screening._meta.db_table
    statement = f"""
        SELECT date_trunc('week', created_at AT TIME ZONE %s)::date, said.key,
               least(floor(said.value::float * {_BINS}), {_BINS - 1})::int, count(*)
        FROM {table}, jsonb_each_text(probabilities) said
        WHERE project_id = %s AND filter_id = %s AND side = %s AND created_at >= %s
        GROUP BY 1, 2, 3"""  # noqa: S608 (a table of our own)
    found_bins: dict[date, dict[str, list[int]]] = defaultdict(lambda: {name: [0] * _BINS for name in CATEGORIES})
    zone = timezone.get_current_timezone_name()
    with connection.cursor() as cursor:
        cursor.execute(statement, [zone, project.id, found.id, side, since])
        for monday, name, place, num in cursor.fetchall():
            if name in CATEGORIES:
                found_bins[monday][name][place] += num
    return found_bins


def _monday(moment: datetime) -> datetime:
    local = timezone.localtime(moment).replace(hour=0, minute=0, second=0, microsecond=0)
    return local - timedelta(days=local.weekday())
