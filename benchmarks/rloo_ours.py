"""Our side of RLOO's benchmark: one process, one job file, one JSON line."""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

import policy.rloo
from benchmarks.policy_ours import Enough, Stopwatch
from policy.material import load_material
from policy.rloo import build_learner, train
from policy.rloo_config import RlooConfig


def main(path: str) -> None:
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    updates = job["updates"]
    watch = Stopwatch(updates)
    setattr(policy.rloo, "collect_rollouts", watch)  # noqa: B010 - the one place where every update begins
    config = RlooConfig(
        policy=Path(job["policy"]),
        reward=Path(job["reward"]),
        prompts=Path(job["prompts"]),
        out=Path(job["folder"]) / "ours",
        seed=job["seed"],
        updates=updates + 1,
        rollouts_per_update=job["rollouts"],
        completions_per_prompt=job["completions_per_prompt"],
        minibatch_size=job["rollouts"],
        microbatch_size=job["rollouts"],
        max_new_tokens=job["max_new_tokens"],
        kl_coef=job["kl_coef"],
        lr=job["lr"],
        warmup_updates=0,
        save_every=1000,
        device="cpu",
    )
    torch.manual_seed(job["seed"])
    material = load_material(config, torch.device("cpu"))
    learner = build_learner(config, torch.device("cpu"), longest_prompt=material.prompts.longest)
    with suppress(Enough):
        train(learner, material, config, {})
    lines = [json.loads(line) for line in (config.work_directory / "metrics.jsonl").read_text().splitlines()]
    first, last = watch.marks[1], watch.marks[updates]
    phases = [
        {name: line[f"{name}_seconds"] for name in ("rollout", "scoring", "training")} for line in lines[1:updates]
    ]
    found = {
        "cpu_seconds": last[0] - first[0],
        "wall_seconds": last[1] - first[1],
        "peak_bytes": last[2],
        "completion_tokens": [line["completion_tokens"] for line in lines[:updates]],
        "kl": [line["kl"] for line in lines[:updates]],
        "phases": phases,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
