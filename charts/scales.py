"""From figures to places on a chart: ranges, round ticks, and numbers as people write them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """A straight map from figures [low, high] to coordinates [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The coordinate of a figure, to a tenth of a unit."""
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def ticks(self, *, about: int = 5) -> list[float]:
        """Round figures within the range."""
        return [tick for tick in round_steps(self.low, self.high, about=about) if self.low <= tick <= self.high]


def extent(values: Iterable[float]) -> tuple[float, float]:
    """The lowest and highest finite figure, moved apart where they are one; (0, 1) where there is none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    if high - low > 1e-12 * max(abs(low), abs(high)):
        return low, high
    margin = abs(low) * 0.1 or 1.0
    return low - margin, high + margin


def widened(low: float, high: float, *, about: int = 5) -> tuple[float, float]:
    """The range moved outwards to round figures."""
    steps = round_steps(low, high, about=about)
    return steps[0], steps[-1]


def round_steps(low: float, high: float, *, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that cover [low, high]."""
    step = _round_step((high - low) / about)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def format_number(value: float) -> str:
    """At most three significant digits, thousands set apart: 0.613, 12.5, 1,200, 9e-06."""
    if not math.isfinite(value):
        return "–"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.2g}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _round_step(rough: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
