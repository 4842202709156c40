"""A real train worker on a real broker: it reports, refuses, is killed and goes on, and stops when told to."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import psutil
import pytest
import redis
import torch
from kombu import Connection

from records import (
    TrainingProgress,
    TrainingRequest,
    TrainingResult,
    decode,
    encode,
    publish_directory,
    verify_directory,
    write_jsonl,
)
from records import Worker as WorkerRecord
from records.broker import broker_url
from records.names import (
    DEMONSTRATIONS_FILE,
    RANKINGS_FILE,
    RECORD_TRAINING_PROGRESS,
    RECORD_TRAINING_RELEASED,
    RECORD_TRAINING_RESULT,
    TRAIN,
    WEB_QUEUE,
    cancel_key,
)
from records.presence import living
from tests.policy.factories import make_demonstration
from tests.rewardmodel.factories import make_toy_rankings
from tests.tiny import build_tiny_policy
from training.app import app

CHECKOUT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.chaos


class Ear:
    """Hears what the worker tells the platform."""

    def __init__(self, redis_url: str) -> None:
        self.connection = Connection(broker_url(redis_url))
        self.queue = self.connection.SimpleQueue(WEB_QUEUE)
        self.queue.clear()

    def next(self, task: str, *, seconds: float = 90.0) -> dict[str, Any]:
        """The arguments of the next message of this task; others are passed over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                message = self.queue.get(timeout=1)
            except Empty:
                continue
            message.ack()
            if message.headers["task"] == task:
                arguments: dict[str, Any] = message.payload[1]
                return arguments
        raise AssertionError(f"no {task} within {seconds} s")

    def result(self, **limits: float) -> TrainingResult:
        return decode(TrainingResult, self.next(RECORD_TRAINING_RESULT, **limits)["result"])

    def progress(self) -> TrainingProgress:
        return decode(TrainingProgress, self.next(RECORD_TRAINING_PROGRESS)["progress"])


@pytest.fixture(scope="module")
def redis_url(engines: Any) -> str:
    """A database of the broker that no other test listens to."""
    return str(os.environ["REDIS_URL"]).split("?")[0] + "?db=9"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("training-store")
    build_tiny_policy(store / "policies" / "start")
    staging = store / "staging"
    staging.mkdir()
    dialogues = [make_demonstration(f"Question {n}?", "An answer.", id=f"d-{n}", split="train") for n in range(24)]
    write_jsonl(staging / DEMONSTRATIONS_FILE, dialogues)
    publish_directory(staging, store / "exports" / "e1")
    staging.mkdir()
    write_jsonl(
        staging / RANKINGS_FILE, make_toy_rankings(32, split="train") + make_toy_rankings(8, seed=1, split="test")
    )
    publish_directory(staging, store / "exports" / "e2")
    return store


@pytest.fixture
def ear(redis_url: str) -> Iterator[Ear]:
    ear = Ear(redis_url)
    yield ear
    ear.connection.release()


