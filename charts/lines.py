"""A chart of points over an x axis: lines with bands, single points with whiskers, curves to hold them against."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from charts.scales import Scale, extent, format_number, widened
from charts.svg import TOP, WIDTH, Svg, clean, frame, in_words, reference_line, shortened, text_at, with_interval

HEIGHT = 280
LEFT, RIGHT, BOTTOM = 56, 132, 40
FLOOR, RIGHT_END = HEIGHT - BOTTOM, WIDTH - RIGHT
DASHES = ("", "7 3", "2 3", "9 3 2 3")
_DOT_RADIUS = 2.5
_MOST_DOTS = 24  # of a line
_MOST_COUNTS = 9


@dataclass(frozen=True, slots=True)
class Point:
    """One figure, with its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None

    def is_finite(self) -> bool:
        return all(number is None or math.isfinite(number) for number in (self.x, self.y, self.low, self.high))


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """Points of one name. `is_joined` makes a line of them; `is_reference` a faint curve to hold the others against."""

    name: str
    points: Sequence[Point]
    is_joined: bool = True
    is_reference: bool = False


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    reference: tuple[str, float] | None = None,
) -> Svg:
    """Series over a shared x axis. `y_range` is what fits the figures where it is not given; `reference` a named x.

    Points that are not finite are left out. A line's intervals are a band under it, those of single points whiskers.
    """
    shown = [replace(one, points=[point for point in one.points if point.is_finite()]) for one in series]
    measured = [one for one in shown if not one.is_reference]
    curves = [one for one in shown if one.is_reference]
    points = [point for one in shown for point in one.points]
    xs = [*(point.x for point in points), *([reference[1]] if reference else [])]
    ys = [y for point in points for y in (point.y, point.low, point.high) if y is not None]
    low, high = extent(xs)
    bottom, top = y_range or widened(*extent(ys))
    across = Scale(low=low, high=high, start=LEFT, end=RIGHT_END)
    up = Scale(low=bottom, high=top, start=FLOOR, end=TOP)
    parts = [*_height_marks(up, y_label), *_floor_marks(across, _counts(xs) or across.ticks(), x_label)]
    parts += reference_line(reference, across, FLOOR)
    parts += [_path(one, "reference", "4 3", across, up) for one in curves]
    for draw in (_intervals, _line):
        for index, one in enumerate(measured):
            parts += draw(one, index, across, up)
    labels = [(one, f"name {_class_of(index)}") for index, one in enumerate(measured)]
    parts += _end_labels([*labels, *((one, "label") for one in curves)], up)
    description = in_words(f"{y_label} over {x_label}", map(_in_words, shown), reference)
    return frame(parts, title=title, description=description, height=HEIGHT)


def _counts(xs: Sequence[float]) -> list[float]:
    """The distinct values where they are whole, few, and far enough apart to be written; else none."""
    distinct = sorted(set(xs))
    are_few = len(distinct) <= _MOST_COUNTS and all(x == int(x) for x in distinct)
    apart = all((b - a) * _MOST_COUNTS >= distinct[-1] - distinct[0] for a, b in pairwise(distinct))
    return distinct if are_few and apart else []


def _height_marks(up: Scale, label: str) -> list[str]:
    parts = [text_at(0, 12, label, "label")]
    for tick in up.ticks():
        y = up.at(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{RIGHT_END}" y2="{y}"/>')
        parts.append(text_at(LEFT - 8, y + 4, format_number(tick), "tick", anchor="end"))
    return parts


def _floor_marks(across: Scale, ticks: Iterable[float], label: str) -> list[str]:
    parts = [f'<line class="axis" x1="{LEFT}" y1="{FLOOR}" x2="{RIGHT_END}" y2="{FLOOR}"/>']
    parts += [text_at(across.at(tick), FLOOR + 16, format_number(tick), "tick", anchor="middle") for tick in ticks]
    return [*parts, text_at((LEFT + RIGHT_END) / 2, HEIGHT - 6, label, "label", anchor="middle")]


def _class_of(index: int) -> str:
    return f"series-{index % len(DASHES) + 1}"


def _intervals(one: Series, index: int, across: Scale, up: Scale) -> list[str]:
    """A band over points of a line that follow each other, a whisker for a point that stands alone."""
    ends = [
        None if point.low is None or point.high is None else (across.at(point.x), up.at(point.low), up.at(point.high))
        for point in one.points
    ]
    runs = [[end for end in run if end] for are_known, run in groupby(ends, key=bool) if are_known]
    if not one.is_joined:
        runs = [[end] for run in runs for end in run]
    return [_interval(run, _class_of(index)) for run in runs]


def _interval(run: Sequence[tuple[float, float, float]], css: str) -> str:
    if len(run) == 1:
        ((x, low, high),) = run
        return f'<line class="whisker {css}" x1="{x}" y1="{low}" x2="{x}" y2="{high}"/>'
    corners = [*((x, high) for x, _, high in run), *((x, low) for x, low, _ in reversed(run))]
    return f'<polygon class="band {css}" points="{" ".join(f"{x},{y}" for x, y in corners)}"/>'


def _line(one: Series, index: int, across: Scale, up: Scale) -> list[str]:
    parts = [_path(one, f"line {_class_of(index)}", DASHES[index % len(DASHES)], across, up)] if one.is_joined else []
    if one.is_joined and len(one.points) > _MOST_DOTS:
        return parts
    return parts + [_dot(point, one.name, index, across, up) for point in one.points]


def _path(one: Series, css: str, dash: str, across: Scale, up: Scale) -> str:
    if not one.points:
        return ""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    places = "L".join(f"{across.at(point.x)} {up.at(point.y)}" for point in one.points)
    return f'<path class="{css}" fill="none"{dashes} d="M{places}"/>'


def _dot(point: Point, name: str, index: int, across: Scale, up: Scale) -> str:
    """Round for the first series and every other one, square for those between."""
    x, y, r = across.at(point.x), up.at(point.y), _DOT_RADIUS
    note = clean(f"{name}, {format_number(point.x)}: {with_interval(point.y, point.low, point.high)}")
    shape, place = "circle", f'cx="{x}" cy="{y}" r="{r}"'
    if index % 2:
        shape, place = "rect", f'x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r}" height="{2 * r}"'
    return f'<{shape} class="dot {_class_of(index)}" {place}><title>{note}</title></{shape}>'


def _end_labels(series: Iterable[tuple[Series, str]], up: Scale) -> list[str]:
    """Names right of the plot at the height of the last point, kept 15 units apart and above the floor."""
    ends = sorted((up.at(one.points[-1].y), one.name, css) for one, css in series if one.points)
    parts, free = [], float(TOP)
    for num_above, (height, name, css) in enumerate(ends):
        y = max(min(height + 4, FLOOR + 4 - 15 * (len(ends) - 1 - num_above)), free)
        free = y + 15
        parts.append(text_at(RIGHT_END + 8, y, shortened(name, 19), css))
    return parts


def _in_words(one: Series) -> str:
    """A series in a few words, for those who do not see it."""
    heights = [point.y for point in one.points]
    if not heights:
        return f"{one.name}: no figures"
    ends = f"{one.name} goes from {format_number(heights[0])} to {format_number(heights[-1])}"
    if one.is_reference:
        return ends
    lowest, highest = format_number(min(heights)), format_number(max(heights))
    return f"{ends} in {len(heights)} points, lowest {lowest}, highest {highest}"
