"""Charts of a training job's metrics, read from the metrics.jsonl that its worker writes."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from charts import Point, Series, Svg, line_chart
from labeling.models import TrainingJob
from labeling.rounds.training_jobs import FOLDERS, Kind

_MOST_BYTES = 8 * 2**20  # read of a file, so that a long run does not fill the web process
_MOST_POINTS = 400  # of a curve; more cannot be told apart on a screen
# The metrics drawn for each kind of job: name in metrics.jsonl, label, unit.
_SHOWN: dict[Kind, tuple[tuple[str, Any, Any], ...]] = {
    Kind.SFT: (
        ("loss", _("Loss"), _("nats per token")),
        ("validation_loss", _("Loss on held-out dialogues"), _("nats per token")),
    ),
    Kind.REWARD_MODEL: (
        ("loss", _("Loss"), _("nats per pair")),
        ("accuracy", _("Pairs in the trainers' order, before each step"), _("share")),
    ),
    Kind.PPO: (
        ("score", _("Score of the reward model"), _("mean over completions")),
        ("kl", _("KL to the start"), _("nats per completion")),
        ("entropy", _("Entropy"), _("nats per token")),
        ("completion_tokens", _("Length of a completion"), _("tokens")),
    ),
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
    lines = _read(job)
    drawn = (_curve(name, str(label), str(unit), lines) for name, label, unit in _SHOWN[Kind(job.kind)])
    return [curve for curve in drawn if curve is not None]


def _curve(name: str, label: str, unit: str, lines: list[dict[str, float]]) -> MeasuredCurve | None:
    points = [Point(line["step"], line[name]) for line in lines if math.isfinite(line.get(name, math.nan))]
    if len(points) < 2:
        return None
    values = [point.y for point in points]
    every = math.ceil(len(points) / _MOST_POINTS)
    series = Series(name=name, points=points[::every])
    chart = line_chart([series], title=label, x_label=str(_("step")), y_label=unit)
    return MeasuredCurve(
        label=label, chart=chart, first=values[0], last=values[-1], lowest=min(values), highest=max(values)
    )


def _read(job: TrainingJob) -> list[dict[str, float]]:
    """The lines of metrics.jsonl: of the published directory, or of the one that the worker is writing."""
    store = Path(settings.PARLEY_STORE)
    published = store / FOLDERS[Kind(job.kind)] / job.output_name / "metrics.jsonl"
    working = store / "jobs" / str(job.id) / "work" / "metrics.jsonl"
    path = published if job.state == TrainingJob.State.DONE and published.is_file() else working
    try:
        with open(path, "rb") as file:
            text = file.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in map(_numbers, text.splitlines()) if "step" in line]


def _numbers(line: str) -> dict[str, float]:
    try:
        values = json.loads(line)
    except ValueError:  # the worker is still writing this line
        return {}
    if not isinstance(values, dict):
        return {}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
