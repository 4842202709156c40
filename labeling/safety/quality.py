"""Figures of a filter: precision and recall by category, calibration, agreement of those who label, and what it did.

Precision and recall are of all texts, not of those that were labelled: each labelled text weighs by how unlikely it
was to be drawn. What came in without a lot is in none of them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from charts import Point, Series, Svg, line_chart
from labeling.models import Appeal, DrawnText, Filter, Label, Project, Screening
from labeling.models.safety.categories import CATEGORIES, category_name
from labeling.models.safety.labels import NO, YES
from labeling.safety.thresholds import Bounds, bounds_of
from labeling.statistics.alpha import alpha_with_interval
from labeling.statistics.intervals import Estimate, proportion, quantile
from labeling.statistics.sampling_weights import (
    Judged,
    average_precision,
    calibration,
    calibration_error,
    precision,
    precision_recall_curve,
    recall,
)

FEWEST = 20  # texts with "yes", below which a category has no figures
MOST_TEXTS = 5_000  # the newest that were labelled, and of which times are taken
Span = tuple[datetime, datetime] | None  # from, and up to but without


@dataclass(frozen=True, kw_only=True)
class CategoryFigures:
    name: str
    label: str
    bounds: Bounds
    num_judged: int
    num_yes: int
    warn_precision: Estimate | None
    warn_recall: Estimate | None
    block_precision: Estimate | None
    block_recall: Estimate | None
    average_precision: float | None
    calibration_error: float | None
    agreement: Estimate | None
    overturned: Estimate | None

    @property
    def is_few(self) -> bool:
        return self.num_yes < FEWEST


@dataclass(frozen=True, kw_only=True)
class FilterFigures:
    num_screened: int
    not_judged: int
    warned: Estimate | None
    blocked: Estimate | None
    overturned: Estimate | None
    num_open_appeals: int
    milliseconds: tuple[float, float] | None  # p50 and p95 of a look
    categories: list[CategoryFigures]


def filter_figures(project: Project, found: Filter, *, side: str, span: Span = None) -> FilterFigures:
    """What is known of a filter on one side of a project's dialogues."""
    screened = screenings(project, found, side=side, span=span)
    counts = screened.aggregate(
        all=Count("id"),
        unjudged=Count("id", filter=Q(verdict=Screening.Verdict.NOT_JUDGED)),
        warned=Count("id", filter=Q(verdict=Screening.Verdict.WARN)),
        blocked=Count("id", filter=Q(verdict=Screening.Verdict.BLOCK)),
    )
    judged = counts["all"] - counts["unjudged"]
    appeals = Appeal.objects.filter(screening__in=screened.values("id"))
    by_category = _overturned_by_category(appeals)
    return FilterFigures(
        num_screened=counts["all"],
        not_judged=counts["unjudged"],
        warned=_share(counts["warned"], judged),
        blocked=_share(counts["blocked"], judged),
        overturned=_share(*(sum(one[place] for one in by_category.values()) for place in (0, 1))),
        num_open_appeals=appeals.filter(state=Appeal.State.OPEN).count(),
        milliseconds=_milliseconds(screened),
        categories=_categories(project, found, side, span, by_category),
    )


def screenings(project: Project, found: Filter, *, side: str, span: Span = None) -> QuerySet[Screening]:
    rows = Screening.objects.filter(project=project, filter=found, side=side)
    return rows.filter(created_at__gte=span[0], created_at__lt=span[1]) if span else rows


def judged_texts(
    project: Project, found: Filter, *, side: str, span: Span = None, category: str | None = None
) -> dict[str, list[Judged]]:
    """By category, the texts that were drawn by lot and settled, with what this filter said of each.

    Of the texts that a frame's lot drew some may wait for labels yet; those that are settled stand for them too, as
    they are labelled in random order.
    """
    rows = DrawnText.objects.filter(project=project, screening__side=side).by_lot()
    if span:
        rows = rows.filter(screening__created_at__gte=span[0], screening__created_at__lt=span[1])
    drawn = list(rows.select_related("screening").prefetch_related("labels").order_by("-created_at")[:MOST_TEXTS])
    settled = [one for one in drawn if one.num_labels >= one.labels_wanted]
    num_drawn, num_settled = (Counter((one.frame_until, one.came_by) for one in some) for some in (drawn, settled))
    said = _said(project, found, settled)
    judged: dict[str, list[Judged]] = {name: [] for name in CATEGORIES if category in (None, name)}
    for one in settled:
        probabilities = said.get(one.id)
        if probabilities is None:
            continue
        group = (one.frame_until, one.came_by)
        weight = num_drawn[group] / num_settled[group] / one.inclusion  # type: ignore[operator]  # drawn by lot
        for name, is_true in one.consensus().items():
            if name in judged and name in probabilities:
                judged[name].append(Judged(probability=probabilities[name], is_true=is_true, weight=weight))
    return judged


