"""`manage.py run` as a newcomer meets it: the whole platform in real processes, killed in the usual ways."""

import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from labeling.embedded import paths, processes, valkey
from records.presence import living

pytestmark = [pytest.mark.chaos, pytest.mark.real_model, pytest.mark.timeout(600)]

CHECKOUT = Path(__file__).resolve().parents[1]
PATIENCE = 180.0  # the machine may be busy with other tests


class Run:
    """One `manage.py run` and what it prints."""

    def __init__(self, var: Path, store: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.var, self.store = var, store
        self.lines: list[str] = []
        self._fresh: queue.Queue[str] = queue.Queue()
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        process = start_run(self.var, self.store, self.port)
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        return process

    def again(self) -> None:
        self.lines.clear()
        self.process = self._start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        for line in process.stdout:
            self.lines.append(line)
            self._fresh.put(line)

    def wait_for(self, words: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                line = self._fresh.get(timeout=1)
            except queue.Empty:
                assert self.process.poll() is None, "".join(self.lines)
                continue
            if words in line:
                return line
        raise AssertionError(f"{words!r} was not said:\n{''.join(self.lines)}")

    def health(self) -> dict[str, object]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready/", timeout=10) as answer:
                return dict(json.load(answer))
        except (OSError, urllib.error.HTTPError):
            return {}

    def is_well(self) -> bool:
        return self.health().get("status") == "ok"

    def num_sweeps(self) -> int:
        """How many sweeps were done to the end."""
        return len(re.findall(r"Task labeling\.sweep\S* succeeded", (self.var / "log" / "web-worker.log").read_text()))

    def children(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def server(self, program: str) -> psutil.Process | None:
        """The embedded server of this run that is alive now."""
        folder = paths.Places(self.var).database if program == "postgres" else paths.Places(self.var).valkey
        found = processes.find_all(program=program, folder=Path(os.path.realpath(folder)))
        return min(found, key=lambda process: process.create_time(), default=None)


def start_run(var: Path, store: Path, port: int) -> subprocess.Popen[str]:
    dropped = ("DATABASE_URL", "REDIS_URL", "PARLEY_", "FORWARDED_ALLOW_IPS")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return subprocess.Popen(
        [sys.executable, "manage.py", "run", "--port", str(port)],
        cwd=CHECKOUT,
        env=bare | {"PARLEY_VAR": str(var), "PARLEY_STORE": str(store)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="parley-run-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def run(var: Path, bundled_policy: Path) -> Iterator[Run]:
    started = Run(var, bundled_policy.parents[1])
    started.wait_for("Parley is at http://127.0.0.1:")
    yield started
    started.process.terminate()
    started.process.wait(timeout=60)


def test_it_shows_the_first_accounts_and_serves(run: Run) -> None:
    shown = "".join(run.lines)
    assert "their passwords are shown this once" in shown
    for username in ("admin", "trainer", "reviewer", "engineer"):
        assert f" {username} " in shown
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/sign-in/", timeout=20) as answer:
        assert b"<form" in answer.read()
    assert run.is_well()


def test_without_a_proxy_nobody_can_claim_another_address(run: Run) -> None:
    url = f"http://127.0.0.1:{run.port}/health/live/?who=claims"
    urllib.request.urlopen(urllib.request.Request(url, headers={"X-Forwarded-For": "203.0.113.9"}), timeout=20).close()
    log = run.var / "log" / "web.log"
    assert processes.wait_until(lambda: "who=claims" in log.read_text(), seconds=PATIENCE)
    assert "203.0.113.9" not in log.read_text()


@pytest.mark.parametrize(
    "worker", ["web-worker", "exports-worker", "deliveries-worker", "sample-worker", "train-worker"]
)
def test_its_workers_come_up(run: Run, worker: str) -> None:
    log = run.var / "log" / f"{worker}.log"
    assert processes.wait_until(lambda: log.exists() and " ready." in log.read_text(), seconds=PATIENCE)


def test_its_workers_say_that_they_live(run: Run) -> None:
    with redis.Redis.from_url(valkey.url(paths.Places(run.var)), decode_responses=True) as client:
        assert processes.wait_until(
            lambda: {one.worker.queue for one in living(client)} == {"web", "exports", "deliveries", "sample", "train"},
            seconds=PATIENCE,
        )


def test_the_sweeper_sweeps(run: Run) -> None:
    assert processes.wait_until(lambda: run.num_sweeps() > 0, seconds=PATIENCE)
    assert "Traceback" not in (run.var / "log" / "web-worker.log").read_text()


@pytest.mark.parametrize("program", ["postgres", "valkey-server"])
def test_a_killed_server_comes_back(run: Run, program: str) -> None:
    server = run.server(program)
    assert server
    server.kill()
    assert processes.wait_until(lambda: run.server(program) not in (None, server), seconds=PATIENCE)
    assert processes.wait_until(run.is_well, seconds=PATIENCE)
    before = run.num_sweeps()  # beat, broker, worker and database are all at work again
    assert processes.wait_until(lambda: run.num_sweeps() > before, seconds=PATIENCE)


def test_a_killed_web_server_comes_back(run: Run) -> None:
    (web,) = (child for child in run.children() if "labeling.asgi:application" in child.cmdline())
    web.kill()
    assert processes.wait_until(run.is_well, seconds=PATIENCE)


def test_a_second_run_beside_it_is_refused(run: Run) -> None:
    second = start_run(run.var, run.store, run.port + 1)
    said, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode != 0
    assert f"Parley already runs on {run.var}" in said
    assert run.is_well()


def test_a_port_that_is_taken_is_said_to_be(run: Run, tmp_path: Path) -> None:
    other = start_run(tmp_path / "var", run.store, run.port)
    said, _ = other.communicate(timeout=PATIENCE)
    assert other.returncode != 0
    assert f"Port {run.port} on 127.0.0.1 is taken" in said
    assert "PARLEY_PORT=" in said
    assert "Traceback" not in said


def test_what_a_killed_run_left_behind_is_taken_over(run: Run) -> None:
    orphans = [child for child in run.children() if "supervisor.supervisord" in child.cmdline()]
    assert orphans
    run.process.kill()
    run.process.wait()
    run.again()
    run.wait_for("Parley is at")
    assert not any(processes.is_alive(orphan.pid) for orphan in orphans)
    assert "passwords" not in "".join(run.lines)
    assert run.is_well()


def test_ctrl_c_stops_everything(run: Run) -> None:
    everything = [*run.children(), run.server("postgres"), run.server("valkey-server")]
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(timeout=60) == 0
    assert time.monotonic() - began < 50
    assert not [process for process in everything if process and processes.is_alive(process.pid)]
    assert not paths.Places(run.var).runtime.exists()
