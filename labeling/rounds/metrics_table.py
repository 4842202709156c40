"""The metrics of a model or a job as rows of a table, each with its interval; those with an interval first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LOW, HIGH = "_low", "_high"


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One metric; `low` and `high` bound its 95 % interval where the training program measured one."""

    name: str
    value: Any
    low: float | None = None
    high: float | None = None


def metric_rows(metrics: Mapping[str, Any]) -> list[MetricRow]:
    """Rows by name; `accuracy_low` and `accuracy_high` become the interval of `accuracy`."""
    bounded = {name for name in metrics if {name + LOW, name + HIGH} <= metrics.keys()}
    bounds = {name + end for name in bounded for end in (LOW, HIGH)}
    rows = [
        MetricRow(name=name, value=metrics[name], low=metrics.get(name + LOW), high=metrics.get(name + HIGH))
        if name in bounded
        else MetricRow(name=name, value=metrics[name])
        for name in sorted(metrics.keys() - bounds)
    ]
    return sorted(rows, key=lambda row: row.low is None)
