"""The one door: a training request in, progress and a result out. The work is in training.jobs."""

import os
from pathlib import Path
from typing import Any

from records import TrainingRequest, decode
from records.names import TRAIN
from training.app import app
from training.jobs import run_job
from training.reporting import Reporter


@app.task(name=TRAIN)
def train(*, request: dict[str, Any]) -> None:
    """Run one attempt of one job."""
    run_job(decode(TrainingRequest, request, where="training request"), store=store(), reporter=Reporter(app))


def store() -> Path:
    """The model store that this worker shares with the platform."""
    var = os.environ.get("PARLEY_VAR", "var")
    return Path(os.environ.get("PARLEY_STORE") or Path(var) / "store").absolute()
