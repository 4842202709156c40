"""A training program killed without warning goes on to the very same weights."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from records import write_jsonl
from tests.rewardmodel.factories import make_toy_rankings

FILES = ("model.safetensors",)


def start(data: Path, model: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rewardmodel.train", "--data", str(data), "--model", str(model), "--out", str(out)]
    command += ["--lr", "1e-3", "--batch-size", "8", "--epochs", "2", "--save-every", "3", "--device", "cpu", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> str:
    _, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    return stderr


def kill_at(process: subprocess.Popen[str], metrics: Path, num_lines: int) -> None:
    deadline = time.monotonic() + 120
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < num_lines:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("options", "kills"),
    [
        ((), (17, 31)),
        (("--lora",), (25,)),
        (("--probe", "--soft-labels", "--length-debias"), (19,)),
    ],  # 40 steps in all, a state every 3; the first epoch ends at 20
    ids=["full", "lora", "probe"],
)
def test_killed_at_any_step_it_ends_with_the_same_bytes(
    tiny_policy: Path, tmp_path: Path, options: tuple[str, ...], kills: tuple[int, ...]
) -> None:
    data = tmp_path / "rankings.jsonl"
    write_jsonl(data, make_toy_rankings(160, split="train") + make_toy_rankings(20, seed=1, split="validation"))
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    finish(start(data, tiny_policy, straight, *options))
    metrics = tmp_path / "killed.work" / "metrics.jsonl"
    for num_lines in kills:
        kill_at(start(data, tiny_policy, killed, "--resume", *options), metrics, num_lines)
    assert not killed.exists()
    finish(start(data, tiny_policy, killed, "--resume", *options))
    for name in FILES:
        assert (killed / name).read_bytes() == (straight / name).read_bytes()
    steps = (killed / "metrics.jsonl").read_text().splitlines()
    assert len(steps) == len((straight / "metrics.jsonl").read_text().splitlines()) == 40
