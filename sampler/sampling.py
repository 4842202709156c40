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

from records import Completion, Resemblance, SampleRequest, SampleResult, Worker
from records.broker import environment_redis_url
from records.names import SAMPLE_QUEUE
from sampler.app import app
from sampler.backends import Backend, BackendError
from sampler.backends.local import LocalBackend
from sampler.backends.served import ModelServers
from sampler.configuration import configuration
from sampler.distinctness import resemblances, sample_distinct, wants_distinct
from sampler.runs import Run, Watch
from sampler.streaming import Stream


def answer(request: SampleRequest) -> SampleResult:
    """Sample the request's completions, by whatever its policy is served with."""
    with _making:  # the first requests come together
        answerer = _answerer()
    return answerer.answer(request)


def serving() -> dict[str, Any]:
    """What this process serves, for whoever looks after it."""
    with _making:
        answerer = _answerer()
    return {
        "device": answerer.local.device,
        "policies": answerer.local.resident(),
        "servers": list(configuration().backend_hosts),
    }


def describe(name: str, started_at: str) -> Worker:
    """What the worker of this name, which is this process, is and is at."""
    with _making:
        answerer = _answerer()
    return Worker(
        name=name,
        queue=SAMPLE_QUEUE,
        device=answerer.local.device,
        started_at=started_at,
        policies=tuple(answerer.local.resident()),
        servers=configuration().backend_hosts,
        running=answerer.watch.run_ids(),
    )


@dataclass(frozen=True)
class Answerer:
    """What a worker process needs to answer requests, made when the first one comes."""

    client: redis.Redis
    watch: Watch
    local: LocalBackend
    servers: ModelServers

    def answer(self, request: SampleRequest) -> SampleResult:
        """Sample the request's completions."""
        started = time.monotonic()
        backend: Backend = self.servers.backend(request) if request.server else self.local
        stream = Stream(self.client, request.stream_key) if request.stream_key else None
        error: str | None = None
        try:
            with self.watch.over(request) as run:
                completions, alike = _sample(request, run, backend, stream)
        except BackendError as refusal:
            error, completions, alike = str(refusal), (), ()
        except Exception as failure:
            error = f"sampling failed: {failure}"
            raise
        finally:
            if stream:
                stream.finish(error=error)
        return SampleResult(
            run_id=request.run_id,
            attempt=request.attempt,
            completions=completions,
            resemblances=alike,
            error=error,
            seconds=round(time.monotonic() - started, 3),
            device=backend.device,
        )


def _sample(
    request: SampleRequest, run: Run, backend: Backend, stream: Stream | None
) -> tuple[tuple[Completion, ...], tuple[Resemblance, ...]]:
    if not wants_distinct(request):
        return backend.sample(request, run, on_text=stream.write if stream else None), ()
    completions = sample_distinct(request, lambda asked: backend.sample(asked, run, on_text=None))
    return completions, () if run.cancelled else resemblances(completions)


_making = threading.Lock()


@cache
def _answerer() -> Answerer:
    client = _client()
    return Answerer(client, Watch(client, app), LocalBackend(configuration()), ModelServers(configuration()))


def _client() -> redis.Redis:
    return redis.Redis.from_url(environment_redis_url(), socket_timeout=3, socket_connect_timeout=3)
