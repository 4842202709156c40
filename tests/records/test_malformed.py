"""What lies in a queue and is no task: real workers of all three apps drop it, say so, and go on."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.json import loads

from records.broker import celery_settings
from records.malformed import complaint
from records.names import (
    EMBED,
    EXPORTS_QUEUE,
    RECORD_SAMPLING_STARTED,
    SAMPLE_QUEUE,
    TRAIN,
    TRAIN_QUEUE,
    WEB_QUEUE,
)

CHECKOUT = Path(__file__).resolve().parents[2]
SECRET = "My secret is a green door."
TASK, ID = "labeling.sweep", "00000000-0000-0000-0000-000000000001"


def message(*, body: Any = None, headers: Any = None, properties: Any = None) -> bytes:
    """A message as Celery writes it, with some of it changed."""
    body = [[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}] if body is None else body
    whole = {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": TASK, "id": ID, "retries": 0, "timelimit": [None, None]} | (headers or {}),
        "properties": {
            "correlation_id": ID, "delivery_mode": 2, "delivery_tag": ID, "body_encoding": "base64", "priority": 0,
            "delivery_info": {"exchange": "", "routing_key": "web"},
        } | (properties or {}),
    }  # fmt: skip
    return json.dumps(whole).encode()


def changed(**envelope: Any) -> bytes:
    """The same with parts of its envelope replaced."""
    return json.dumps(json.loads(message()) | envelope).encode()


MALFORMED: dict[str, bytes] = {
    "no JSON": f"({SECRET}".encode(),
    "nothing": b"",
    "no UTF-8": b"\xff\xfe" + SECRET.encode(),
    "nested without end": b"[" * 100_000,
    "an unknown type": json.dumps({"__type__": SECRET, "__value__": SECRET}).encode(),
    "a value that is not of its type": json.dumps({"__type__": "decimal", "__value__": SECRET}).encode(),
    "a list": json.dumps([SECRET]).encode(),
    "a number": b"5",
    "no properties": json.dumps({"body": SECRET}).encode(),
    "empty properties": message(properties={"delivery_tag": None, "delivery_info": None}),
    "properties that are a list": changed(properties=[SECRET]),
    "a tag that is no text": message(properties={"delivery_tag": [1]}),
    "a tag that is no character": message(properties={"delivery_tag": "\ud800"}),
    "delivered nowhere": message(properties={"delivery_info": {}}),
    "a body that is not base64": changed(body="not base64: ä"),
    "a body that is no text": changed(body=[SECRET]),
    "a body of another encoding": message(properties={"body_encoding": "rot13"}),
    "base64 of what is no JSON": changed(body=base64.b64encode(SECRET.encode()).decode()),
    "base64 of a number": message(body=5),
    "base64 of a short list": message(body=[[]]),
    "args that are text": message(body=[SECRET, {}, {}]),
    "kwargs that are a list": message(body=[[], [SECRET], {}]),
    "embedded text": message(body=[[], {}, SECRET]),
    "callbacks that are numbers": message(body=[[], {}, {"callbacks": [5]}]),
    "headers that are a list": changed(headers=[SECRET]),
    "no headers": changed(headers=None),
    "no task": message(headers={"task": None}),
    "a task that is a list": message(headers={"task": [SECRET]}),
    "an unknown task": message(headers={"task": SECRET}, body=[[], {"request": SECRET}, {}]),
    "no id": message(headers={"id": None}),
    "a time limit that is no pair": message(headers={"timelimit": "ab"}),
    "a time limit of words": message(headers={"timelimit": ["a", "b"]}),
    "an eta that is no time": message(headers={"eta": SECRET}),
    "an end that is a number": message(headers={"expires": 5}),
    "retries that are text": message(headers={"retries": "many"}),
    "stamps that are a number": message(headers={"stamped_headers": 5}),
    "compressed": message(headers={"compression": "application/x-gzip"}),
    "another content type": changed(**{"content-type": "application/x-python-serialize"}),
    "another content encoding": changed(**{"content-encoding": "rot13"}),
}  # fmt: skip


def test_a_task_as_celery_writes_it_is_a_task() -> None:
    assert complaint(message(), tasks={TASK}, loads=loads) is None
    later = {"expires": "2026-01-01T10:00:00+00:00", "eta": "2026-01-01T10:00:00", "timelimit": [None, 5.5]}
    assert complaint(message(headers=later), tasks={TASK}, loads=loads) is None
    linked = [[], {"request": {"text": "\ud800"}}, {"callbacks": [{"task": "x"}]}]
    assert complaint(message(body=linked), tasks={TASK}, loads=loads) is None


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_wrong_is_said_without_a_word_of_the_message(kind: str) -> None:
    said = complaint(MALFORMED[kind], tasks={TASK}, loads=loads)
    assert said
    assert "secret" not in said


@given(st.binary() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["body", "headers", "properties", "task", "id", "delivery_tag", "delivery_info", "__type__", "__value__"]
    ), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_no_bytes_at_all_make_the_look_at_them_fail(raw: bytes) -> None:
    assert isinstance(complaint(raw, tasks={TASK}, loads=loads), str)


# Real workers


class RunningWorker:
    """A worker of one app on a database of the broker's of its own."""

    def __init__(self, app: str, queues: str, url: str, environment: dict[str, str], log: Path) -> None:
        self.log, self.redis, self.app = log, redis.Redis.from_url(url), Celery("web")
        self.redis.flushdb()
        self.app.conf.update(celery_settings(url))
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "-Q", queues, "-n", f"{app}@%h"]
        # A pool of threads takes what comes after a full prefetch window up to two seconds later.
        pool = ["--pool", "threads", "--concurrency", "64"] if app == "sampler.app" else ["--concurrency", "1"]
        command += [*pool, "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        environment = {**os.environ, "REDIS_URL": url, "OMP_NUM_THREADS": "1", **environment}
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=output, stderr=output)

    def wait_for(self, words: str, *, times: int = 1) -> None:
        deadline = time.monotonic() + 120
        while (log := self.log.read_text(errors="replace")).count(words) < times:
            assert self.process.poll() is None, f"the worker ended:\n{log[-4000:]}"
            assert time.monotonic() < deadline, log[-4000:]
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.redis.close()


