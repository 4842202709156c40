"""The report of the demo says what was found and no more, in a page that needs nothing else and in plain JSON."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from labeling.demo.report import (
    Curve,
    DemoReport,
    PpoFigures,
    RewardModelFigures,
    SftFigures,
    SideBySide,
    Step,
    as_json,
    read_curve,
)
from labeling.demo.report_page import format_duration, percent, render_page, verdict, write_report
from labeling.rounds.policy_evaluation import ComparisonFigures
from labeling.statistics.intervals import Estimate
from records import Message

VOID = {"meta", "link", "br", "hr", "img"}


def make_report(**changes: object) -> DemoReport:
    report = DemoReport(
        started_at="2024-05-03 10:12",
        seconds=724.4,
        judge="simulated",
        machine={"cores": "2 cores", "processor": "x86_64"},
        steps=(
            Step(name="import", seconds=3.2, ok=True, summary="60 dialogues"),
            Step(name="reward model", seconds=95.0, ok=True, summary="120 pairs"),
        ),
        sizes={"prompts": 106, "comparisons": 40},
        options={"rollouts": 64},
        policy_before="smollm2-135m-instruct",
        policy_after="demo-round-1",
        sft=SftFigures(curves=(Curve(name="loss", points=((1, 3.0), (2, 2.5))),), loss_before=3.1, loss_after=2.6),
        reward_model=RewardModelFigures(
            accuracy=Estimate(value=0.66, low=0.58, high=0.73, n=150),
            longer_baseline=Estimate(value=0.48, low=0.4, high=0.56, n=150),
            curves=(Curve(name="loss", points=((1, 0.69), (2, 0.61))),),
        ),
        ppo=PpoFigures(
            reward_before=-0.1,
            reward_after=0.4,
            kl=1.7,
            curves=(Curve(name="KL", points=tuple((i, 0.1 * i) for i in range(30))),),
        ),
        comparison=ComparisonFigures(
            win_rate=Estimate(value=0.55, low=0.44, high=0.65, n=48),
            length_controlled_win_rate=0.53,
            wins=24,
            ties=5,
            losses=19,
            gold_before=0.61,
            gold_after=0.64,
            length_before=310.0,
            length_after=290.0,
        ),
        samples=(
            SideBySide(
                messages=(Message(role="user", content="Is <b>bold</b> & brave a pun?"),),
                before="No.\n\nNot <script>alert(1)</script> at all.",
                after="Perhaps.",
                gold_before=0.5,
                gold_after=0.75,
            ),
        ),
    )
    return replace(report, **changes)  # type: ignore[arg-type]


class Outline(HTMLParser):
    """Checks that tags close in order and gathers what the tests look at."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    page = render_page(make_report())
    outline = Outline(page)
    assert {"script", "link", "img", "iframe"}.isdisjoint(outline.tags)
    assert not [name for name, _ in outline.attributes if name in ("src", "href", "style")]
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org)", page)
    assert outline.tags.count("svg") == 5


def test_the_page_tells_every_figure() -> None:
    text = Outline(render_page(make_report())).text
    for expected in (
        "12 min 04 s on 2 cores, x86_64.",
        "rollouts",
        "55 %",
        "44 % to 65 %, 48 prompts",
        "24 / 5 / 19",
        "0.61 → 0.64",
        "310 → 290",
        "66 % (58 % to 73 %), n = 150",
        "-0.1 → 0.4",
        "60 dialogues",
        "demo-round-1 against smollm2-135m-instruct",
    ):
        assert expected in text, expected


def test_the_page_says_who_ranked() -> None:
    assert "Ranked by a simulated trainer, not by people" in render_page(make_report())
    people = render_page(make_report(judge="people", rankings_file="oasst.jsonl.gz"))
    assert "Ranked by a simulated trainer, not by people" not in people
    assert "learned from people’s rankings" in people
    assert "oasst.jsonl.gz" in people
    assert "judged by the simulated trainer all the same" in people


