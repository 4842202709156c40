"""A real sample worker over a real broker, and the web side as it appears from there."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
import redis
from celery import Celery

from records import Message, SampleRequest, SampleResult, SamplingParams, decode, encode
from records.broker import celery_settings
from records.names import RECORD_COMPLETIONS, RECORD_SAMPLING_FAILURE, SAMPLE, SAMPLE_QUEUE, WEB_QUEUE
from tests.tiny import build_tiny_policy

ROOT = Path(__file__).parents[2]
_NUMBERS = count(1)  # of this process's workers: two of one name would speak for each other


class Web:
    """What labeling does: sends requests, and receives what comes back on its queue."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.redis = redis.Redis.from_url(url, decode_responses=True)
        self.app = Celery("web", set_as_current=False)
        # Workers hear what is asked of their own app: the platform has no say over the model side.
        self.app.conf.update(celery_settings(url) | {"control_exchange": "sampler"})

    def send(self, request: SampleRequest | dict[str, Any], *, run_id: str = "", priority: int = 0) -> None:
        values = request if isinstance(request, dict) else encode(request)
        fence = {"run_id": run_id or values["run_id"], "attempt": 1}
        self.app.send_task(
            SAMPLE,
            kwargs={"request": values},
            priority=priority,
            link=self.app.signature(RECORD_COMPLETIONS, queue=WEB_QUEUE),
            link_error=self.app.signature(RECORD_SAMPLING_FAILURE, kwargs=fence, queue=WEB_QUEUE, immutable=True),
        )

    def receive(self, timeout: float = 60.0) -> tuple[str, list[Any], dict[str, Any]]:
        """The next task on labeling's queue: name, arguments, keyword arguments."""
        with self.app.connection_for_read() as connection, connection.SimpleQueue(WEB_QUEUE) as queue:
            message = queue.get(timeout=timeout)
            message.ack()
            args, kwargs, _ = message.payload
            return message.headers["task"], args, kwargs

    def receive_task(self, name: str, timeout: float = 60.0) -> tuple[list[Any], dict[str, Any]]:
        """The next task of this name; others are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            task, args, kwargs = self.receive(max(0.1, deadline - time.monotonic()))
            if task == name:
                return args, kwargs

    def result(self, timeout: float = 60.0) -> SampleResult:
        (values,), _ = self.receive_task(RECORD_COMPLETIONS, timeout)
        return decode(SampleResult, values)

    def hears_nothing_of(self, name: str, seconds: float) -> bool:
        try:
            self.receive_task(name, seconds)
        except Empty:
            return True
        return False


@dataclass
class Worker:
    """A sample worker as the platform starts it."""

    process: subprocess.Popen[str]
    log: Path

    @classmethod
    def start(cls, url: str, store: Path, log: Path, **settings: str) -> "Worker":
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DJANGO_"))},
            "REDIS_URL": url, "PARLEY_STORE": str(store), "OMP_NUM_THREADS": "1",
            "PARLEY_SAMPLER_DTYPE": "float32", **settings,
        }  # fmt: skip
        command = [sys.executable, "-m", "celery", "-A", "sampler.app", "worker", "-Q", SAMPLE_QUEUE]
        command += ["--pool", "threads", "--concurrency", "8", "--without-gossip", "--without-mingle"]
        command += ["-n", f"sample-{os.getpid()}-{next(_NUMBERS)}@%h", "--loglevel", "INFO"]
        with log.open("a") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output, text=True)
        return cls(process, log)

    def wait_until_ready(self) -> "Worker":
        self.wait_for_log(" ready.")
        return self

    def wait_for_log(self, words: str) -> str:
        """The log once it holds these words."""
        deadline = time.monotonic() + 90
        while words not in (log := self.log.read_text()):
            assert self.process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.1)
        return log

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def broker_url(engines: Any) -> str:
    """A database of the test broker that no other tests use."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return str(engines.redis.rpartition("?")[0]) + f"?db={32 + number}"


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with two tiny policies."""
    store = tmp_path_factory.mktemp("sampler-store")
    build_tiny_policy(store / "policies" / "tiny", max_length=4096)
    build_tiny_policy(store / "policies" / "other", seed=1)
    return store


@pytest.fixture(scope="module")
def worker(broker_url: str, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One for all tests of a file, and gone with it: it would take from the queue what others ask of their own."""
    worker = Worker.start(broker_url, store, tmp_path_factory.mktemp("sampler") / "worker.log")
    yield worker.wait_until_ready()
    worker.kill()


@pytest.fixture
def web(broker_url: str) -> Iterator[Web]:
    """The web side, before an empty broker."""
    web = Web(broker_url)
    for key in web.redis.scan_iter("parley:*"):
        web.redis.delete(key)
    web.redis.delete(SAMPLE_QUEUE, WEB_QUEUE)
    yield web
    web.redis.close()


def make_request(
    run_id: str = "run-1",
    *,
    attempt: int = 1,
    policy: str = "tiny",
    content: str = "Hello!",
    tokens: int = 20,
    num_completions: int = 2,
    seed: int = 5,
    purpose: str = "comparison",
    **changes: Any,
) -> SampleRequest:
    return SampleRequest(
        run_id=run_id, attempt=attempt, purpose=purpose,  # type: ignore[arg-type]
        policy=policy, policy_path=f"policies/{policy}", messages=(Message(role="user", content=content),),
        num_completions=num_completions, sampling=SamplingParams(max_new_tokens=tokens, seed=seed), **changes,
    )  # fmt: skip
