"""Training jobs of one kind as rows of a table, and the curves of some of them on one chart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.utils.translation import gettext as _

from charts import Series, Svg, line_chart
from labeling.models import Project, TrainingJob
from labeling.rounds.training_curves import SHOWN, lines_of, points_of, thinned, words_of
from labeling.rounds.training_jobs import Kind
from records.metrics import DATA, metric_of
from records.types import TrainingKind

MOST_RUNS = 30  # in the table, the newest
MOST_CURVES = 6  # on one chart; more lines cannot be told apart
_MOST_OPTIONS = 8  # columns; the page of each job has all

# The figures by which runs are held against each other, of a finished model or of a run that goes on.
_FIGURES = {
    Kind.SFT: ("validation_loss", "loss"),
    Kind.REWARD_MODEL: ("accuracy", "log_loss", "train_loss"),
    Kind.PPO: ("score", "kl", "completion_tokens"),
    Kind.RLOO: ("score", "kl", "completion_tokens"),
    Kind.DPO: ("validation_accuracy", "validation_loss", "drift"),
    Kind.KTO: ("validation_accuracy", "validation_loss", "drift"),
    Kind.REJECTION_SAMPLING: ("sampled_score", "chosen_score", "validation_loss"),
    Kind.FILTER: ("auprc_any", "auprc_macro", "ece"),
}
_MADE = ("policy_made", "reward_model_made", "filter_made")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A job with what its columns hold; None where it has no such option or figure."""

    job: TrainingJob
    options: list[Any]
    figures: list[Any]
    is_drawn: bool


@dataclass(frozen=True, kw_only=True)
class RunTable:
    option_names: list[str]
    figure_names: list[str]
    runs: list[Run]


def newest_runs(project: Project, kind: str) -> list[TrainingJob]:
    """The newest jobs of this kind."""
    jobs = project.training_jobs.filter(kind=kind).select_related("export", *_MADE)
    return list(jobs.order_by("-created_at")[:MOST_RUNS])


def run_table(jobs: Sequence[TrainingJob], kind: str, *, drawn: Sequence[TrainingJob]) -> RunTable:
    """A row of each job: the options in which they differ, and the figures that they are held against each other by."""
    options = varying_options(jobs)
    figures = _FIGURES[Kind(kind)]
    return RunTable(
        option_names=options,
        figure_names=[_heading(kind, name) for name in figures],
        runs=[
            Run(
                job=job,
                options=[job.options.get(name) for name in options],
                figures=[_figure(job, name) for name in figures],
                is_drawn=job in drawn,
            )
            for job in jobs
        ],
    )


def varying_options(jobs: Sequence[TrainingJob]) -> list[str]:
    """Names of the options that are not the same in all; an option that is left out is the program's own choice."""
    names = sorted({name for job in jobs for name in job.options})
    varying = [name for name in names if len({repr(job.options.get(name)) for job in jobs}) > 1]
    return varying[:_MOST_OPTIONS]


def overlays(jobs: Sequence[TrainingJob], kind: str) -> list[tuple[str, Svg]]:
    """A chart of each metric with a line of each job; none of a metric that nobody has two points of."""
    lines = {job: lines_of(job) for job in jobs[:MOST_CURVES]}
    charts = []
    for name in SHOWN[Kind(kind)]:
        found = {job: points_of(lines[job], name) for job in lines}
        series = [
            Series(name=job.output_name, points=thinned(points)) for job, points in found.items() if len(points) > 1
        ]
        if series:
            label, unit = words_of(kind, name)
            charts.append((label, line_chart(series, title=label, x_label=_("step"), y_label=unit)))
    return charts


def _heading(kind: str, name: str) -> str:
    metric = metric_of(cast(TrainingKind, kind), name, is_result=True)
    assert metric is not None
    return f"{metric.label}, {DATA[metric.data].lower()}"


def _figure(job: TrainingJob, name: str) -> Any:
    """Of a finished model; of a run that goes on where the name means the same there."""
    made = next((one for name in _MADE if (one := getattr(job, name, None))), None)
    if made is not None:
        return made.metrics.get(name)
    is_same = metric_of(Kind(job.kind).value, name, is_result=False) == metric_of(job.kind, name, is_result=True)  # type: ignore[arg-type]
    return job.metrics.get(name) if is_same else None
