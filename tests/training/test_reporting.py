"""A broker that is away loses a sign of life, never a result without a word."""

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from records import TrainingProgress, TrainingResult
from training.reporting import Reporter


@pytest.fixture
def away() -> Celery:
    """An app whose broker nobody answers for."""
    app = Celery("away", broker="redis://127.0.0.1:1/0", set_as_current=False)
    app.conf.update(task_publish_retry=False, broker_transport_options={"max_retries": 0, "socket_connect_timeout": 1})
    return app


def test_a_result_that_nobody_took_is_not_passed_over(away: Celery) -> None:
    result = TrainingResult(job_id="j-1", attempt=1, out_path="policies/new", error="cancelled")
    with pytest.raises(OperationalError):
        Reporter(away, patience_seconds=0.0).result(result)


def test_progress_that_nobody_took_stops_no_training(away: Celery, caplog: pytest.LogCaptureFixture) -> None:
    Reporter(away).progress(TrainingProgress(job_id="j-1", attempt=1, fraction=0.5))
    assert "progress of job j-1 was not sent" in caplog.text
