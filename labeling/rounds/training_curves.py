"""Charts of a training job's metrics, read from the metrics.jsonl that its worker writes."""

import json
import math
from dataclasses import dataclass
from typing import cast

from django.utils.translation import gettext_lazy as _

from charts import Point, Series, Svg, line_chart
from labeling.models import TrainingJob
from labeling.rounds.job_files import text_of
from labeling.rounds.training_jobs import Kind
from records.metrics import DATA, MEASURED
from records.types import TrainingKind

_MOST_POINTS = 400  # of a curve; more cannot be told apart on a screen
_WATCH = (
    *("watch_held_out_score", "watch_beyond_length", "watch_tokens", "watch_unended_share", "watch_repeated_share"),
)
_ROLLOUTS = ("score", "kl", "entropy", "completion_tokens", *_WATCH)
# The metrics drawn for each kind of job, by their names in metrics.jsonl; in words in records.metrics.
SHOWN: dict[Kind, tuple[str, ...]] = {
    Kind.SFT: ("loss", "validation_loss"),
    Kind.REWARD_MODEL: ("loss", "accuracy"),
    Kind.FILTER: (),  # it is fitted in one go
    Kind.PPO: _ROLLOUTS,
    Kind.RLOO: _ROLLOUTS,
    Kind.DPO: ("loss", "validation_loss", "accuracy", "validation_accuracy", "margin", "drift"),
    Kind.KTO: ("loss", "validation_loss", "accuracy", "validation_accuracy", "reward_up", "reward_down"),
    Kind.REJECTION_SAMPLING: ("loss", "validation_loss"),
}


@dataclass(frozen=True, kw_only=True)
class MeasuredCurve:
    """One metric over the steps: its chart, and its figures for screen readers."""

    label: str
    chart: Svg
    first: float
    last: float
    lowest: float
    highest: float


def curves_of(job: TrainingJob) -> list[MeasuredCurve]:
    """The charts of the job's main metrics that have at least two points."""
    lines = lines_of(job)
    drawn = (_curve(job, name, lines) for name in SHOWN[Kind(job.kind)])
    return [curve for curve in drawn if curve is not None]


def _curve(job: TrainingJob, name: str, lines: list[dict[str, float]]) -> MeasuredCurve | None:
    points = points_of(lines, name)
    if len(points) < 2:
        return None
    values = [point.y for point in points]
    label, unit = words_of(job.kind, name)
    chart = line_chart([Series(name=name, points=thinned(points))], title=label, x_label=str(_("step")), y_label=unit)
    return MeasuredCurve(
        label=label, chart=chart, first=values[0], last=values[-1], lowest=min(values), highest=max(values)
    )


def words_of(kind: str, name: str) -> tuple[str, str]:
    """What a curve is of, with the data that it is of, and its unit."""
    metric = MEASURED[cast(TrainingKind, kind)][name]
    return f"{metric.label} · {DATA[metric.data].lower()}", metric.unit


def points_of(lines: list[dict[str, float]], name: str) -> list[Point]:
    """The curve of one metric over the steps; without what is no number."""
    return [Point(line["step"], line[name]) for line in lines if math.isfinite(line.get(name, math.nan))]


def thinned(points: list[Point]) -> list[Point]:
    """As many of the points as can be told apart on a screen."""
    return points[:: math.ceil(len(points) / _MOST_POINTS)]


def lines_of(job: TrainingJob) -> list[dict[str, float]]:
    """The lines of metrics.jsonl: of the published directory, or of the one that the worker is writing."""
    return [line for line in map(_numbers, text_of(job, "metrics.jsonl").splitlines()) if "step" in line]


def _numbers(line: str) -> dict[str, float]:
    try:
        values = json.loads(line)
    except ValueError:  # the worker is still writing this line
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
