"""Words from a train worker to the platform. A broker that is away must not stop a training run."""

import logging
import time
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from records import TrainingProgress, TrainingResult, encode
from records.broker import environment_redis_url
from records.names import RECORD_TRAINING_PROGRESS, RECORD_TRAINING_RESULT, cancel_key

logger = logging.getLogger(__name__)


class Reporter:
    """Sends progress and results; knows whether a job was cancelled."""

    def __init__(self, app: Celery, *, patience_seconds: float = 600.0) -> None:
        self._app = app
        self._patience = patience_seconds
        self._redis = redis.Redis.from_url(environment_redis_url(), socket_timeout=3.0)

    def progress(self, progress: TrainingProgress) -> None:
        """A sign of life, lost where the broker is away: the next one comes soon."""
        try:
            self._send(RECORD_TRAINING_PROGRESS, progress=encode(progress))
        except OperationalError as error:
            logger.warning("progress of job %s was not sent: %s", progress.job_id, error)

    def result(self, result: TrainingResult) -> None:
        """How a job ended, sent until the broker takes it. Past the patience the sweeper runs the job again."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._send(RECORD_TRAINING_RESULT, result=encode(result))
            except OperationalError as error:
                if time.monotonic() > deadline:
                    raise
                logger.warning("result of job %s was not sent, trying again: %s", result.job_id, error)
                time.sleep(5.0)

    def is_cancelled(self, job_id: str) -> bool:
        """Whether somebody asked for this job to stop."""
        try:
            return bool(self._redis.exists(cancel_key(job_id)))
        except redis.RedisError:
            return False

    def _send(self, task: str, **arguments: Any) -> None:
        self._app.send_task(task, kwargs=arguments)
