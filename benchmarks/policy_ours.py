"""Our side of PPO's benchmark: one process, one job file, one JSON line."""

import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

import policy.ppo
from policy import objective
from policy.material import load_material
from policy.ppo import build_learners, train
from policy.ppo_config import PpoConfig
from policy.rollout import collect_rollouts
from rewardmodel.publishing import STATES


class Enough(Exception):
    """Raised at the start of an update that is not wanted any more: what would follow saves a state; trl saves none."""


class Stopwatch:
    """CPU seconds, wall seconds and peak memory at every start of an update, until there were enough."""

    def __init__(self, updates: int) -> None:
        self.marks: list[tuple[float, float, int]] = []
        self._updates = updates

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.marks.append((time.process_time(), time.perf_counter(), peak))
        if len(self.marks) > self._updates:
            raise Enough
        return collect_rollouts(*arguments, **options)


def main(path: str) -> None:
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    watch = Stopwatch(job["updates"])
    setattr(policy.ppo, "collect_rollouts", watch)  # noqa: B010 - the one place where every update begins
    if job.get("keep_unended_scores"):
        setattr(objective, "replace_unended_scores", lambda scores, *_: scores)  # noqa: B010
    updates = job["updates"]
    config = PpoConfig(
        policy=Path(job["policy"]),
        reward=Path(job["reward"]),
        prompts=Path(job["prompts"]),
        out=Path(job["folder"]) / "ours",
        seed=job["seed"],
        updates=updates + 1,
        rollouts_per_update=job["rollouts"],
        completions_per_prompt=job["completions_per_prompt"],
        minibatch_size=job["rollouts"] // job["minibatches"],
        microbatch_size=job["rollouts"] // job["minibatches"],
        epochs=job["epochs"],
        max_new_tokens=job["max_new_tokens"],
        kl_coef=job["kl_coef"],
        lr=job["lr"],
        value_lr=job["lr"],
        warmup_updates=0,
        save_every=1000,
        device="cpu",
    )
    torch.manual_seed(job["seed"])
    cpu = torch.device("cpu")
    material = load_material(config, cpu)
    learners = build_learners(config, cpu, longest_prompt=material.prompts.longest)
    assert not (config.work_directory / STATES).exists()
    with suppress(Enough):
        train(learners, material, config, {})
    lines = [json.loads(line) for line in (config.work_directory / "metrics.jsonl").read_text().splitlines()]
    first, last = watch.marks[1], watch.marks[updates]
    timed = lines[1:updates]
    print(
        json.dumps(
            {
                "cpu_seconds": last[0] - first[0],
                "wall_seconds": last[1] - first[1],
                "peak_bytes": last[2],
                "score": [line["score"] for line in lines[:updates]],
                "kl": [line["kl"] for line in lines[:updates]],
                "completion_tokens": [line["completion_tokens"] for line in lines[:updates]],
                "phases": [
                    {name: line[f"{name}_seconds"] for name in ("rollout", "scoring", "training")} for line in timed
                ],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
