"""The evaluation of a reward model as one HTML file: figures with intervals, tables, charts; nothing fetched."""

from collections.abc import Mapping, Sequence
from html import escape
from math import exp

from charts import Point, Series, Svg, line_chart
from judging import Agreement
from rewardmodel.evaluation import Evaluation, verdict
from rewardmodel.page import figures, page, table
from rewardmodel.statistics import CalibrationBin, Estimate


def report_html(evaluation: Evaluation, *, title: str, facts: Mapping[str, object]) -> str:
    """The whole page. `facts` are shown as they are: the model, the data and its hash, the split."""
    groups = [
        ("By tiers between the two", evaluation.by_tier_gap),
        ("By how much longer the better one is, in characters", evaluation.by_length_difference),
        ("By agreement among trainers", evaluation.by_agreement),
        ("By number of completions", evaluation.by_num_completions),
        ("By trainer", evaluation.by_trainer),
        ("By topic", evaluation.by_topic),
    ]
    parts = [
        f"<p>Accuracy {_show(evaluation.accuracy)}: <strong>{verdict(evaluation)}</strong>. "
        f"{evaluation.accuracy.num_pairs} pairs of {evaluation.num_rankings} rankings over "
        f"{evaluation.accuracy.num_prompts} prompts. In brackets: 95 % intervals, prompts resampled.</p>",
        table((name, str(value)) for name, value in facts.items()),
        _table("Figures", _main_rows(evaluation)),
        _table(
            "Beside people, where several ranked the same (prompts and people resampled)",
            [(name, show_agreement(found), str(found.num_votes)) for name, found in people_rows(evaluation)],
        ),
        figures(drawings(evaluation)),
        _table("A completion scores above its spoiled copy", _rows(evaluation.out_of_distribution)),
        *(_table(f"Accuracy: {name[0].lower()}{name[1:]}", _rows(group)) for name, group in groups),
    ]
    return page(title, parts)


def left_out_facts(left_out: Mapping[str, int], num_prompts_cut: int) -> dict[str, str]:
    """What a reader must know of what the figures are not of."""
    named = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(left_out.items()) if count)
    return {"rankings left out": named or "none", "prompts that lost their oldest turns to fit": str(num_prompts_cut)}


def people_rows(evaluation: Evaluation) -> list[tuple[str, Agreement]]:
    """What people, the model and length agree on, over the same votes; empty where no two people ordered a pair."""
    people = evaluation.beside_people
    if people is None:
        return []
    model, longer = people.judges["model"], people.judges["longer"]
    return [
        ("two people agree", people.of_two),
        ("model with one person", model.with_one),
        ("longer with one person", longer.with_one),
        ("person with majority", people.with_majority),
        ("model with majority", model.with_majority),
        ("longer with majority", longer.with_majority),
    ]


def show_agreement(found: Agreement) -> str:
    """The share with its interval."""
    if found.low is None or found.high is None:
        return f"{found.value:.3f} [one prompt or person: no interval]"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def drawings(evaluation: Evaluation) -> list[Svg]:
    """Reliability, accuracy by score gap against the sigmoid, and the best-of-n curve."""
    bins = evaluation.calibration
    ends = (min(bin_.predicted for bin_ in bins), max(bin_.predicted for bin_ in bins))
    middles = [(bin_.gap_from + bin_.gap_to) / 2 for bin_ in bins]
    furthest = max(middles) or 1.0
    sigmoid = [Point(furthest * i / 60, 1 / (1 + exp(-furthest * i / 60))) for i in range(61)]
    picks = {
        "best by score": [(one.n, one.by_score) for one in evaluation.best_of_n],
        "the longest": [(one.n, one.by_length) for one in evaluation.best_of_n],
        "best by people": [(one.n, one.by_people) for one in evaluation.best_of_n],
    }
    return [
        line_chart(
            [
                _observed([bin_.predicted for bin_ in bins], bins),
                Series(name="calibrated", points=[Point(end, end) for end in ends], is_reference=True),
            ],
            title="Reliability: how often the higher score was right against how often it should be",
            x_label="predicted",
            y_label="right",
            y_range=(0.0, 1.0),
        ),
        line_chart(
            [_observed(middles, bins), Series(name="1/(1+e^−Δ)", points=sigmoid, is_reference=True)],
            title="Accuracy by score gap against the sigmoid of the gap",
            x_label="score gap Δ",
            y_label="right",
            y_range=(0.0, 1.0),
        ),
        line_chart(
            [
                Series(name=name, points=[Point(n, found.value, found.low, found.high) for n, found in curve])
                for name, curve in picks.items()
            ],
            title="Best of n: share of the other completions that people put below the one picked",
            x_label="n",
            y_label="quality",
            y_range=(0.0, 1.0),
        ),
    ]


def _observed(xs: Sequence[float], bins: Sequence[CalibrationBin]) -> Series:
    points = [Point(x, one.observed, one.observed_low, one.observed_high) for x, one in zip(xs, bins, strict=True)]
    return Series(name="observed", points=points, is_joined=False)


def _main_rows(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    estimates = [
        ("accuracy", evaluation.accuracy),
        ("the longer one wins", evaluation.longer_baseline),
        ("difference", evaluation.over_longer),
        ("accuracy where the shorter one is better", evaluation.when_shorter_is_better),
        ("other trainers on the same pairs (the ceiling)", evaluation.trainers_agreement),
        ("accuracy on those pairs", evaluation.accuracy_beside_trainers),
        ("log loss (indifference: 0.693)", evaluation.intervals.get("log_loss")),
        ("correlation of score and length within prompts", evaluation.intervals.get("length_correlation")),
    ]
    rows = [(name, _show(found), str(found.num_pairs)) for name, found in estimates if found is not None]
    return [
        *rows,
        ("a coin", f"{evaluation.random_baseline:.3f}", ""),
        ("calibration error", f"{evaluation.calibration_error:.3f}", str(evaluation.accuracy.num_pairs)),
        ("correlation of score and length over all", _number(evaluation.length_correlation_overall), ""),
    ]


def _number(value: float | None) -> str:
    return "none: one of them does not vary" if value is None else f"{value:+.3f}"


def _rows(group: Mapping[str, Estimate]) -> list[tuple[str, str, str]]:
    return [(name, _show(estimate), str(estimate.num_pairs)) for name, estimate in group.items()]


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    return f"<h2>{escape(title)}</h2>{table(rows, head=('', 'value [95 %]', 'pairs'))}" if rows else ""


def _show(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f} (one prompt: no interval)"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
