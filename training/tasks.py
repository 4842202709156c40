"""The one door: a training request in, progress and a result out. The work is in training.jobs."""

from typing import Any

from records import TrainingRequest, decode
from records.names import TRAIN
from records.store import model_store
from training import warm_stop
from training.app import app
from training.jobs import run_job
from training.reporting import Reporter


@app.task(name=TRAIN)
def train(*, request: dict[str, Any]) -> None:
    """Run one attempt of one job."""
    run_job(
        decode(TrainingRequest, request, where="training request"),
        store=model_store(),
        reporter=Reporter(app),
        is_stopping=warm_stop.is_asked,
    )