def precision_recall_chart(rows: Sequence[Judged], bounds: Bounds, *, title: str) -> Svg:
    """The curve, with the points at which the filter warns and blocks."""
    curve = [Point(point.recall, point.precision) for point in precision_recall_curve(rows)]
    points = [
        Series(name=name, points=[Point(caught.value, right.value, right.low, right.high)], is_joined=False)
        for name, bound in (("warns", bounds.warn_at), ("blocks", bounds.block_at))
        if bound is not None and (right := precision(rows, bound)) and (caught := recall(rows, bound))
    ]
    series = [Series(name="all thresholds", points=curve), *points]
    return line_chart(series, title=title, x_label="recall", y_label="precision", y_range=(0.0, 1.0))


def calibration_chart(rows: Sequence[Judged], *, title: str) -> Svg:
    """What share is true of the texts that the filter gave about the same probability."""
    points = [Point(one.said, one.true.value, one.true.low, one.true.high) for one in calibration(rows)]
    just = Series(name="as it says", points=[Point(0.0, 0.0), Point(1.0, 1.0)], is_reference=True)
    series = [Series(name="texts", points=points, is_joined=False), just]
    return line_chart(series, title=title, x_label="probability", y_label="share true", y_range=(0.0, 1.0))


def _categories(
    project: Project, found: Filter, side: str, span: Span, overturned: dict[str, tuple[int, int]]
) -> list[CategoryFigures]:
    judged = judged_texts(project, found, side=side, span=span)
    agreement = _agreement(project, side, span)
    bounds = bounds_of(project, side)
    return [
        CategoryFigures(
            name=name,
            label=category_name(name),
            bounds=bounds[name],
            num_judged=len(rows),
            num_yes=sum(row.is_true for row in rows),
            warn_precision=_at(precision, rows, bounds[name].warn_at),
            warn_recall=_at(recall, rows, bounds[name].warn_at),
            block_precision=_at(precision, rows, bounds[name].block_at),
            block_recall=_at(recall, rows, bounds[name].block_at),
            average_precision=average_precision(precision_recall_curve(rows)),
            calibration_error=calibration_error(rows),
            agreement=agreement[name],
            overturned=_share(*overturned.get(name, (0, 0))),
        )
        for name, rows in judged.items()
    ]


def _at(figure: Any, rows: Sequence[Judged], bound: float | None) -> Estimate | None:
    return None if bound is None else figure(rows, bound)


def _said(project: Project, found: Filter, drawn: Sequence[DrawnText]) -> dict[Any, dict[str, float]]:
    """What the filter gave each drawn text: when it was screened, or in shadow afterwards."""
    others = [one.screening.text_sha256 for one in drawn if one.screening.filter_id != found.id]
    looks = Screening.objects.filter(project=project, filter=found, text_sha256__in=others)
    by_text = dict(looks.order_by("created_at").values_list("text_sha256", "probabilities"))
    return {
        one.id: one.screening.probabilities
        if one.screening.filter_id == found.id
        else by_text[one.screening.text_sha256]
        for one in drawn
        if one.screening.filter_id == found.id or one.screening.text_sha256 in by_text
    }


def _agreement(project: Project, side: str, span: Span) -> dict[str, Estimate | None]:
    """Krippendorff's alpha of those who label, by category; a decision on an appeal is no label of its own accord."""
    rows = Label.objects.filter(project=project, by_decision=False, drawn__screening__side=side)
    if span:
        rows = rows.filter(drawn__screening__created_at__gte=span[0], drawn__screening__created_at__lt=span[1])
    by_text: dict[Any, list[dict[str, str]]] = {}
    for drawn, answers in rows.order_by("-created_at").values_list("drawn", "answers")[: 3 * MOST_TEXTS]:
        by_text.setdefault(drawn, []).append(answers)
    values = {YES: 1.0, NO: 0.0}
    return {
        name: alpha_with_interval(
            [[[values.get(answers.get(name, "")) for answers in several]] for several in by_text.values()],
            level="nominal",
        )
        for name in CATEGORIES
    }


def _overturned_by_category(appeals: QuerySet[Appeal]) -> dict[str, tuple[int, int]]:
    """(overturned, decided) by category."""
    counted = appeals.exclude(state=Appeal.State.OPEN).values_list("screening__category")
    rows = counted.annotate(wrong=Count("id", filter=Q(state=Appeal.State.OVERTURNED)), decided=Count("id"))
    return {name: (wrong, decided) for name, wrong, decided in rows}


def _milliseconds(rows: QuerySet[Screening]) -> tuple[float, float] | None:
    newest = rows.filter(milliseconds__gt=0).order_by("-created_at").values_list("milliseconds", flat=True)
    times = sorted(newest[:MOST_TEXTS])
    return (quantile(times, 0.5), quantile(times, 0.95)) if times else None


def _share(num: int, of: int) -> Estimate | None:
    return proportion(num, of) if of else None
