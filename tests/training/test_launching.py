"""A job as several processes, by torchrun: it reports, ends and fails as one process does, and leaves none behind."""

import ast
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from records import TrainingRequest, write_jsonl
from records.names import RANKINGS_FILE
from tests.rewardmodel.factories import make_toy_rankings
from tests.tiny import build_tiny_policy
from tests.training.test_jobs import Heard
from training import commands, jobs
from training.jobs import run_job
from training.launching import LAUNCHER, SHARES_WORK, NoLauncher, killed_process, launched, launcher

TORCHRUN = "torchrun --standalone --nproc-per-node 2 {program}"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(commands.MODULES, "ppo", "tests.training.stand_in")
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.02)
    monkeypatch.setenv(LAUNCHER, TORCHRUN)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    (tmp_path / "start").mkdir()
    return tmp_path


def request(store: Path, data: str) -> TrainingRequest:
    """For a stand-in that is given its data by the name of a PPO job's prompts."""
    (store / "data").write_text(data)
    return TrainingRequest(
        job_id="j-1",
        attempt=1,
        kind="ppo",
        data_path="data",
        model_path="start",
        reward_path="start",
        out_path="policies/new",
    )


def left_of(folder: Path) -> list[psutil.Process]:
    """Processes that were told of this folder and still run, looked for until there are none or five seconds passed."""
    deadline = time.monotonic() + 5
    while found := [
        one
        for one in psutil.process_iter(["cmdline", "status"])
        if one.info["status"] != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in one.info["cmdline"] or ())
    ]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return found


@pytest.mark.chaos
def test_a_reward_model_is_trained_by_two_processes(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_tiny_policy(store / "policy")
    (store / "rankings").mkdir()
    write_jsonl(store / "rankings" / RANKINGS_FILE, make_toy_rankings(24))
    heard = Heard()
    wanted = TrainingRequest(
        job_id="j-2",
        attempt=1,
        kind="reward_model",
        data_path=f"rankings/{RANKINGS_FILE}",
        model_path="policy",
        out_path="rewardmodels/new",
        options={"max_steps": 2, "device": "cpu"},
    )
    result = run_job(wanted, store=store, reporter=heard)
    assert result is not None
    assert result.error is None
    facts = json.loads((store / "rewardmodels" / "new" / "reward_model.json").read_text())
    assert facts["num_processes"] == 2
    progress = (store / "jobs" / "j-2" / "attempt-1.progress.jsonl").read_text().splitlines()
    assert [json.loads(line)["stage"] for line in progress].count("loading") == 1, "the first process alone tells"


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("data", "said", "lasting"),
    [
        ("refuse", r"^this data cannot be learnt from \(exit status 2; log: attempt-1.log\)$", True),
        ("lack memory", r"^out of memory \(exit status 75; log: attempt-1.log\)$", False),
        ("die", r"^process 1 of several was killed by SIGKILL; its machine may be out of memory\. The log is", False),
    ],
)
def test_what_ends_one_process_ends_all_and_is_said(store: Path, data: str, said: str, lasting: bool) -> None:
    heard = Heard()
    run_job(request(store, data), store=store, reporter=heard)
    (result,) = heard.results
    assert result.error is not None
    assert re.search(said, result.error), result.error
    assert result.needs_other_settings == lasting
    assert not left_of(store)


@pytest.mark.chaos
def test_a_cancelled_job_leaves_no_process(store: Path) -> None:
    heard = Heard(cancelled=True)
    run_job(request(store, "wait"), store=store, reporter=heard)
    assert [result.error for result in heard.results] == ["cancelled"]
    assert not left_of(store)


@pytest.mark.chaos
@pytest.mark.parametrize("killed", ["worker", "launcher"])
def test_a_killed_worker_or_launcher_leaves_no_process(store: Path, killed: str) -> None:
    (store / "data").write_text("wait")
    program = [sys.executable, "-m", "tests.training.stand_in", "--out", str(store / "out"), "--data", store / "data"]
    begin = (
        "import subprocess, sys, time; from training.launching import *; "
        "p = subprocess.Popen(launched(launcher('ppo'), sys.argv[1:]), start_new_session=True); "
        "print(p.pid, flush=True); time.sleep(600)"
    )
    worker = subprocess.Popen([sys.executable, "-c", begin, *map(str, program)], stdout=subprocess.PIPE, text=True)
    group = int(worker.stdout.readline())
    deadline = time.monotonic() + 60
    ranks: list[psutil.Process] = []
    while len(ranks) < 2:
        assert time.monotonic() < deadline, "two processes never began"
        children = psutil.Process(group).children(recursive=True)
        ranks = [one for one in children if one.ppid() != group]
        time.sleep(0.1)
    if killed == "launcher":
        os.killpg(group, signal.SIGKILL)
    worker.kill()
    assert worker.wait() == -signal.SIGKILL
    assert len(ranks) == 2
    assert not left_of(store)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("torchrun --nproc-per-node 8", "must have {program} as one word"),
        ("torchrun --run={program}", "must have {program} as one word"),
        ("torchrun {program} {program}", "must have {program} as one word"),
        ("no-such-launcher -n 8 {program}", "begins with 'no-such-launcher', which is no program"),
        ("torchrun '{program}", "which is no command line: No closing quotation"),
    ],
)
def test_a_launcher_that_cannot_start_is_refused_and_the_job_may_go_elsewhere(
    store: Path, monkeypatch: pytest.MonkeyPatch, template: str, said: str
) -> None:
    monkeypatch.setenv(LAUNCHER, template)
    with pytest.raises(NoLauncher) as refused:
        launcher("ppo")
    assert said in str(refused.value)
    heard = Heard()
    run_job(request(store, "publish"), store=store, reporter=heard)
    assert [(result.error, result.needs_other_settings) for result in heard.results] == [(str(refused.value), False)]


def test_the_trainers_own_words_stand_where_the_launcher_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LAUNCHER, "env -u X {python} -m torch.distributed.run --nnodes 2 {program}")
    words = launcher("rloo")
    assert words is not None
    command = launched(words, [sys.executable, "-m", "policy.rloo", "--out", "a b"])
    assert command[:4] == [sys.executable, "-m", "training.launching", str(os.getpid())]
    assert command[5:9] == ["-u", "X", sys.executable, "-m"]
    assert command[-6:] == ["-m", "training.parent_watchdog", "beginner", "policy.rloo", "--out", "a b"]


def test_a_program_that_cannot_share_its_work_is_one_process_whatever_the_launcher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(LAUNCHER, TORCHRUN)
    sharing = {kind for kind, module in commands.MODULES.items() if shares_work(module)}
    assert sharing == SHARES_WORK
    assert all((launcher(kind) is not None) == (kind in sharing) for kind in commands.MODULES)
    monkeypatch.delenv(LAUNCHER)
    assert launcher("ppo") is None


def shares_work(module: str) -> bool:
    """Whether a program says of itself, where it is run, that it shares its work."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    source = Path(str(spec.origin)).read_text(encoding="utf-8")
    return any(node.arg == "shares_work" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.keyword))


def test_processes_that_torchrun_itself_ended_were_not_killed() -> None:
    failure = "[{0}]:\ntime      : now\nhost      : here\nrank      : {0} (local_rank: {0})\nexitcode  : {1} (pid: 7) x"
    assert killed_process(failure.format(0, 1)) is None
    assert killed_process(failure.format(1, -15)) is None
    both = "\n".join([failure.format(0, 1), failure.format(1, -9)])
    assert killed_process(both) == "process 1 of several was killed by SIGKILL"
