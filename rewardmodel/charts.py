"""Small charts as inline SVG, for a report that is one file: points with intervals, lines, a curve to compare with.

No script and no outside file. Colours are the page's (`currentColor` and two classes), so that they
follow light and dark; series differ in shape too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 48.0, 20.0, 12.0, 42.0
_TICKS = 5
_MOST_COUNTS = 9


@dataclass(frozen=True)
class Point:
    """One figure, with its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points of one name; `is_line` joins them, `is_ideal` draws them faint and without dots."""

    name: str
    points: Sequence[Point]
    is_line: bool = True
    is_ideal: bool = False


@dataclass(frozen=True)
class Axis:
    """A linear scale from one number of data to pixels. `counts` are what is labelled where x counts something."""

    low: float
    high: float
    start: float
    end: float
    counts: tuple[float, ...] = ()

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Values to label: the counts, or evenly spaced ones."""
        return list(self.counts) or [self.low + (self.high - self.low) * i / (_TICKS - 1) for i in range(_TICKS)]


def chart(title: str, series: Sequence[Series], *, x_label: str, y_label: str, y_range: tuple[float, float]) -> str:
    """The SVG text. `title` is what a reader who cannot see it is told."""
    xs = [point.x for one in series for point in one.points]
    low, high = min(xs), max(xs)
    x_axis = Axis(low, high if high > low else low + 1, LEFT, WIDTH - RIGHT, _counts(xs))
    y_axis = Axis(*y_range, HEIGHT - BOTTOM, TOP)
    drawn = [_series(one, x_axis, y_axis, number) for number, one in enumerate(series)]
    parts = [*_axes(x_axis, y_axis, x_label, y_label), *drawn, *_legend(series)]
    opening = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">'
    return "".join([opening, f"<title>{escape(title)}</title>", *parts, "</svg>"])


def _counts(xs: Sequence[float]) -> tuple[float, ...]:
    """The distinct values where they are whole and few; else none."""
    distinct = sorted(set(xs))
    return tuple(distinct) if len(distinct) <= _MOST_COUNTS and all(x == int(x) for x in distinct) else ()


def _series(series: Series, x_axis: Axis, y_axis: Axis, number: int) -> str:
    kind = "ideal" if series.is_ideal else f"s{number}"
    places = [(x_axis(point.x), y_axis(point.y)) for point in series.points]
    parts = []
    if series.is_line or series.is_ideal:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="{kind}" fill="none" points="{path}"/>')
    if not series.is_ideal:
        for (x, y), point in zip(places, series.points, strict=True):
            if point.low is not None and point.high is not None:
                ends = f'y1="{y_axis(point.low):.1f}" y2="{y_axis(point.high):.1f}"'
                parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" {ends}/>')
            parts.append(_dot(x, y, number, kind))
    return "".join(parts)


def _dot(x: float, y: float, number: int, kind: str) -> str:
    if number % 2:
        return f'<rect class="{kind} dot" x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
    return f'<circle class="{kind} dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


def _axes(x_axis: Axis, y_axis: Axis, x_label: str, y_label: str) -> list[str]:
    bottom, parts = HEIGHT - BOTTOM, []
    for value in y_axis.ticks():
        y = y_axis(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2g}</text>')
    for value in x_axis.ticks():
        parts.append(f'<text x="{x_axis(value):.1f}" y="{bottom + 16}" text-anchor="middle">{value:.3g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>')
    parts.append(
        f'<text x="12" y="{(TOP + bottom) / 2}" text-anchor="middle" '
        f'transform="rotate(-90 12 {(TOP + bottom) / 2})">{escape(y_label)}</text>'
    )
    return parts


def _legend(series: Sequence[Series]) -> list[str]:
    parts = []
    for number, one in enumerate(series):
        y = HEIGHT - BOTTOM - 12 - 16 * (len(series) - 1 - number)
        kind = "ideal" if one.is_ideal else f"s{number}"
        x = WIDTH - RIGHT - 150
        mark = f'<line class="ideal" x1="{x - 5}" x2="{x + 5}" y1="{y}" y2="{y}"/>'
        parts.append(mark if one.is_ideal else _dot(x, y, number, kind))
        parts.append(f'<text x="{x + 10}" y="{y + 4}">{escape(one.name)}</text>')
    return parts
