"""What becomes of one attempt of a job: its report, or none. The trainer is a stand-in that does as its data says."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from records import TrainingProgress, TrainingRequest, TrainingResult
from records.manifest import MANIFEST, sha256_of
from training import commands, jobs
from training.app import app
from training.jobs import run_job
from training.reporting import Reporter


class Heard(Reporter):
    """Keeps what it would have sent, and says of every job whether it was cancelled."""

    def __init__(self, *, cancelled: bool = False) -> None:
        super().__init__(app)
        self.results: list[TrainingResult] = []
        self.given_back: list[int] = []
        self._cancelled = cancelled

    def progress(self, progress: TrainingProgress) -> None:
        """Nothing."""

    def result(self, result: TrainingResult) -> None:
        self.results.append(result)

    def released(self, request: TrainingRequest) -> None:
        self.given_back.append(request.attempt)

    def is_cancelled(self, job_id: str) -> bool:
        return self._cancelled


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(commands.MODULES, "sft", "tests.training.stand_in")
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)
    (tmp_path / "start").mkdir()
    return tmp_path


def request(store: Path, data: str, *, attempt: int = 1) -> TrainingRequest:
    (store / "data").write_text(data)
    return TrainingRequest(
        job_id="j-1", attempt=attempt, kind="sft", data_path="data", model_path="start", out_path="policies/new"
    )


def test_what_was_published_is_reported_with_its_hash_and_its_numbers(store: Path) -> None:
    heard = Heard()
    result = run_job(request(store, "publish", attempt=3), store=store, reporter=heard)
    assert heard.results == [result]
    assert result == TrainingResult(
        job_id="j-1",
        attempt=3,
        out_path="policies/new",
        manifest_sha256=sha256_of(store / "policies" / "new" / MANIFEST),
        metrics={"loss": 0.5, "steps": 3.0},  # a word and a truth are no numbers
    )


def test_a_policy_that_is_not_whole_is_not_reported_as_one(store: Path) -> None:
    heard = Heard()
    run_job(request(store, "publish"), store=store, reporter=heard)
    (store / "policies" / "new" / "metrics.json").write_text("{}")
    run_job(request(store, "publish nothing", attempt=2), store=store, reporter=heard)
    whole, damaged = heard.results
    assert whole.error is None
    assert damaged.error is not None
    assert "left nothing whole" in damaged.error
    assert damaged.manifest_sha256 is None


def test_the_trainers_own_words_are_the_error(store: Path) -> None:
    heard = Heard()
    run_job(request(store, "refuse"), store=store, reporter=heard)
    run_job(request(store, "lack memory", attempt=2), store=store, reporter=heard)
    assert [(result.error, result.needs_other_settings) for result in heard.results] == [
        ("this data cannot be learnt from (exit status 2; log: attempt-1.log)", True),
        ("out of memory (exit status 75; log: attempt-2.log)", False),
    ]


def test_only_a_request_that_no_worker_could_run_needs_other_settings(store: Path) -> None:
    heard = Heard()
    run_job(replace(request(store, "publish"), options={"epoch": 1}), store=store, reporter=heard)
    run_job(replace(request(store, "publish", attempt=2), model_path="elsewhere"), store=store, reporter=heard)
    unknown, missing = heard.results
    assert unknown.needs_other_settings
    assert "'epoch' is not an option" in str(unknown.error)
    assert not missing.needs_other_settings
    assert "share PARLEY_STORE" in str(missing.error)


def test_an_attempt_that_comes_late_runs_nothing_and_reports_nothing(store: Path) -> None:
    heard = Heard()
    run_job(request(store, "publish", attempt=2), store=store, reporter=heard)
    late = replace(request(store, "publish"), attempt=1)
    assert run_job(late, store=store, reporter=heard) is None
    assert [result.attempt for result in heard.results] == [2]
    assert json.loads((store / "jobs" / "j-1" / "lock").read_text())["attempt"] == 2
    assert not (store / "jobs" / "j-1" / "attempt-1.log").exists()


def test_a_cancelled_trainer_is_ended_and_the_job_says_so(store: Path) -> None:
    heard = Heard(cancelled=True)
    run_job(request(store, "wait"), store=store, reporter=heard)
    assert [result.error for result in heard.results] == ["cancelled"]


def test_a_worker_that_stops_ends_its_trainer_and_gives_the_job_back(store: Path) -> None:
    heard = Heard()
    assert run_job(request(store, "wait"), store=store, reporter=heard, is_stopping=lambda: True) is None
    assert (heard.given_back, heard.results) == ([1], [])
    run_job(request(store, "publish", attempt=2), store=store, reporter=heard)
    assert [(result.attempt, result.error) for result in heard.results] == [(2, None)]
