"""A chart of named figures as bars from zero, each with a whisker for its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from charts.scales import Scale, extent, format_number, widened
from charts.svg import TOP, WIDTH, Svg, frame, in_words, reference_line, shortened, text_at, with_interval

BAR_HEIGHT, NAME_WIDTH = 28, 176


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One named figure, with an interval where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def bar_chart(bars: Sequence[Bar], *, title: str, x_label: str, reference: tuple[str, float] | None = None) -> Svg:
    """Horizontal bars, named on the left, with their figure at the end. `reference` is a named figure beside them."""
    shown = [bar for bar in bars if math.isfinite(bar.value)]
    bounds = [bound for bar in shown for bound in (bar.low, bar.high) if bound is not None]
    values = [0.0, *(bar.value for bar in shown), *bounds, *([reference[1]] if reference else [])]
    low, high = widened(*extent(values))
    across = Scale(low=low, high=high, start=NAME_WIDTH, end=WIDTH - 72)
    bottom = TOP + BAR_HEIGHT * len(shown)
    parts = _grid_down(across, bottom)
    parts.append(text_at((across.start + across.end) / 2, bottom + 34, x_label, "label", anchor="middle"))
    parts += reference_line(reference, across, bottom)
    for index, bar in enumerate(shown):
        parts += _bar(bar, TOP + BAR_HEIGHT * index, across)
    phrases = [f"{bar.name} {with_interval(bar.value, bar.low, bar.high)}" for bar in shown]
    return frame(parts, title=title, description=in_words(x_label, phrases, reference), height=bottom + 44)


def _grid_down(across: Scale, bottom: int) -> list[str]:
    parts = []
    for tick in across.ticks():
        x = across.at(tick)
        parts.append(f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>')
        parts.append(text_at(x, bottom + 16, format_number(tick), "tick", anchor="middle"))
    zero = across.at(0)
    parts.append(f'<line class="axis" x1="{zero}" y1="{TOP}" x2="{zero}" y2="{bottom}"/>')
    return parts


def _bar(bar: Bar, top: int, across: Scale) -> list[str]:
    ends = sorted((across.at(0), across.at(bar.value)))
    middle = top + BAR_HEIGHT / 2
    parts = [
        text_at(NAME_WIDTH - 8, middle + 4, shortened(bar.name, 26), "name", anchor="end"),
        f'<rect class="bar" x="{ends[0]}" y="{top + 5}" width="{ends[1] - ends[0]:.1f}" height="{BAR_HEIGHT - 10}"/>',
    ]
    last = ends[1]
    if bar.low is not None and bar.high is not None:
        low, high = across.at(bar.low), across.at(bar.high)
        last = max(last, high)
        parts.append(f'<line class="whisker" x1="{low}" y1="{middle}" x2="{high}" y2="{middle}"/>')
    parts.append(text_at(last + 6, middle + 4, format_number(bar.value), "value"))
    return parts
