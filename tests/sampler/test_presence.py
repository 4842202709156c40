"""A real sample worker says that it lives, what it holds and what it is at, and is gone when it stops."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from records import Worker as WorkerRecord
from records.names import cancel_key, worker_key
from records.presence import BEAT_SECONDS, SILENT_SECONDS, Living, living
from tests.sampler.conftest import Web, Worker, make_request


@pytest.fixture
def own(web: Web, store: Path, tmp_path: Path) -> Iterator[Worker]:
    """A worker that this test may stop."""
    started = Worker.start(web.url, store, tmp_path / "worker.log", PARLEY_BACKEND_HOSTS="gpu1:8000")
    yield started.wait_until_ready()
    started.kill()


def found(web: Web, own: Worker, true: Callable[[WorkerRecord], bool] = lambda _: True) -> Living:
    """Its sign of life, once `true` of it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for one in living(web.redis):
            if "gpu1:8000" in one.worker.servers and true(one.worker):
                return one
        time.sleep(0.1)
    raise AssertionError(own.log.read_text())


def test_a_worker_shows_what_it_holds_and_is_at_and_goes_with_its_process(own: Worker, web: Web) -> None:
    idle = found(web, own).worker
    assert (idle.queue, idle.device, idle.policies, idle.running) == ("sample", "cpu float32", (), ())
    assert idle.name.startswith(f"sample-{os.getpid()}-")
    # Enough that even a quick machine is at it for many signs of life; what is left once one was seen is cancelled.
    asked = {f"run-{number}" for number in range(60)}
    for run_id in asked:
        web.send(make_request(run_id, tokens=4000, num_completions=8, purpose="chat"))
    busy = found(web, own, lambda worker: bool(worker.running and worker.policies)).worker  # loaded by the first run
    assert busy.policies == ("policies/tiny",)
    assert asked.issuperset(busy.running)
    for run_id in asked:
        web.redis.set(cancel_key(run_id), 1)
    assert {(result.run_id, result.error) for result in (web.result() for _ in asked)} == {(one, None) for one in asked}
    found(web, own, lambda worker: not worker.running)
    own.process.send_signal(signal.SIGTERM)
    own.process.wait(timeout=60)
    assert not [one for one in living(web.redis) if one.worker.name == idle.name]


@pytest.mark.chaos
def test_one_that_is_killed_says_nothing_more_and_its_key_expires(own: Worker, web: Web) -> None:
    name = found(web, own).worker.name
    own.kill()
    time.sleep(BEAT_SECONDS + 2)
    left = web.redis.ttl(worker_key(name))
    assert 0 < left <= SILENT_SECONDS - BEAT_SECONDS
