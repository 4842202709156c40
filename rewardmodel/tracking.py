"""The numbers of a run in MLflow as well, where PARLEY_METRICS_LOGGER says so. MLflow's own settings say where it is.

The tracking server is somebody else's machine: where it is away, the run goes on without it and says so once.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from language.options import OptionError

LOGGERS = ("tensorboard", "mlflow")  # of PARLEY_METRICS_LOGGER; TensorBoard's files are written in any case
RUN_FILE = "mlflow_run.txt"  # in the working directory: the run that a resumed job goes on with
_EXPERIMENT = "parley"  # unless MLFLOW_EXPERIMENT_NAME names another


def wants_mlflow() -> bool:
    """Whether MLflow is told. Raises OptionError where the setting names something else, or MLflow is not there."""
    named = os.environ.get("PARLEY_METRICS_LOGGER", "").strip().lower() or LOGGERS[0]
    if named not in LOGGERS:
        raise OptionError(f"PARLEY_METRICS_LOGGER must be one of {', '.join(LOGGERS)}, not {named!r}")
    if named == "mlflow" and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise OptionError("PARLEY_METRICS_LOGGER is mlflow, but MLFLOW_TRACKING_URI does not say where MLflow is")
    return named == "mlflow"


class MlflowRun:
    """One run of the tracking server. `directory` is the run's own; its name, less ".work", is the run's name there.

    Numbers beyond the step that a killed run is resumed from are sent again: MLflow keeps both, the later one newer.
    """

    def __init__(self, directory: Path) -> None:
        try:
            from mlflow.entities import Metric
            from mlflow.exceptions import MlflowException
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise OptionError(
                "PARLEY_METRICS_LOGGER is mlflow, but MLflow is not installed: pip install 'parley[tracking]'"
            ) from error
        self._metric, self._client, self._is_away = Metric, MlflowClient, False
        self._failures = (MlflowException, OSError)  # requests' are of the second kind
        self._run_id = self._tell(lambda: _run_of(MlflowClient(), directory))

    def log(self, step: int, figures: Mapping[str, int | float]) -> None:
        now = int(time.time() * 1000)
        metrics = [self._metric(name, float(value), now, step) for name, value in figures.items()]
        if self._run_id is not None and metrics:
            self._tell(lambda: self._client().log_batch(self._run_id, metrics=metrics))

    def close(self) -> None:
        if self._run_id is not None:
            self._tell(lambda: self._client().set_terminated(self._run_id, "FINISHED"))

    def _tell(self, request: Any) -> Any:
        """Ask the server for something; None where it could not be, which is said once."""
        try:
            return request()
        except self._failures as error:  # another machine must not end hours of training
            if not self._is_away:
                print(f"MLflow is not told of this run's numbers: {error}", file=sys.stderr)
            self._is_away = True
            return None


def _run_of(client: Any, directory: Path) -> str:
    """The id of the run that this directory has begun, or of a new one."""
    kept = directory / RUN_FILE
    if kept.is_file():
        return kept.read_text(encoding="utf-8").strip()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    run_id: str = client.create_run(experiment_id, run_name=directory.name.removesuffix(".work")).info.run_id
    kept.write_text(run_id, encoding="utf-8")
    return run_id
