"""How both sides speak to the broker: the same words, through a real Celery app and a real Valkey."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from celery import Celery

from labeling.embedded import Urls
from records import broker, names

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("redis_url", "expected"),
    [
        ("redis://broker:6379/0", "redis://broker:6379/0"),
        ("rediss://:secret@broker/1", "rediss://:secret@broker/1"),
        ("unix:///tmp/a/valkey.sock?db=3", "redis+socket:///tmp/a/valkey.sock?virtual_host=3"),
        ("unix:///tmp/a/valkey.sock", "redis+socket:///tmp/a/valkey.sock?virtual_host=0"),
    ],
)
def test_it_spells_the_url_as_celery_does(redis_url: str, expected: str) -> None:
    assert broker.broker_url(redis_url) == expected


def test_it_refuses_a_broker_of_another_kind() -> None:
    with pytest.raises(ValueError, match=r"REDIS_URL.*amqp"):
        broker.broker_url("amqp://broker")


def test_every_task_has_a_queue() -> None:
    task = re.compile(r"(labeling|sampler|training)\.[a-z_]+")
    assert set(broker.QUEUES) == {value for value in vars(names).values() if task.fullmatch(str(value))}


def test_it_imports_the_standard_library_only() -> None:
    """In a process that has no site-packages at all."""
    command = [sys.executable, "-S", "-c", "import records.broker; records.broker.celery_settings()"]
    subprocess.run(command, check=True, cwd=CHECKOUT)


def test_a_waiting_person_comes_before_overnight_work(engines: Urls, redis_url: str) -> None:
    app = Celery("probe", set_as_current=False)
    app.conf.update(broker.celery_settings(redis_url))
    app.send_task(names.SAMPLE, kwargs={"run": "overnight"}, priority=names.PRIORITY_OVERNIGHT)
    app.send_task(names.SAMPLE, kwargs={"run": "waiting"}, priority=names.PRIORITY_WAITING)
    with app.connection_for_read() as connection, connection.SimpleQueue(names.SAMPLE_QUEUE) as queue:
        served = [queue.get(timeout=5) for _ in range(2)]
        assert [message.payload[1]["run"] for message in served] == ["waiting", "overnight"]
        assert all(message.content_type == "application/json" for message in served)


def test_a_message_carries_json_and_asks_for_no_result(engines: Urls, redis_url: str) -> None:
    app = Celery("probe", set_as_current=False)
    app.conf.update(broker.celery_settings(redis_url))
    app.send_task(names.SWEEP)
    client = redis.Redis.from_url(redis_url)
    envelope = json.loads(client.rpop(names.WEB_QUEUE))  # type: ignore[arg-type]
    assert envelope["headers"]["task"] == names.SWEEP
    assert envelope["content-type"] == "application/json"
    assert app.conf.task_ignore_result


@pytest.fixture
def redis_url(engines: Urls) -> str:
    """A database of the tests' Valkey that nobody else uses, empty."""
    url = engines.redis.replace("db=0", "db=63")
    redis.Redis.from_url(url).flushdb()
    return url