GOOD: dict[str, tuple[str, str, dict[str, Any]]] = {  # queues, and a task that is quickly done
    "labeling.celery": (
        f"{WEB_QUEUE},{EXPORTS_QUEUE}", RECORD_SAMPLING_STARTED,
        {"run_id": "00000000-0000-0000-0000-000000000000", "attempt": 1},
    ),
    "sampler.app": (SAMPLE_QUEUE, EMBED, {"request": {"ids": [], "texts": []}}),
    "training.app": (TRAIN_QUEUE, TRAIN, {"request": {
        "job_id": "stray", "attempt": 1, "kind": "sft", "data_path": "exports/e1", "out_path": "../outside",
    }}),
}  # fmt: skip


@pytest.fixture
def database_url(transactional_db: None) -> str:
    from django.db import connection

    values = connection.settings_dict
    return f"postgresql://{values['USER']}@/{values['NAME']}?host={quote(str(values['HOST']), safe='/')}"


@pytest.fixture
def start(engines: Any, database_url: str, tmp_path: Path) -> Iterator[Callable[[str], RunningWorker]]:
    started: list[RunningWorker] = []
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = f"{engines.redis.rpartition('?')[0]}?db={48 + number % 16}"

    def begin(app: str) -> RunningWorker:
        environment = {"DATABASE_URL": database_url, "PARLEY_STORE": str(tmp_path), "PARLEY_SAMPLER_DTYPE": "float32"}
        started.append(RunningWorker(app, GOOD[app][0], url, environment, tmp_path / f"{app}.log"))
        started[-1].wait_for(" ready.")
        return started[-1]

    yield begin
    for worker in started:
        worker.stop()


@pytest.mark.parametrize("app", GOOD)
def test_after_every_kind_of_malformed_message_a_worker_carries_out_the_next_task(
    start: Callable[[str], RunningWorker], app: str
) -> None:
    queues, task, arguments = GOOD[app]
    worker = start(app)
    sent = []
    for number, malformed in enumerate(
        MALFORMED.values()
    ):  # a queue is read in order: each task after its malformed one
        queue = queues.split(",")[number % len(queues.split(","))]
        worker.redis.lpush(queue, malformed.replace(TASK.encode(), task.encode()))
        sent.append(worker.app.send_task(task, kwargs=arguments, queue=queue))
    for one in sent:
        worker.wait_for(f"[{one.id}] succeeded")
    worker.wait_for("dropped a message of", times=len(MALFORMED))
    log = worker.log.read_text(errors="replace")
    assert "green door" not in log
    assert log.count(" ready.") == 1, "it lost its connection and began again"
    assert f"queue {queues.split(',')[0]}: dropped a message of" in log


def test_it_is_still_so_after_the_connection_was_lost(start: Callable[[str], RunningWorker]) -> None:
    _queues, task, arguments = GOOD["training.app"]
    worker = start("training.app")
    worker.redis.client_kill_filter(_type="normal", skipme=True)
    worker.wait_for("Connection to broker lost")
    worker.redis.lpush(TRAIN_QUEUE, MALFORMED["no JSON"], MALFORMED["no properties"])
    sent = worker.app.send_task(task, kwargs=arguments)
    worker.wait_for("dropped a message of", times=2)
    worker.wait_for(f"[{sent.id}] succeeded")
