"""The results of a demo run as plain values and as JSON. Knows nothing of rows or jobs.

A part that the run did not reach is None: a run that stopped half-way is reported as far as it came. Figures are
reported as measured; the page adds how certain they are.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from labeling.rounds.policy_evaluation import ComparisonFigures
from labeling.statistics.intervals import Estimate
from records import Message

Judge = Literal["simulated", "people"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of the loop. `summary` says what it did, `error` why it failed."""

    name: str
    seconds: float
    ok: bool
    summary: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A metric over the steps of a training job."""

    name: str
    points: tuple[tuple[float, float], ...]
    x_label: str = "step"


@dataclass(frozen=True, kw_only=True, slots=True)
class SftFigures:
    """`loss_before` and `loss_after` are per token, in nats, on held-out dialogues."""

    curves: tuple[Curve, ...]
    loss_before: float | None = None
    loss_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardModelFigures:
    """Shares of held-out ordered pairs in the judge's order: by the model, and by "the longer wins"."""

    accuracy: Estimate
    longer_baseline: Estimate
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PpoFigures:
    """Mean score by the reward model before and after, and KL to the reference in nats per completion."""

    reward_before: float
    reward_after: float
    kl: float
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SideBySide:
    """One held-out prompt with an answer of each policy and its gold score."""

    messages: tuple[Message, ...]
    before: str
    after: str
    gold_before: float
    gold_after: float


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoReport:
    """Everything that is reported of one run."""

    started_at: str
    seconds: float
    judge: Judge
    machine: dict[str, str]
    steps: tuple[Step, ...]
    sizes: dict[str, int]
    options: dict[str, int] = field(default_factory=dict)
    rankings_file: str | None = None
    policy_before: str | None = None
    policy_after: str | None = None
    sft: SftFigures | None = None
    reward_model: RewardModelFigures | None = None
    ppo: PpoFigures | None = None
    comparison: ComparisonFigures | None = None
    samples: tuple[SideBySide, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every step succeeded."""
        return bool(self.steps) and all(step.ok for step in self.steps)


def as_json(report: DemoReport) -> dict[str, Any]:
    """The report as JSON values, under the keys that scripts rely on; numbers that are not finite become null."""
    values: dict[str, Any] = {"ok": report.ok, **asdict(report)}
    if report.reward_model:
        values["reward_model"] |= {
            "accuracy": report.reward_model.accuracy.value,
            "accuracy_low": report.reward_model.accuracy.low,
            "accuracy_high": report.reward_model.accuracy.high,
            "longer_baseline": report.reward_model.longer_baseline.value,
            "longer_baseline_low": report.reward_model.longer_baseline.low,
            "longer_baseline_high": report.reward_model.longer_baseline.high,
            "n": report.reward_model.accuracy.n,
        }
    if report.comparison:
        rate = report.comparison.win_rate
        values["comparison"] |= {"win_rate": rate.value, "low": rate.low, "high": rate.high, "n": rate.n}
    plain: dict[str, Any] = _plain(values)
    return plain


def read_curve(metrics_file: Path, name: str, *, label: str | None = None) -> Curve:
    """One metric of a trainer's metrics.jsonl; lines without it are skipped."""
    lines = (json.loads(line) for line in metrics_file.read_text(encoding="utf-8").splitlines() if line.strip())
    points = tuple((float(values["step"]), float(values[name])) for values in lines if name in values)
    return Curve(name=label or name, points=points)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value
