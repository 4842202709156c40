"""The metrics of a model or a job in words, by the data that each is of; each with its interval where it has one.

The words are those of records.metrics. A name that no program has any more is shown as it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from records.metrics import DATA, metric_of
from records.types import TrainingKind

LOW, HIGH = "_low", "_high"


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One metric; `low` and `high` bound its 95 % interval where the training program measured one."""

    name: str
    label: str
    data: str  # which data it is of, in words; empty where nobody knows
    unit: str
    sentence: str
    value: Any
    low: float | None = None
    high: float | None = None


def metric_rows(
    metrics: Mapping[str, Any], kind: TrainingKind | None, *, results: Collection[str] | None = None
) -> list[MetricRow]:
    """Rows by data, held-out first, then by name; `accuracy_low` and `accuracy_high` become an interval.

    `results` names those that a finished model carries, by default all: a name may mean another number while a run
    goes on.
    """
    bounded = {name for name in metrics if {name + LOW, name + HIGH} <= metrics.keys()}
    bounds = {name + end for name in bounded for end in (LOW, HIGH)}
    rows = [
        _row(metrics, name, kind, is_result=results is None or name in results, has_interval=name in bounded)
        for name in metrics.keys() - bounds
    ]
    order = list(DATA.values())
    return sorted(rows, key=lambda row: (order.index(row.data) if row.data else len(order), row.low is None, row.name))


def _row(
    metrics: Mapping[str, Any], name: str, kind: TrainingKind | None, *, is_result: bool, has_interval: bool
) -> MetricRow:
    words = metric_of(kind, name, is_result=is_result) if kind else None
    low, high = (metrics[name + LOW], metrics[name + HIGH]) if has_interval else (None, None)
    if words is None:
        return MetricRow(name=name, label=name, data="", unit="", sentence="", value=metrics[name], low=low, high=high)
    return MetricRow(
        name=name,
        label=words.label,
        data=DATA[words.data],
        unit=words.unit,
        sentence=words.sentence,
        value=metrics[name],
        low=low,
        high=high,
    )
