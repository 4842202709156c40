"""A figure and how it is made: two sides in turn, several times, the median of the ratios."""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number. `low` and `high` are the extremes of the repeats, not an interval of confidence."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    detail: dict[str, Any] = field(default_factory=dict)

    def to_line(self) -> str:
        return json.dumps(asdict(self), sort_keys=False)


def ratio(
    name: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    *,
    repeats: int,
    unit: str = "times",
    **detail: Any,
) -> Figure:
    """The median of ours/theirs over `repeats` pairs, in turn. A side returns its measure (more is better)."""
    ratios, our_measures, their_measures = [], [], []
    for _ in range(repeats):
        our_measures.append(ours())
        their_measures.append(theirs())
        ratios.append(our_measures[-1] / their_measures[-1])
    measured = {"ours": our_measures, "theirs": their_measures, "machine": platform.processor() or platform.machine()}
    return summarise(name, ratios, unit=unit, **measured, **detail)


def summarise(name: str, values: list[float], *, unit: str, **detail: Any) -> Figure:
    """Median, low and high of repeated measurements."""
    return Figure(name=name, value=median(values), unit=unit, low=min(values), high=max(values), detail=detail)


def rate(work: Callable[[], int]) -> float:
    """How many units of work a second: `work` returns how many it did."""
    began = time.perf_counter()
    return work() / (time.perf_counter() - began)
