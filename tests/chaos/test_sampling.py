"""Sampling under kill -9: a real web worker, a real sample worker, a real sweeper and a real broker.

No request is lost and no completion recorded twice. A run may lose two attempts here, and has three.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from labeling.embedded import valkey
from labeling.embedded.paths import Places
from labeling.models import Comparison, Completion, MixturePart, SamplingRun, Thumb
from records import read_manifest
from records.manifest import MANIFEST, sha256_of
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_chat, make_policy, make_project, make_run, make_user

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]

CHECKOUT = Path(__file__).resolve().parents[2]
CELERY = [sys.executable, "-m", "celery"]
QUIET = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
COMMANDS = {
    "web": [*CELERY, "-A", "labeling.celery", "worker", "-n", "web@chaos", "-Q", "web", "--concurrency", "2", *QUIET],
    "sampler": [*CELERY, "-A", "sampler.app", "worker", "-n", "sample@chaos", "-Q", "sample", "--pool", "threads",
                "--concurrency", "4", *QUIET],
    "sweeper": [sys.executable, "manage.py", "sweep", "--every", "0.5"],
}  # fmt: skip


class Machine:
    """The processes of a small Parley around the tests' database, each in a group that can be killed whole."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder)
        self.places.make_var()
        self.places.make()
        self.store = folder / "store"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        values = connection.settings_dict
        host = quote(str(values["HOST"]), safe="/")
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"postgresql://{values['USER']}@/{values['NAME']}?host={host}",
            "REDIS_URL": valkey.url(self.places),
            "PARLEY_VAR": str(folder),
            "PARLEY_STORE": str(self.store),
            "PARLEY_SAMPLING_SENT_SECONDS": "2",
            "PARLEY_SAMPLING_RUN_SECONDS": "12",
            "PARLEY_SAMPLING_WINDOW": "10",
            "OMP_NUM_THREADS": "1",
        }

    def start(self, *names: str) -> None:
        for name in names:
            if name == "broker":
                valkey.ensure(self.places)
                continue
            log = self.places.log(name).open("ab")
            self.running[name] = subprocess.Popen(
                COMMANDS[name], cwd=CHECKOUT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str, *, wiped: bool = False) -> None:
        """kill -9, and start it again at once, as a supervisor would."""
        if name == "broker":
            os.kill(int((self.places.valkey / "valkey.pid").read_text()), signal.SIGKILL)
            if wiped:
                shutil.rmtree(self.places.valkey)
        else:
            os.killpg(self.running[name].pid, signal.SIGKILL)
            self.running[name].wait()
        self.start(name)

    def stop(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        valkey.stop(self.places)
        shutil.rmtree(self.places.runtime, ignore_errors=True)

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.places.log(name).read_text()[-2500:]}" for name in self.running)


@pytest.fixture
def machine(tmp_path: Path, tiny_policy: Path) -> Iterator[Machine]:
    tmp_path.chmod(0o711)
    machine = Machine(tmp_path / "machine")
    shutil.copytree(tiny_policy, machine.store / "policies" / "tiny")
    try:
        yield machine
    finally:
        machine.stop()


def wait_until(condition: Callable[[], bool], machine: Machine, *, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            states = list(SamplingRun.objects.values_list("state", "attempt", "num_failures", "error"))
            raise AssertionError(f"not within {seconds} seconds: {states}\n{machine.logs()}")
        time.sleep(0.1)


def num_done() -> int:
    return SamplingRun.objects.filter(state=SamplingRun.State.DONE).count()


def ask_for_more(project: Any) -> int:
    """Work for everybody: comparisons, which the sweeper makes of chats, and suggestions that people wait for."""
    for _ in range(2):
        make_chat(project=project, num_turns=10)
    for _ in range(10):
        make_run(project=project, num_completions=3, sampling={"max_new_tokens": 40, "seed": 1, "temperature": 1.0})
    project.comparisons_ready += 20
    project.save(update_fields=["comparisons_ready"])
    return 50  # a comparison is two runs


def test_every_run_is_done_exactly_once_whatever_is_killed(machine: Machine) -> None:
    sha256 = sha256_of(machine.store / "policies" / "tiny" / MANIFEST)
    assert read_manifest(machine.store / "policies" / "tiny")
    policy = make_policy(name="tiny", store_path="policies/tiny", manifest_sha256=sha256)
    project = make_project(policy=policy, comparisons_ready=0, max_new_tokens=40)
    MixturePart.objects.create(project=project, position=0, share=3)
    MixturePart.objects.create(project=project, position=1, share=1, temperature=0.8)
    machine.start("broker", "web", "sampler", "sweeper")

    wanted = ask_for_more(project)
    wait_until(lambda: num_done() >= 3, machine, seconds=60)
    machine.kill("sampler")
    wait_until(lambda: num_done() >= 12, machine, seconds=60)
    machine.kill("broker", wiped=True)
    machine.kill("sweeper")
    wait_until(lambda: num_done() == wanted, machine, seconds=60)

    wanted += ask_for_more(project)
    wait_until(lambda: num_done() >= wanted - 25, machine, seconds=60)
    machine.kill("web")
    wait_until(lambda: num_done() >= wanted - 15, machine, seconds=60)
    machine.kill("broker")
    wait_until(lambda: num_done() == wanted, machine, seconds=60)

    assert SamplingRun.objects.count() == wanted
    for run in SamplingRun.objects.prefetch_related("completions"):
        assert sorted(completion.index for completion in run.completions.all()) == list(range(run.num_completions))
    assert Completion.objects.count() == 20 * 3 + 40 * 4
    assert set(Comparison.objects.values_list("state", "open_slots")) == {("open", 1)}
    for comparison in Comparison.objects.prefetch_related("completions"):
        sampled_at = sorted(one.sampling["temperature"] for one in comparison.completions.all() if one.sampling)
        assert sampled_at == [0.8, 1.0, 1.0, 1.0]
    repeated = SamplingRun.objects.filter(attempt__gt=1).count()
    assert repeated > 0, "nothing was hit: the kills came too late to mean anything"
    assert machine.environment["REDIS_URL"] != settings.REDIS_URL


def test_a_thumb_down_becomes_a_comparison_that_is_ready(machine: Machine) -> None:
    sha256 = sha256_of(machine.store / "policies" / "tiny" / MANIFEST)
    policy = make_policy(name="tiny", store_path="policies/tiny", manifest_sha256=sha256)
    project = make_project(
        policy=policy, slug="ours", compares_thumbs_down=True, comparisons_ready=0, max_new_tokens=40
    )
    machine.start("broker", "web", "sampler", "sweeper")
    said = {"messages": [{"role": "user", "content": "When did Apollo 11 land?"}], "answer": "In 1968."}
    erin = Program(make_user(username="erin", projects=[project]))
    assert erin.post("projects/ours/feedback", {"id": "m-1", "thumb": "down", **said}).status_code == 201
    wait_until(lambda: Comparison.objects.filter(state="open").exists(), machine, seconds=60)
    comparison = Thumb.objects.get().comparison
    assert comparison is not None
    assert comparison.messages == said["messages"]
    assert comparison.completions.count() == project.num_completions
    assert (comparison.round, comparison.open_slots) == (project.current_round, 1)