def test_what_models_wrote_cannot_become_markup() -> None:
    page = render_page(make_report())
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "Is &lt;b&gt;bold&lt;/b&gt; &amp; brave" in page


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.52, 0.7, "preferred"), (0.3, 0.48, "worse"), (0.45, 0.6, "no difference"), (0.5, 0.6, "no difference")],
)
def test_the_verdict_says_no_more_than_the_interval_allows(low: float, high: float, expected: str) -> None:
    assert expected in verdict(Estimate(value=(low + high) / 2, low=low, high=high, n=50))


def test_a_run_that_stopped_is_reported_as_far_as_it_came() -> None:
    stopped = make_report(
        steps=(
            Step(name="import", seconds=3.2, ok=True),
            Step(name="sample", seconds=30.0, ok=False, error="no worker answered within 30 s"),
        ),
        sft=None,
        reward_model=None,
        ppo=None,
        comparison=None,
        samples=(),
    )
    page = render_page(stopped)
    text = Outline(page).text
    assert not stopped.ok
    assert "Stopped at “sample”." in text
    assert "no worker answered within 30 s" in text
    assert "PPO" not in text
    assert as_json(stopped)["ok"] is False
    assert as_json(stopped)["ppo"] is None


def test_a_run_without_steps_is_not_called_a_success() -> None:
    assert not make_report(steps=()).ok


def test_the_json_has_the_names_that_scripts_rely_on() -> None:
    values = json.loads(json.dumps(as_json(make_report()), allow_nan=False))
    assert [set(step) >= {"name", "seconds", "ok"} for step in values["steps"]] == [True, True]
    assert values["reward_model"]["accuracy"] == 0.66
    assert values["reward_model"]["longer_baseline"] == 0.48
    assert (values["ppo"]["reward_before"], values["ppo"]["reward_after"], values["ppo"]["kl"]) == (-0.1, 0.4, 1.7)
    comparison = values["comparison"]
    assert [comparison[name] for name in ("win_rate", "low", "high", "n")] == [0.55, 0.44, 0.65, 48]
    assert values["ok"] is True


def test_figures_that_are_not_finite_become_null() -> None:
    report = make_report(ppo=PpoFigures(reward_before=math.nan, reward_after=math.inf, kl=1.0))
    values = as_json(report)["ppo"]
    assert (values["reward_before"], values["reward_after"], values["kl"]) == (None, None, 1.0)
    assert "nan" not in Outline(render_page(report)).text


def test_both_files_are_written_whole_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        page = write_report(tmp_path / "demo", make_report())
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]
    assert json.loads((page.parent / "report.json").read_text(encoding="utf-8"))["sizes"]["prompts"] == 106


def test_a_long_curve_is_a_table_of_a_dozen_points_with_both_ends() -> None:
    rows = re.findall(r'<td class="number">([^<]*)</td><td class="number">([^<]*)</td>', render_page(make_report()))
    kl = rows[-12:]
    assert len(rows) == 2 + 2 + 12
    assert (kl[0], kl[-1]) == (("0", "0"), ("29", "2.9"))


def test_a_curve_is_read_from_the_metrics_of_a_trainer(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 0.7}\n\n{"step": 2, "lr": 0.1}\n{"step": 3, "loss": 0.5}\n')
    assert read_curve(path, "loss", label="loss per pair") == Curve(name="loss per pair", points=((1, 0.7), (3, 0.5)))


def test_durations_and_shares_are_written_for_people() -> None:
    assert [format_duration(seconds) for seconds in (0.44, 12.2, 59.7, 724.4)] == [
        "0.4 s",
        "12 s",
        "1 min 00 s",
        "12 min 04 s",
    ]
    assert [percent(share) for share in (0.5, 0.055, 0.995, 1.0)] == ["50 %", "5.5 %", "99.5 %", "100.0 %"]
