"""Workers that are alive are found, those that fell silent are not, and a broker that is away ends nobody."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from records import Worker, presence
from records.names import WORKERS_KEY, worker_key
from records.presence import Presence, living


@pytest.fixture
def client(engines: Any) -> Iterator[redis.Redis]:
    """A database of the test broker that no other tests use."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    client = redis.Redis.from_url(str(engines.redis.rpartition("?")[0]) + f"?db={48 + number}")
    client.flushdb()
    yield client
    client.flushdb()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(presence, "SILENT_SECONDS", 1)


def worker(name: str = "sample@one", **fields: Any) -> Worker:
    return Worker(
        name=name, **{"queue": "sample", "device": "cpu", "started_at": "2026-01-01T00:00:00+00:00", **fields}
    )


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_shows_what_it_is_at_and_is_gone_when_it_ends(client: redis.Redis) -> None:
    running: list[str] = []
    sign = Presence(client, "sample@one", lambda: worker(policies=("policies/a",), running=tuple(running)))
    assert living(client) == []
    sign.begin()
    wait_until(lambda: len(living(client)) == 1)
    (found,) = living(client)
    assert found.worker == worker(policies=("policies/a",))
    assert 0 <= found.silent_seconds < 1
    running.append("run-1")
    wait_until(lambda: living(client)[0].worker.running == ("run-1",))
    sign.end()
    assert living(client) == []
    assert not client.exists(WORKERS_KEY)


def test_one_that_falls_silent_is_forgotten(client: redis.Redis) -> None:
    client.sadd(WORKERS_KEY, "sample@dead")
    sign = Presence(client, "sample@one", worker)
    sign.begin()
    wait_until(lambda: [one.worker.name for one in living(client)] == ["sample@one"])
    assert client.smembers(WORKERS_KEY) == {b"sample@one"}
    sign.end()


def test_what_a_worker_of_another_version_wrote_is_passed_over(client: redis.Redis) -> None:
    client.set(worker_key("train@new"), b'{"name": "train@new", "shoe_size": 43}')
    client.sadd(WORKERS_KEY, "train@new")
    assert living(client) == []


def test_a_sign_that_cannot_be_written_is_made_up_for_later(client: redis.Redis) -> None:
    tries: list[int] = []

    def describe() -> Worker:
        tries.append(1)
        if len(tries) < 4:
            raise OSError("no device yet")
        return worker()

    sign = Presence(client, "sample@one", describe)
    sign.begin()
    wait_until(lambda: len(living(client)) == 1)
    assert len(tries) >= 4
    sign.end()
