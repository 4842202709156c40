"""Steps run in order; one that did not do its work is told as such, and no later one begins."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from labeling.demo import run
from labeling.demo.options import DemoOptions, options
from labeling.demo.polling import StepFailed, follow
from labeling.demo.report import Step
from labeling.demo.run import do_step, make_report, run_loop, steps_of
from labeling.demo.state import Loop
from labeling.statistics.intervals import Estimate


def failing(error: BaseException) -> Callable[[Loop], str]:
    def work(loop: Loop) -> str:
        raise error

    return work


def test_a_step_that_works_says_what_it_did_and_how_long_that_took() -> None:
    def work(loop: Loop) -> str:
        Event().wait(0.02)
        return "60 prompts"

    began = time.monotonic()
    step = do_step("import", work, Loop(options=DemoOptions()))
    assert (step.ok, step.summary, step.error) == (True, "60 prompts", "")
    assert 0.02 <= step.seconds <= time.monotonic() - began


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StepFailed("No worker answers; see web.log."), "No worker answers; see web.log."),
        (KeyboardInterrupt(), "Interrupted."),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
    ],
)
def test_a_step_that_fails_says_why(error: BaseException, told: str) -> None:
    step = do_step("sample", failing(error), Loop(options=DemoOptions()))
    assert (step.ok, step.error) == (False, told)


def test_after_a_failure_no_later_step_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = (("one", lambda loop: "done"), ("two", failing(StepFailed("No."))), ("three", lambda loop: "never"))
    monkeypatch.setattr(run, "steps_of", lambda options: plan)
    told: list[Step] = []
    report = run_loop(DemoOptions(), follow=lambda name: lambda fraction, note: None, tell=told.append)
    assert [(step.name, step.ok) for step in report.steps] == [("one", True), ("two", False)]
    assert told == list(report.steps)
    assert not report.ok


def test_peoples_rankings_take_the_place_of_sampling_and_ranking() -> None:
    simulated = [name for name, _ in steps_of(DemoOptions())]
    people = [name for name, _ in steps_of(DemoOptions(rankings=Path("trees.jsonl.gz")))]
    assert {"sample", "rank"} <= set(simulated)
    assert "import rankings" not in simulated
    assert {"sample", "rank"}.isdisjoint(people)
    assert [name for name in people if name != "import rankings"] == [
        name for name in simulated if name not in ("sample", "rank")
    ]


def test_the_report_says_who_ranked_and_every_size() -> None:
    loop = Loop(options=DemoOptions(rankings=Path("/data/trees.jsonl.gz"), updates=3), sizes={"rankings": 17})
    report = make_report(loop, (), started_at=datetime(2024, 5, 3, tzinfo=UTC), seconds=1.0)
    assert (report.judge, report.rankings_file) == ("people", "trees.jsonl.gz")
    assert (report.options["updates"], report.sizes["rankings"]) == (3, 17)
    assert report.policy_before is None


def test_every_option_explains_itself() -> None:
    assert all(option.help and option.flag.startswith("--") for option in options())
    assert {option.name for option in options() if not option.is_number} == {"policy", "rankings"}


def test_waiting_ends_when_the_work_is_done() -> None:
    said = iter([(0.0, "begins"), (0.5, "half"), (1.0, "")])
    shown: list[tuple[float, str]] = []
    follow(lambda: next(said), show=lambda *word: shown.append(word), patience=60, where="a log")
    assert shown == [(0.0, "begins"), (0.5, "half"), (1.0, "")]


def test_waiting_for_what_does_not_move_ends_and_says_where_to_look() -> None:
    with pytest.raises(StepFailed, match=r"Nothing has moved for 0 s \(stuck\); see worker\.log"):
        follow(lambda: (0.3, "stuck"), show=lambda *word: None, patience=0.2, where="worker.log")


def test_estimates_without_an_interval_claim_nothing() -> None:
    from labeling.demo.training import _estimate

    assert _estimate({"value": 0.7, "low": None, "high": None, "num_pairs": 5}) == Estimate(
        value=0.7, low=0.0, high=1.0, n=5
    )
