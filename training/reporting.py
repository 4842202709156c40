"""Words from a train worker to the platform. A broker that is away must not stop a training run."""

import logging
import time
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from records import TrainingProgress, TrainingRequest, TrainingResult, encode
from records.broker import environment_redis_url
from records.names import RECORD_TRAINING_PROGRESS, RECORD_TRAINING_RELEASED, RECORD_TRAINING_RESULT, cancel_key

logger = logging.getLogger(__name__)

_RELEASE_SECONDS = 3.0  # supervisors kill what does not stop soon


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

    def released(self, request: TrainingRequest) -> None:
        """This worker is asked to stop: the job may begin elsewhere. Lost where the broker is away for long."""
        deadline = time.monotonic() + _RELEASE_SECONDS
        while True:
            try:
                return self._send(RECORD_TRAINING_RELEASED, job_id=request.job_id, attempt=request.attempt)
            except OperationalError as error:
                if time.monotonic() > deadline:
                    return logger.warning("job %s could not be given back, so it waits: %s", request.job_id, error)
                time.sleep(0.5)

    def is_cancelled(self, job_id: str) -> bool:
        """Whether somebody asked for this job to stop."""
        try:
            return bool(self._redis.exists(cancel_key(job_id)))
        except redis.RedisError:
            return False

    def _send(self, task: str, **arguments: Any) -> None:
        self._app.send_task(task, kwargs=arguments)
