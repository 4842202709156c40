"""Our side of benchmarks.human_preference: one pass over the job's comparisons, then the model published."""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.rewardmodel_ours import comparisons_of, start, steps
from language.checkpoints import load_tokenizer
from rewardmodel.model import publish_reward_model


def main(path: str) -> None:
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    step = start(job)
    batches = steps(comparisons_of(job), job)
    began, cpu = time.perf_counter(), time.process_time()
    losses = [step(batch)["loss"] for batch in batches]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    publish_reward_model(job["at_end"], model=step.model, tokenizer=load_tokenizer(job["model"]), facts={})
    side = {
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "steps": len(batches),
        "pairs_seen": job["num_pairs"],
        "pairs_to_see": job["num_pairs"],
        "last_loss": sum(losses[-8:]) / len(losses[-8:]),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(side))


if __name__ == "__main__":
    main(sys.argv[1])
