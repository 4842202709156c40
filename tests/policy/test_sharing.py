"""PPO by two processes, as torchrun starts them, beside one: the same prompts, samples and steps."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from policy.ppo_config import PpoConfig, require_processes
from policy.sharing import ALONE
from rewardmodel.options import OptionError
from tests.launching import start
from tests.policy.factories import write_demonstrations


@pytest.mark.chaos
def test_two_processes_end_with_the_weights_of_one(config: PpoConfig, tmp_path: Path) -> None:
    text = write_demonstrations(tmp_path / "demonstrations.jsonl", [("Hello!", "a a a"), ("Who are you?", "d d")])
    outs = {}
    for count in (1, 2):
        outs[count] = tmp_path / f"ppo-{count}"
        options: list[object] = ["--policy", config.policy, "--reward", config.reward, "--prompts", config.prompts]
        options += ["--out", outs[count], "--updates", "2", "--rollouts-per-update", "24", "--device", "cpu"]
        options += ["--completions-per-prompt", "4", "--minibatch-size", "12", "--microbatch-size", "4"]
        options += ["--max-new-tokens", "8", "--lr", "1e-3", "--value-lr", "1e-3", "--warmup-updates", "0"]
        options += ["--ptx-coef", "0.1", "--ptx-data", text, "--ptx-ratio", "0.25"]
        ended = start("policy.ppo", options, processes=count)
        assert ended.returncode == 0, ended.stderr
        assert json.loads((outs[count] / "policy.json").read_text())["num_processes"] == count
    one, two = (load_file(out / "model.safetensors") for out in outs.values())
    before = load_file(config.policy / "model.safetensors")
    for name, weight in one.items():
        assert (two[name] - weight).abs().max() < 2e-5, name
    assert max(float((before[name] - weight).abs().max()) for name, weight in one.items()) > 1e-3
    lines = [[json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()] for out in outs.values()]
    assert len(lines[0]) == 2
    for alone, shared in zip(*lines, strict=True):
        for name in ("score", "kl_k3", "completion_tokens", "policy_loss", "value_loss", "ptx_loss", "grad_norm"):
            assert shared[name] == pytest.approx(alone[name], abs=1e-4), name
    assert not list(tmp_path.glob("tmp-*"))


@pytest.mark.chaos
def test_processes_of_a_launcher_that_sets_only_the_variables_share_as_well() -> None:
    """As Slurm or a job of Kubernetes starts them; taken for two runs they would both publish."""
    program = "from rewardmodel.processes import Processes as P; p = P(); print(p.rank, p.count, p.is_main)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    given = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **given, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    assert [one.communicate(timeout=120)[0] for one in started] == ["0 2 True\n", "1 2 False\n"]


def test_a_share_of_nothing_is_refused(config: PpoConfig) -> None:
    require_processes(config, 2)
    with pytest.raises(OptionError, match="3 processes cannot share minibatches of 2 pieces"):
        require_processes(config, 3)
    with pytest.raises(OptionError, match="cannot share"):
        require_processes(replace(config, rollouts_per_update=4, minibatch_size=4, microbatch_size=1), 2)


def test_alone_every_share_is_the_whole() -> None:
    assert ALONE.of([1, 2, 3]) == [1, 2, 3]
    assert ALONE.interleave([1, 2, 3]) == [1, 2, 3]
    assert ALONE.gather("all") == ["all"]
