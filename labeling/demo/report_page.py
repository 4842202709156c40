"""The demo's report as one self-contained HTML page, and the writing of page and JSON into the demo's folder.

Knows only the values of labeling.demo.report.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.template import Context, Engine
from django.utils.safestring import SafeString, mark_safe

from charts import STYLESHEET, Bar, Point, Series, Svg, bar_chart, format_number, line_chart
from labeling.demo.report import Curve, DemoReport, PpoFigures, RewardModelFigures, as_json
from labeling.rounds.policy_evaluation import ComparisonFigures
from labeling.statistics.intervals import Estimate

JSON_FILE, PAGE_FILE = "report.json", "report.html"
HERE = Path(__file__).parent
STYLES = (HERE.parent / "static" / "labeling" / "web" / "parley.css", STYLESHEET, HERE / "report.css")


def write_report(directory: Path, report: DemoReport) -> Path:
    """Write report.json and report.html into `directory`; returns the path of the page."""
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / JSON_FILE, json.dumps(as_json(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _write(directory / PAGE_FILE, render_page(report))
    return directory / PAGE_FILE


def render_page(report: DemoReport) -> str:
    """The whole page as text."""
    engine = Engine(dirs=[str(HERE)], autoescape=True)
    return engine.get_template("report.html").render(Context(page_context(report), use_l10n=False))


def page_context(report: DemoReport) -> dict[str, Any]:
    """The template's context, with every figure already formatted."""
    return {
        "report": report,
        "styles": _styles(),
        "duration": format_duration(report.seconds),
        "failed": next((step for step in report.steps if not step.ok), None),
        "steps": [{"step": step, "duration": format_duration(step.seconds)} for step in report.steps],
        "steps_chart": _steps_chart(report),
        "comparison": report.comparison and _comparison(report.comparison),
        "sft": report.sft and {"charts": _charts(report.sft.curves), "figures": _sft_figures(report)},
        "reward_model": report.reward_model and _reward_model(report.reward_model),
        "ppo": report.ppo and _ppo(report.ppo),
        "samples": [
            {"pair": pair, "before": format_number(pair.gold_before), "after": format_number(pair.gold_after)}
            for pair in report.samples
        ],
    }


def verdict(rate: Estimate) -> str:
    """The conclusion that a win rate of new over old allows."""
    if rate.low > 0.5:
        return "The new policy is preferred to the old one."
    if rate.high < 0.5:
        return "The new policy is worse than the old one."
    return "At this size no difference between the policies can be shown."


def format_duration(seconds: float) -> str:
    """A duration: 0.4 s, 12 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def percent(share: float) -> str:
    """A share in per cent, with one decimal below ten and above ninety."""
    return f"{100 * share:.0f} %" if 0.1 <= share <= 0.9 else f"{100 * share:.1f} %"


def interval(estimate: Estimate) -> str:
    """The estimate with its interval, in per cent."""
    return f"{percent(estimate.value)} ({percent(estimate.low)} to {percent(estimate.high)})"


def _steps_chart(report: DemoReport) -> Svg:
    bars = [Bar(name=step.name, value=step.seconds) for step in report.steps]
    return bar_chart(bars, title="Wall time of each step", x_label="seconds")


def _comparison(figures: ComparisonFigures) -> dict[str, Any]:
    rate = figures.win_rate
    return {
        "win_rate": percent(rate.value),
        "interval": f"{percent(rate.low)} to {percent(rate.high)}",
        "verdict": verdict(rate),
        "n": rate.n,
        "figures": [
            ("wins / ties / losses", f"{figures.wins} / {figures.ties} / {figures.losses}"),
            ("win rate at equal length", percent(figures.length_controlled_win_rate)),
            ("mean gold score, before → after", _change(figures.gold_before, figures.gold_after)),
            ("mean length in characters, before → after", _change(figures.length_before, figures.length_after)),
        ],
    }


def _sft_figures(report: DemoReport) -> list[tuple[str, str]]:
    sft = report.sft
    if sft is None or sft.loss_before is None or sft.loss_after is None:
        return []
    return [("held-out loss in nats per token, before → after", _change(sft.loss_before, sft.loss_after))]


def _reward_model(figures: RewardModelFigures) -> dict[str, Any]:
    named = (("reward model", figures.accuracy), ("the longer wins", figures.longer_baseline))
    chart = bar_chart(
        [Bar(name=name, value=share.value, low=share.low, high=share.high) for name, share in named],
        title="Accuracy on held-out pairs",
        x_label="share of pairs in the judge's order",
        reference=("chance", 0.5),
    )
    return {
        "charts": [{"svg": chart}, *_charts(figures.curves)],
        "figures": [(name, f"{interval(share)}, n = {share.n}") for name, share in named],
    }


def _ppo(figures: PpoFigures) -> dict[str, Any]:
    return {
        "charts": _charts(figures.curves),
        "figures": [
            ("mean score of the reward model, before → after", _change(figures.reward_before, figures.reward_after)),
            ("KL to the reference, nats per completion", format_number(figures.kl)),
        ],
    }


def _charts(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Each curve as a chart, and as a table of at most a dozen of its points."""
    return [
        {
            "svg": line_chart(
                [Series(name=_last(curve), points=[Point(x, y) for x, y in curve.points])],
                title=curve.name,
                x_label=curve.x_label,
                y_label=curve.name,
            ),
            "curve": curve,
            "rows": [(format_number(x), format_number(y)) for x, y in _thinned(curve.points)],
        }
        for curve in curves
    ]


def _last(curve: Curve) -> str:
    """The label at the end of the line; the title says already what is measured."""
    return f"last {format_number(curve.points[-1][1])}" if curve.points else ""


def _thinned(points: Sequence[tuple[float, float]], *, limit: int = 12) -> list[tuple[float, float]]:
    """At most `limit` points, evenly spread, including the first and the last."""
    if len(points) <= limit:
        return list(points)
    return [points[round(index * (len(points) - 1) / (limit - 1))] for index in range(limit)]


def _change(before: float, after: float) -> str:
    return f"{format_number(before)} → {format_number(after)}"


def _styles() -> SafeString:
    text = "\n".join(path.read_text(encoding="utf-8") for path in STYLES)
    assert "</" not in text, "a stylesheet must not be able to end the style element"
    return mark_safe(text)  # noqa: S308  our own files, checked above


def _write(path: Path, text: str) -> None:
    """Replace the file in one step, so that a browser never reads half of it."""
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    staging.write_text(text, encoding="utf-8", errors="replace")  # a model may write half a surrogate pair
    staging.replace(path)
