"""Charts drawn on the server as SVG: lines with bands, bars with whiskers.

No script, no inline style, no dependency. Colours come from charts.css by class, so that they follow the
page's light or dark; series differ by dash and marker too, since colour never carries meaning alone. Every
chart says in <title> and <desc> what it shows. Show the figures in a table beside it.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from labeling.web.chart_scales import Scale, extent, format_number, widened

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 132, 28, 40
DASHES = ("", "7 3", "2 3", "9 3 2 3")
BAR_HEIGHT, NAME_WIDTH = 28, 176
DOT_RADIUS = 2.5


class Svg(str):
    """SVG text that templates may insert as it is: everything in it has been escaped here."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """A named line. `band` holds (low, high) for each point, or nothing."""

    name: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One named figure, with an interval where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    reference: tuple[str, float] | None = None,
) -> Svg:
    """Lines over a shared x axis. `reference` is a named level to hold them against, such as chance.

    Points that are not finite are left out. An interval band is drawn under its line.
    """
    shown = [_finite(one) for one in series]
    xs = [x for one in shown for x, _ in one.points]
    ys = [y for one in shown for _, y in one.points] + [y for one in shown for pair in one.band for y in pair]
    across, up = _scales(xs, ys + ([reference[1]] if reference else []))
    parts = _axes(across, up, x_label=x_label, y_label=y_label)
    if reference:
        y = up.at(reference[1])
        ends = f'x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"'
        parts.append(f'<line class="reference" stroke-dasharray="4 3" {ends}/>')
    for index, one in enumerate(shown):
        parts += _band(one, index, across, up)
    for index, one in enumerate(shown):
        parts += _line(one, index, across, up)
    names = [(one.name, one.points[-1][1], f"name series-{i % 4 + 1}") for i, one in enumerate(shown) if one.points]
    if reference:
        names.append((f"{reference[0]} {format_number(reference[1])}", reference[1], "label"))
    parts += _end_labels(names, up)
    text = "; ".join(_in_words(one) for one in series) or "no figures yet"
    return _svg(parts, title=title, description=f"{y_label} over {x_label}: {text}.", height=HEIGHT)


def bar_chart(bars: Sequence[Bar], *, title: str, x_label: str, reference: tuple[str, float] | None = None) -> Svg:
    """Horizontal bars from 0, named on the left, with their figure at the end and a whisker for the interval."""
    shown = [bar for bar in bars if math.isfinite(bar.value)]
    bounds = [bound for bar in shown for bound in (bar.low, bar.high) if bound is not None]
    values = [0.0, *(bar.value for bar in shown), *bounds, *([reference[1]] if reference else [])]
    low, high = widened(*extent(values))
    across = Scale(low=low, high=high, start=NAME_WIDTH, end=WIDTH - 72)
    bottom = TOP + BAR_HEIGHT * len(shown)
    parts = _grid_down(across, bottom)
    parts.append(_text((across.start + across.end) / 2, bottom + 34, x_label, "label", anchor="middle"))
    if reference:
        x = across.at(reference[1])
        parts.append(f'<line class="reference" stroke-dasharray="4 3" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}"/>')
        parts.append(_text(x, TOP - 10, f"{reference[0]} {format_number(reference[1])}", "label", anchor="middle"))
    for index, bar in enumerate(shown):
        parts += _bar(bar, TOP + BAR_HEIGHT * index, across)
    text = ", ".join(f"{bar.name} {_with_interval(bar)}" for bar in shown) or "no figures yet"
    return _svg(parts, title=title, description=f"{x_label}: {text}.", height=bottom + 44)


def _svg(parts: Iterable[str], *, title: str, description: str, height: int) -> Svg:
    identifier = "chart-" + hashlib.sha256(f"{title}\n{description}".encode("utf-8", "replace")).hexdigest()[:10]
    return Svg(
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{identifier}-title {identifier}-desc">'
        f'<title id="{identifier}-title">{_clean(title)}</title>'
        f'<desc id="{identifier}-desc">{_clean(description)}</desc>' + "".join(parts) + "</svg>"
    )


def _scales(xs: Sequence[float], ys: Sequence[float]) -> tuple[Scale, Scale]:
    low, high = extent(xs)
    bottom, top = widened(*extent(ys))
    across = Scale(low=low, high=high, start=LEFT, end=WIDTH - RIGHT)
    return across, Scale(low=bottom, high=top, start=HEIGHT - BOTTOM, end=TOP)


def _axes(across: Scale, up: Scale, *, x_label: str, y_label: str) -> list[str]:
    parts = []
    for tick in up.ticks():
        y = up.at(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>')
        parts.append(_text(LEFT - 8, y + 4, format_number(tick), "tick", anchor="end"))
    floor = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" y1="{floor}" x2="{WIDTH - RIGHT}" y2="{floor}"/>')
    for tick in across.ticks():
        parts.append(_text(across.at(tick), floor + 16, format_number(tick), "tick", anchor="middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label, "label", anchor="middle"))
    parts.append(_text(0, 12, y_label, "label"))
    return parts


def _grid_down(across: Scale, bottom: int) -> list[str]:
    parts = []
    for tick in across.ticks():
        x = across.at(tick)
        parts.append(f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>')
        parts.append(_text(x, bottom + 16, format_number(tick), "tick", anchor="middle"))
    zero = across.at(0)
    parts.append(f'<line class="axis" x1="{zero}" y1="{TOP}" x2="{zero}" y2="{bottom}"/>')
    return parts


def _band(one: Series, index: int, across: Scale, up: Scale) -> list[str]:
    if not one.band:
        return []
    upper = [(x, high) for (x, _), (_, high) in zip(one.points, one.band, strict=True)]
    lower = [(x, low) for (x, _), (low, _) in zip(one.points, one.band, strict=True)]
    outline = " ".join(f"{across.at(x)},{up.at(y)}" for x, y in [*upper, *reversed(lower)])
    return [f'<polygon class="band series-{index % 4 + 1}" points="{outline}"/>']


def _line(one: Series, index: int, across: Scale, up: Scale) -> list[str]:
    if not one.points:
        return []
    dash = f' stroke-dasharray="{DASHES[index % 4]}"' if DASHES[index % 4] else ""
    parts = [f'<path class="line series-{index % 4 + 1}" fill="none"{dash} d="{_path(one, across, up)}"/>']
    if len(one.points) <= 24:
        for x, y in one.points:
            note = f"{one.name}, {format_number(x)}: {format_number(y)}"
            parts.append(_dot(across.at(x), up.at(y), index, note))
    return parts


def _path(one: Series, across: Scale, up: Scale) -> str:
    return "M" + "L".join(f"{across.at(x)} {up.at(y)}" for x, y in one.points)


def _dot(x: float, y: float, index: int, note: str) -> str:
    """Round for the first series and every other one, square for those between."""
    css, text = f"dot series-{index % 4 + 1}", f"<title>{_clean(note)}</title>"
    if index % 2:
        corner = f'x="{x - DOT_RADIUS:.1f}" y="{y - DOT_RADIUS:.1f}" width="{2 * DOT_RADIUS}" height="{2 * DOT_RADIUS}"'
        return f'<rect class="{css}" {corner}>{text}</rect>'
    return f'<circle class="{css}" cx="{x}" cy="{y}" r="{DOT_RADIUS}">{text}</circle>'


def _bar(bar: Bar, top: int, across: Scale) -> list[str]:
    ends = sorted((across.at(0), across.at(bar.value)))
    middle = top + BAR_HEIGHT / 2
    parts = [
        _text(NAME_WIDTH - 8, middle + 4, _shortened(bar.name, 26), "name", anchor="end"),
        f'<rect class="bar" x="{ends[0]}" y="{top + 5}" width="{ends[1] - ends[0]:.1f}" height="{BAR_HEIGHT - 10}"/>',
    ]
    last = ends[1]
    if bar.low is not None and bar.high is not None:
        last = max(last, across.at(bar.high))
        low, high = across.at(bar.low), across.at(bar.high)
        parts.append(f'<line class="whisker" x1="{low}" y1="{middle}" x2="{high}" y2="{middle}"/>')
    parts.append(_text(last + 6, middle + 4, format_number(bar.value), "value"))
    return parts


def _end_labels(named: Iterable[tuple[str, float, str]], up: Scale) -> list[str]:
    """(name, figure, class) written right of the plot at the height of the figure, kept 15 units apart."""
    parts, free = [], float(TOP)
    for name, value, css in sorted(named, key=lambda label: up.at(label[1])):
        y = max(up.at(value) + 4, free)
        free = y + 15
        parts.append(_text(WIDTH - RIGHT + 8, y, _shortened(name, 19), css))
    return parts


def _text(x: float, y: float, text: str, css: str, *, anchor: str = "start") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_clean(text)}</text>'


def _shortened(text: str, limit: int) -> str:
    """The text, or what fits of it; the whole of it stands in <desc>."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _clean(text: str) -> str:
    """Escaped, and without the characters that XML does not allow."""
    allowed = (
        c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
    return escape("".join(allowed))


def _finite(one: Series) -> Series:
    """The series without points or bands that are not finite."""
    bands = one.band or ((0.0, 0.0),) * len(one.points)
    kept = [
        (point, band) for point, band in zip(one.points, bands, strict=True) if all(map(math.isfinite, (*point, *band)))
    ]
    return Series(
        name=one.name,
        points=tuple(point for point, _ in kept),
        band=tuple(band for _, band in kept) if one.band else (),
    )


def _in_words(one: Series) -> str:
    """A line in a few words, for those who do not see it."""
    shown = _finite(one).points
    if not shown:
        return f"{one.name}: no figures"
    lowest, highest = min(y for _, y in shown), max(y for _, y in shown)
    return (
        f"{one.name} goes from {format_number(shown[0][1])} to {format_number(shown[-1][1])} "
        f"in {len(shown)} points, lowest {format_number(lowest)}, highest {format_number(highest)}"
    )


def _with_interval(bar: Bar) -> str:
    if bar.low is None or bar.high is None:
        return format_number(bar.value)
    return f"{format_number(bar.value)} ({format_number(bar.low)} to {format_number(bar.high)})"
