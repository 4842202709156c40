"""Metrics in MLflow: its real client and a store of its own kind; what is refused, and a server that is away."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from language.options import OptionError
from rewardmodel.metrics import MetricsLog, note_on_board
from rewardmodel.tracking import RUN_FILE


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    uri = (tmp_path / "mlruns").as_uri()
    monkeypatch.setenv("PARLEY_METRICS_LOGGER", "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return MlflowClient(tracking_uri=uri)


def the_run(store: MlflowClient) -> Any:
    experiment = store.get_experiment_by_name("parley")
    assert experiment is not None
    (run,) = store.search_runs([experiment.experiment_id])
    return run


def test_every_steps_numbers_are_there_under_the_runs_name(tmp_path: Path, store: MlflowClient) -> None:
    log = MetricsLog(tmp_path / "judge.work", 0)
    log.write({"step": 1, "loss": 0.7})
    log.write({"step": 2, "loss": 0.5})
    log.board(2, {"accuracy": 0.6})
    log.close()
    note_on_board(tmp_path / "judge.work", 2, {"held_out": 0.65})
    run = the_run(store)
    assert (run.info.run_name, run.info.status) == ("judge", "FINISHED")
    losses = store.get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in losses] == [(1, 0.7), (2, 0.5)]
    assert (run.data.metrics["accuracy"], run.data.metrics["held_out"]) == (0.6, 0.65)


def test_a_resumed_run_goes_on_where_it_was(tmp_path: Path, store: MlflowClient) -> None:
    MetricsLog(tmp_path / "judge.work", 0).write({"step": 1, "loss": 0.7})  # and the process is killed
    log = MetricsLog(tmp_path / "judge.work", 1)
    log.write({"step": 2, "loss": 0.5})
    log.close()
    assert len(store.get_metric_history(the_run(store).info.run_id, "loss")) == 2


@pytest.mark.parametrize(
    ("logger", "uri", "message"),
    [
        ("wandb", "file:///tmp/x", "must be one of tensorboard, mlflow, not 'wandb'"),
        ("mlflow", "", "MLFLOW_TRACKING_URI does not say where MLflow is"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logger: str, uri: str, message: str
) -> None:
    monkeypatch.setenv("PARLEY_METRICS_LOGGER", logger)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(OptionError, match=message):
        MetricsLog(tmp_path / "judge.work", 0)


def test_a_server_that_is_away_is_said_once_and_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEY_METRICS_LOGGER", "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    log = MetricsLog(tmp_path / "judge.work", 0)
    log.write({"step": 1, "loss": 0.7})
    log.close()
    assert capsys.readouterr().err.count("MLflow is not told of this run's numbers") == 1
    assert not (tmp_path / "judge.work" / RUN_FILE).exists()
    assert [json.loads(line)["loss"] for line in log.path.read_text().splitlines()] == [0.7]
