"""Our side of the reward model's benchmark: one process, one job file, one JSON line."""

import json
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from language.optimization import build_adamw
from rewardmodel.comparisons import Comparison
from rewardmodel.loss import pairs_of_tiers
from rewardmodel.model import RewardModel, start_reward_model
from rewardmodel.parameters import choose_parameters
from rewardmodel.train import Learner, take_step
from rewardmodel.train_config import TrainConfig


@dataclass
class Step:
    """A model on its way: calling it takes one step at a constant rate."""

    model: RewardModel
    optimizer: torch.optim.Optimizer
    learner: Learner

    def __call__(self, batch: list[Comparison]) -> dict[str, float]:
        return take_step(self.model, self.optimizer, batch, self.learner, 0)


def main(path: str) -> None:
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    step = start(job)
    warm_up = Comparison("w", (5, 6, 7, 8), ((9, 10), (11, 12)), (), ("w",), ((0, 1),))
    step([warm_up] * 4)
    comparisons = comparisons_of(job)
    began, cpu = time.perf_counter(), time.process_time()
    losses = [step(batch)["loss"] for batch in steps(comparisons, job)]
    cpu = time.process_time() - cpu
    print(
        json.dumps(
            {
                "cpu_seconds": cpu,
                "timed_seconds": cpu,
                "wall_seconds": time.perf_counter() - began,
                "tokens": sum(comparison.num_tokens for comparison in comparisons),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "loss": sum(losses) / len(losses),
            }
        )
    )


def start(job: dict[str, Any]) -> Step:
    """One optimizer step on one batch of the job's model, all of it trained, in bf16 over fp32 weights."""
    torch.set_num_threads(1)
    model = start_reward_model(job["model"], seed=0)
    choose_parameters(model, lora_rank=None, last_layers=0)
    optimizer = build_adamw(model, lr=job["lr"])
    unused = Path("unused")
    learner = Learner(TrainConfig(data=unused, model=unused, out=unused, precision="bf16"))
    return Step(model, optimizer, learner)


def comparisons_of(job: dict[str, Any]) -> list[Comparison]:
    """The job's comparisons in its order."""
    return [
        Comparison(str(i), tuple(prompt), tuple(map(tuple, completions)), (), (f"r-{i}",), (tuple(tiers),))
        for i, (prompt, completions, tiers) in enumerate(job["comparisons"])
    ]


def steps(comparisons: list[Comparison], job: dict[str, Any]) -> list[list[Comparison]]:
    """Batches of whole comparisons with about as many pairs as trl takes at a step."""
    batches: list[list[Comparison]] = [[]]
    pairs = 0
    for comparison in comparisons:
        if pairs >= job["pairs_per_step"]:
            batches.append([])
            pairs = 0
        batches[-1].append(comparison)
        pairs += len(pairs_of_tiers(comparison.tiers[0]))
    return batches


if __name__ == "__main__":
    main(sys.argv[1])
