"""The runs that a worker has in hand, watched over by one thread: it hears the word to stop a run, and
tells labeling now and then which runs go on, so that their leases are renewed.

One round trip to the broker serves all runs. With the broker away nothing is heard and nothing told;
sampling goes on.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from records import SampleRequest
from records.names import RECORD_SAMPLING_STARTED, cancel_key

LOOK_SECONDS = 0.05
HEARTBEAT_SECONDS = 15.0

logger = logging.getLogger(__name__)


class Run:
    """One run in hand: whether it was cancelled, and whom to tell."""

    def __init__(self, run_id: str, attempt: int) -> None:
        self.run_id, self.attempt = run_id, attempt
        self.cancelled = False
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when the run is cancelled; at once where it is already."""
        with self._lock:
            self._callbacks.append(callback)
            late = self.cancelled
        if late:
            callback()

    def cancel(self) -> None:
        """Tell whoever is at this run to stop."""
        with self._lock:
            if self.cancelled:
                return
            self.cancelled = True
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()


class Watch:
    """Watches over the runs of one worker."""

    def __init__(self, client: redis.Redis, app: Celery) -> None:
        self._client, self._app = client, app
        self._runs: list[Run] = []
        self._changed = threading.Condition()
        self._away = False
        self._beat_due = 0.0
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    @contextmanager
    def over(self, request: SampleRequest) -> Iterator[Run]:
        """Say that this run has begun, and watch over it until it is done."""
        run = Run(request.run_id, request.attempt)
        self._tell(run)
        with self._changed:
            self._runs.append(run)
            self._changed.notify()
        try:
            yield run
        finally:
            with self._changed:
                self._runs.remove(run)

    def run_ids(self) -> tuple[str, ...]:
        """The runs that the worker is at."""
        with self._changed:
            return tuple(run.run_id for run in self._runs)

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._runs)
                runs = list(self._runs)
            for run in self._cancelled(runs):
                run.cancel()
            if time.monotonic() >= self._beat_due:
                self._beat_due = time.monotonic() + HEARTBEAT_SECONDS
                for run in runs:
                    self._tell(run)
            time.sleep(LOOK_SECONDS)

    def _cancelled(self, runs: list[Run]) -> list[Run]:
        pipeline = self._client.pipeline(transaction=False)
        for run in runs:
            pipeline.exists(cancel_key(run.run_id))
        try:
            answers = pipeline.execute()
        except redis.RedisError as error:
            self._note_away(error)
            return []
        self._away = False
        return [run for run, answer in zip(runs, answers, strict=True) if answer]

    def _tell(self, run: Run) -> None:
        try:
            self._app.send_task(RECORD_SAMPLING_STARTED, kwargs={"run_id": run.run_id, "attempt": run.attempt})
        except (OperationalError, redis.RedisError, OSError) as error:
            self._note_away(error)

    def _note_away(self, error: Exception) -> None:
        if not self._away:
            logger.warning("the broker is away; sampling goes on, but nobody hears of it: %s", error)
        self._away = True
