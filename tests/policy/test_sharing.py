"""PPO by two processes, as torchrun starts them, beside one: the same prompts, samples and steps."""

import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from language.chat import end_token_id
from language.checkpoints import load_causal_lm
from language.options import OptionError
from language.stop_ids import hidden_ids
from policy.inputs import require_processes
from policy.material import load_material
from policy.ppo_config import PpoConfig
from policy.rollout import Rollouts, collect_rollouts, over_rollouts
from policy.shared_prompt import completion_logprobs
from policy.sharing import ALONE, Member, Sharing
from rewardmodel.processes import Processes
from tests.launching import start
from tests.policy.factories import write_demonstrations
from tests.policy.updates import CPU, begin


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
    """As Slurm or a job of Kubernetes starts them; taken for two runs they would both publish.

    They wait for one another for hours: the first looks at held-out prompts, and ten minutes are NCCL's own limit.
    """
    program = (
        "import torch.distributed; from rewardmodel.processes import Processes as P; p = P(); "
        "options = torch.distributed.group.WORLD._get_backend(torch.device('cpu')).options; "
        "print(p.rank, p.count, p.is_main, options._timeout.total_seconds() / 3600)"
    )
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
    assert [one.communicate(timeout=120)[0] for one in started] == ["0 2 True 12.0\n", "1 2 False 12.0\n"]


def test_a_share_of_nothing_is_refused(config: PpoConfig) -> None:
    require_processes(config, 2)
    with pytest.raises(OptionError, match="3 processes cannot share minibatches of 2 pieces"):
        require_processes(config, 3)
    with pytest.raises(OptionError, match="cannot share"):
        require_processes(replace(config, rollouts_per_update=4, minibatch_size=4, microbatch_size=1), 2)


@dataclass(frozen=True)
class Seat(Sharing):
    """One of two threads that share a run as two processes would: what one gathers the other has laid on the table."""

    table: dict[tuple[int, int], Any] = field(default_factory=dict)
    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(2, timeout=60))
    rounds: list[int] = field(default_factory=list)

    def gather(self, value: Member) -> list[Member]:
        turn = len(self.rounds)
        self.rounds.append(turn)
        self.table[turn, self.rank] = value
        self.meeting.wait()
        return [self.table[turn, rank] for rank in range(2)]


def two_seats() -> list[Seat]:
    seats = []
    for rank in range(2):
        processes = Processes()
        processes.rank, processes.count = rank, 2
        seats.append(Seat(processes, *((seats[0].table, seats[0].meeting) if seats else ())))
    return seats


def test_two_sample_and_measure_what_one_would(config: PpoConfig) -> None:
    """Five prompts, so that one share is larger; the same completions, seed by seed, in the same order."""
    learners, alone, _ = begin(config)
    material = load_material(config, CPU)

    def share(sharing: Sharing) -> tuple[Rollouts, torch.Tensor]:
        rollouts = collect_rollouts(
            learners.policy.model,
            material.prompts.prompts,
            num_completions=4,
            params=config.sampling_params(0),
            end_token_id=end_token_id(material.tokenizer),
            hidden_ids=hidden_ids(material.tokenizer),
            precision="fp32",
            sharing=sharing,
        )
        (logprobs,) = over_rollouts(
            lambda groups: completion_logprobs(load_causal_lm(config.policy), groups, temperature=1.0),
            rollouts,
            pieces=rollouts.pieces(3),
            sharing=sharing,
        )
        return rollouts, logprobs

    with ThreadPoolExecutor(2) as pool:
        shares = list(pool.map(share, two_seats()))
    _, expected = share(ALONE)
    assert len(shares) == 2
    for rollouts, logprobs in shares:
        assert rollouts.prompt_ids(range(20)) == alone.prompt_ids(range(20))
        assert rollouts.completions == alone.completions
        assert torch.equal(rollouts.mask, alone.mask)
        torch.testing.assert_close(logprobs, expected, atol=1e-5, rtol=0)


def test_alone_every_share_is_the_whole() -> None:
    assert ALONE.of([1, 2, 3]) == [1, 2, 3]
    assert ALONE.interleave([1, 2, 3]) == [1, 2, 3]
    assert ALONE.gather("all") == ["all"]
