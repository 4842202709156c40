"""The broker as docker-compose.yml starts it: the model side works with what it may do there, and can do no more.

The real Valkey with Compose's command line, and a real Celery worker that connects as its user `model`.
"""

import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from labeling.embedded import valkey
from labeling.embedded.processes import wait_until
from records.broker import celery_settings
from records.names import (
    DELIVERIES_QUEUE,
    EXPORTS_QUEUE,
    PRIORITY_OVERNIGHT,
    RECORD_COMPLETIONS,
    SAMPLE,
    SAMPLE_QUEUE,
    WEB_QUEUE,
    cancel_key,
    stream_key,
    worker_key,
)
from tests import compose

CHECKOUT = Path(__file__).resolve().parents[1]
# An app of the model side that answers without a model. What it does with the broker is what sampler.runs does.
WORKER = """
from celery import Celery, bootsteps, signals
from kombu.utils.json import loads
from redis import Redis

from records import Worker
from records.broker import environment_redis_url
from records.names import SAMPLE, cancel_key, stream_key
from records.worker import prepare


def describe(name, started_at):
    return Worker(name=name, queue="sample", device="none", started_at=started_at)


app = Celery("sampler", fixups=[])
prepare(app, describe, signals=signals, step=bootsteps.StartStopStep, loads=loads, redis_from_url=Redis.from_url)


@app.task(name=SAMPLE)
def sample(request):
    client = Redis.from_url(environment_redis_url())
    assert not client.exists(cancel_key("r-1"))
    pipeline = client.pipeline(transaction=False)
    pipeline.xadd(stream_key("r-1", 1), {"done": "1"})
    pipeline.expire(stream_key("r-1", 1), 600)
    pipeline.execute()
    return {"run_id": "r-1"}
"""


class Broker:
    def __init__(self, port: int, passwords: dict[str, str]) -> None:
        self.urls = {user: f"redis://{user}:{word}@127.0.0.1:{port}/0" for user, word in passwords.items()}
        self.admin = redis.Redis.from_url(self.urls["default"])
        self.model = redis.Redis.from_url(self.urls["model"])
        self.nobody = redis.Redis(port=port)

    def app(self, name: str, user: str) -> Celery:
        made = Celery(name, fixups=[], set_as_current=False)
        made.conf.update(celery_settings(self.urls[user]) | {"control_exchange": name})
        return made

    def refusals(self) -> list[object]:
        """Commands, keys and channels that the broker refused to anybody."""
        return [(entry["reason"], entry["object"]) for entry in self.admin.acl_log()]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    passwords = {"default": secrets.token_hex(16), "model": secrets.token_hex(16)}
    variables = {"REDIS_PASSWORD": passwords["default"], "REDIS_MODEL_PASSWORD": passwords["model"]}
    command = compose.read("docker-compose.yml", **variables)["services"]["redis"]["command"]
    assert command[0] == "valkey-server"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("valkey")
    ours = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    server = subprocess.Popen([str(valkey.program()), *command[1:], *ours], stdout=subprocess.DEVNULL)
    found = Broker(port, passwords)
    try:
        assert wait_until(lambda: server.poll() is not None or answers(found.admin), seconds=20)
        yield found
    finally:
        server.terminate()
        server.wait(timeout=20)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_a_worker_of_models_does_all_its_work_as_the_user_model(broker: Broker, tmp_path: Path) -> None:
    broker.admin.acl_log_reset()
    (tmp_path / "worker_of_models.py").write_text(WORKER)
    command = [sys.executable, "-m", "celery", "-A", "worker_of_models", "worker", "-n", "sample@test", "-Q", "sample"]
    command += ["--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{tmp_path}:{CHECKOUT}", "REDIS_URL": broker.urls["model"]}
    log = (tmp_path / "log").open("wb")
    worker = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        platform = broker.app("labeling", "default")
        for priority in (0, PRIORITY_OVERNIGHT):
            platform.send_task(
                SAMPLE,
                kwargs={"request": {}},
                queue=SAMPLE_QUEUE,
                priority=priority,
                link=platform.signature(RECORD_COMPLETIONS, queue=WEB_QUEUE),
            )
        assert wait_until(lambda: broker.admin.llen(WEB_QUEUE) == 2, seconds=60), broker.refusals()
        assert wait_until(lambda: broker.admin.exists(worker_key("sample@test")), seconds=30)
        assert broker.admin.xlen(stream_key("r-1", 1)) == 2
        # As the health check of its container asks it.
        asker = broker.app("sampler", "model")
        assert wait_until(lambda: asker.control.ping(["sample@test"], timeout=1), seconds=30)
        with asker.connection_for_read() as connection:
            channel: Any = connection.default_channel
            channel.qos.restore_visible()  # what a worker does now and then for lost messages
    finally:
        worker.terminate()
        worker.wait(timeout=30)
    assert not broker.admin.exists(worker_key("sample@test"))
    assert broker.refusals() == []


REFUSED = (
    "CONFIG GET requirepass",
    "CONFIG SET requirepass x",
    "FLUSHALL",
    "FLUSHDB",
    "KEYS *",
    "SCAN 0",
    "ACL LIST",
    "ACL SETUSER model allcommands",
    "SHUTDOWN NOSAVE",
    "MONITOR",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "REPLICAOF 192.0.2.1 6379",
    "SAVE",
    "EVAL return(1) 0",
    "FUNCTION LIST",
    f"RPOP {WEB_QUEUE}",
    f"BRPOP {WEB_QUEUE} 1",
    f"LPUSH {EXPORTS_QUEUE} x",
    f"LPUSH {DELIVERIES_QUEUE} x",
    f"SET {cancel_key('r-1')} 1",
    "GET anything-else",
    "PUBLISH /0.labeling.pidbox x",
    "SUBSCRIBE /0.labeling.pidbox",
)


@pytest.mark.parametrize("order", REFUSED)
def test_the_model_side_cannot(order: str, broker: Broker) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        broker.model.execute_command(*order.split())


def test_nobody_comes_in_without_a_password(broker: Broker) -> None:
    with pytest.raises(redis.exceptions.AuthenticationError):
        broker.nobody.ping()
