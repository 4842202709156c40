"""One request from its arrival to its answer: watch over it, sample it, show it, say what became of it.

What a person can mend comes back as the result's `error`. What nobody foresaw is raised: Celery reports
it to labeling, which counts the attempt and tries again.
"""

import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
from celery import Celery

from records import SampleRequest, SampleResult, Worker
from records.broker import environment_redis_url
from records.names import SAMPLE_QUEUE
from sampler.answering import Answered, FilterClosed, answered
from sampler.backends import Backend, BackendError
from sampler.backends.local import LocalBackend
from sampler.backends.served import ModelServers
from sampler.configuration import configuration
from sampler.runs import Watch
from sampler.streaming import Stream


def answerer(app: Celery) -> "Answerer":
    """What this worker process, which is one of `app`, answers requests with; made when it is first wanted."""
    with _making:  # the first requests come together
        return _make(app)


@dataclass(frozen=True)
class Answerer:
    """What a worker process needs to answer requests."""

    client: redis.Redis
    watch: Watch
    local: LocalBackend
    servers: ModelServers

    def answer(self, request: SampleRequest) -> SampleResult:
        """Sample the request's completions, by whatever its policy is served with."""
        started = time.monotonic()
        backend: Backend = self.servers.backend(request) if request.server else self.local
        stream = Stream(self.client, request.stream_key) if request.stream_key else None
        error, result = None, Answered()
        try:
            with self.watch.over(request) as run:
                result = answered(request, run, backend, stream)
        except BackendError as refusal:
            error = str(refusal)
        except FilterClosed as closed:
            error, result = str(closed), Answered(screenings=closed.screenings)
        except Exception as failure:
            error = f"sampling failed: {failure}"
            raise
        finally:
            if stream:
                stream.finish(error=error)
        return SampleResult(
            run_id=request.run_id,
            attempt=request.attempt,
            completions=result.completions,
            resemblances=result.resemblances,
            screenings=result.screenings,
            withheld=result.withheld,
            is_blocked=result.is_blocked,
            error=error,
            seconds=round(time.monotonic() - started, 3),
            device=backend.device,
        )

    def describe(self, name: str, started_at: str) -> Worker:
        """What the worker of this name, which is this process, is and is at."""
        return Worker(
            name=name,
            queue=SAMPLE_QUEUE,
            device=self.local.device,
            started_at=started_at,
            policies=tuple(self.local.resident()),
            servers=configuration().backend_hosts,
            running=self.watch.run_ids(),
        )

    def serving(self) -> dict[str, Any]:
        """What this process serves, for whoever looks after it."""
        return {
            "device": self.local.device,
            "policies": self.local.resident(),
            "servers": list(configuration().backend_hosts),
        }


_making = threading.Lock()


@cache
def _make(app: Celery) -> Answerer:
    client = redis.Redis.from_url(environment_redis_url(), socket_timeout=3, socket_connect_timeout=3)
    return Answerer(client, Watch(client, app), LocalBackend(configuration()), ModelServers(configuration()))