@pytest.fixture
def start_worker(redis_url: str, store: Path, tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    started = []

    def start() -> "subprocess.Popen[bytes]":
        log = (tmp_path / f"worker-{len(started)}.log").open("w")
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "training.app", "worker", "-Q", "train", "--concurrency", "1"],
            cwd=CHECKOUT,
            env={**os.environ, "REDIS_URL": redis_url, "PARLEY_STORE": str(store), "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        kill_tree(worker.pid)
    ends = [worker.wait() for worker in started]
    assert set(ends) <= {0, -signal.SIGKILL}, "a worker ended by itself; its log says why"


def kill_tree(pid: int) -> None:
    """kill -9 of a worker and its pool, but not of the trainer they started."""
    try:
        parent = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return
    processes = [parent, *pool_of(parent)]
    for process in processes:
        process.kill()
    # Until it is gone the broker may still hand it a message, which would be lost with it.
    psutil.wait_procs(processes, timeout=10)


def pool_of(worker: psutil.Process) -> list[psutil.Process]:
    return [child for child in worker.children() if "celery" in " ".join(child.cmdline())]


def trainer_of(store: Path, job_id: str) -> psutil.Process:
    return psutil.Process(json.loads((store / "jobs" / job_id / "lock").read_text())["group"])


def has_saved(store: Path, job_id: str) -> bool:
    return any((store / "jobs" / job_id / "work" / "states").glob("state-*"))


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def send(redis_url: str, **fields: Any) -> TrainingRequest:
    values = {
        "kind": "sft",
        "data_path": "exports/e1",
        "model_path": "policies/start",
        "out_path": f"policies/{fields['job_id']}",
        "attempt": 1,
        **fields,
    }
    request = TrainingRequest(**values)
    with Connection(broker_url(redis_url)) as connection:
        app.send_task(TRAIN, kwargs={"request": encode(request)}, connection=connection)
    return request


QUICK = {"epochs": 2, "batch_size": 8, "lr": 1e-3, "device": "cpu"}
MIDDLING = {"epochs": 60, "batch_size": 8, "lr": 1e-3, "save_every": 5, "device": "cpu"}
LONG = {"epochs": 20000, "batch_size": 8, "lr": 1e-3, "save_every": 5, "device": "cpu"}


def test_a_job_reports_progress_and_publishes(
    redis_url: str, store: Path, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    start_worker()
    send(redis_url, job_id="whole", options=QUICK)
    assert ear.progress().job_id == "whole"
    result = ear.result()
    assert result.error is None
    assert (result.attempt, result.out_path) == (1, "policies/whole")
    verify_directory(store / "policies" / "whole", expected_sha256=result.manifest_sha256)
    assert result.metrics
    log = (store / "jobs" / "whole" / "attempt-1.log").read_text()
    assert "sft:" in log
    assert "Question" not in log, "engineers may read logs, which are no place for people's texts"
    assert "An answer" not in log


def test_a_worker_shows_its_device_and_its_job_and_goes_with_its_process(
    redis_url: str, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    worker = start_worker()
    with redis.Redis.from_url(redis_url) as client:
        (idle,) = alive(client, lambda one: not one.running)
        assert idle.queue == "train"
        assert (idle.device == "cpu") != torch.cuda.is_available()
        send(redis_url, job_id="shown", options=LONG)
        (busy,) = alive(client, lambda one: bool(one.running))
        assert busy.running == ("shown",)
        client.set(cancel_key("shown"), 1)
        assert ear.result().error == "cancelled"
        worker.terminate()
        worker.wait(timeout=60)
        assert idle.name not in [one.worker.name for one in living(client)]


def alive(client: redis.Redis, true: Callable[[WorkerRecord], bool]) -> list[WorkerRecord]:
    """The train workers of which this is true, once there is one. Those that an earlier test killed linger."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = [one.worker for one in living(client) if one.silent_seconds < 5 and true(one.worker)]
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("no train worker says that it lives")


def test_what_the_trainer_refuses_comes_back_as_its_own_words(
    redis_url: str, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    start_worker()
    send(redis_url, job_id="refused", options={"epochs": -1})
    error = ear.result().error
    assert error is not None
    assert "epochs" in error
    send(redis_url, job_id="stray", out_path="../outside")
    assert "not a place in the model store" in str(ear.result().error)


def test_a_killed_worker_costs_only_the_way_from_the_newest_state(
    redis_url: str, store: Path, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    worker = start_worker()
    send(redis_url, job_id="killed", options=MIDDLING)
    wait_for(lambda: has_saved(store, "killed"))
    trainer = trainer_of(store, "killed")
    kill_tree(worker.pid)
    wait_for(lambda: is_gone(trainer), seconds=10)
    start_worker()
    send(redis_url, job_id="killed", attempt=2, options=MIDDLING)
    result = ear.result()
    assert (result.error, result.attempt) == (None, 2)
    lines = (store / "jobs" / "killed" / "attempt-2.progress.jsonl").read_text().splitlines()
    first = next(line for line in map(json.loads, lines) if line["stage"] == "training")
    assert first["fraction"] > 0


def test_a_worker_that_is_asked_to_stop_gives_its_job_back_at_once(
    redis_url: str, store: Path, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    """A planned restart: what supervisord and `docker stop` send."""
    worker = start_worker()
    send(redis_url, job_id="moved", options=MIDDLING)
    wait_for(lambda: has_saved(store, "moved"))
    trainer = trainer_of(store, "moved")
    worker.terminate()
    assert ear.next(RECORD_TRAINING_RELEASED, seconds=10) == {"job_id": "moved", "attempt": 1}
    assert worker.wait(timeout=30) == 0
    assert is_gone(trainer)
    assert has_saved(store, "moved")
    start_worker()
    send(redis_url, job_id="moved", attempt=2, options=MIDDLING)
    result = ear.result()
    assert (result.error, result.attempt) == (None, 2)
    lines = (store / "jobs" / "moved" / "attempt-2.progress.jsonl").read_text().splitlines()
    counted = [line for line in map(json.loads, lines) if line["stage"] == "training"]
    assert counted[0]["fraction"] > 0
    assert json.loads(lines[-1])["stage"] == "publishing"
    assert json.loads(lines[-1])["fraction"] < 1


def test_a_worker_that_hangs_is_overtaken_and_comes_too_late(
    redis_url: str, store: Path, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    worker = psutil.Process(start_worker().pid)
    send(redis_url, job_id="hung", options=LONG)
    wait_for(lambda: has_saved(store, "hung"))
    trainer = trainer_of(store, "hung")
    frozen = [*pool_of(worker), worker]
    for process in frozen:
        process.suspend()
    # The broker may still hand one message to the frozen worker; the sweeper would send the next.
    send(redis_url, job_id="hung", attempt=2, options=LONG)
    start_worker()
    send(redis_url, job_id="hung", attempt=3, options=LONG)
    newest = next(progress.attempt for progress in iter(ear.progress, None) if progress.attempt > 1)
    assert is_gone(trainer)
    redis.Redis.from_url(redis_url).set(cancel_key("hung"), "1", ex=60)
    result = ear.result()
    assert (result.attempt, result.error) == (newest, "cancelled")
    for process in frozen:
        process.resume()
    late = next(result for result in iter(ear.result, None) if result.attempt == 1)
    assert late.error is not None
    assert "SIGKILL" in late.error


def test_a_reward_model_is_trained_the_same_way(
    redis_url: str, store: Path, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    start_worker()
    options = {"batch_size": 8, "lr": 1e-2, "device": "cpu"}
    paths = {"data_path": "exports/e2", "out_path": "rewardmodels/first"}
    send(redis_url, job_id="judge", kind="reward_model", options=options, **paths)
    result = ear.result()
    assert result.error is None
    assert result.metrics["num_comparisons"] == 32
    verify_directory(store / "rewardmodels" / "first", expected_sha256=result.manifest_sha256)


def test_a_cancelled_job_stops_within_seconds(
    redis_url: str, store: Path, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    start_worker()
    send(redis_url, job_id="cancelled", options=LONG)
    ear.progress()
    redis.Redis.from_url(redis_url).set(cancel_key("cancelled"), "1", ex=60)
    result = ear.result(seconds=30)
    assert result.error == "cancelled"
    assert not (store / "policies" / "cancelled").exists()


def test_a_trainer_killed_by_the_system_says_so(
    redis_url: str, store: Path, ear: Ear, start_worker: Callable[[], Any]
) -> None:
    start_worker()
    send(redis_url, job_id="oom", options=LONG)
    ear.progress()
    os.killpg(trainer_of(store, "oom").pid, signal.SIGKILL)
    assert "SIGKILL" in str(ear.result().error)


def wait_for(condition: Callable[[], bool], *, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
