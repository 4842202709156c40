"""Fine-tuning the bundled model by two processes beside one: memory of a process, and what sharing networks costs.

Each side is processes of its own that take the same optimizer steps on the same dialogues with checkpointed
activations, on the CPU with one thread a process. Memory is how far the resident memory of a process rises above what
it was before the model was loaded; time is CPU seconds of the steps, of both processes together.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

import torch

from benchmarks.figures import Figure, summarise
from language.bundled import ensure_bundled_policy
from language.optimization import build_adamw
from language.parallel import ShardingKind, begin_sharing
from policy.dialogues import TokenizedDialogue
from policy.learner import Trainable, load_learner
from policy.sft import take_step
from policy.sft_config import SftConfig
from records.store import model_store

REPEATS = 3
STEPS = 3
DIALOGUES = 8
TOKENS = 192
MEMORY_GOAL, TIME_GOAL = 0.62, 1.3

# Memory that is freed goes back to the system. Else glibc keeps the holes that gathered layers leave between blocks
# that stay, and what is measured is its heap: 2.5 GB where the tensors are 1.5.
RETURNING = {"MALLOC_MMAP_THRESHOLD_": "65536"}

# A side and the number of its processes.
SIDES: dict[str, int] = {"alone": 1, "replicate": 2, "full": 2}


def figures() -> Iterator[Figure]:
    """Peak of one of two sharded processes over alone, and CPU seconds of both over replicated."""
    model, _ = ensure_bundled_policy(model_store())
    rounds = [{side: measured(side, model) for side in SIDES} for _ in range(REPEATS)]
    peaks = {side: [max(one["peak_bytes"] for one in found[side]) for found in rounds] for side in SIDES}
    seconds = {side: [sum(one["cpu_seconds"] for one in found[side]) for found in rounds] for side in SIDES}
    losses = {side: [found[side][0]["loss"] for found in rounds] for side in SIDES}
    detail: dict[str, Any] = {
        "model": model.name,
        "steps": STEPS,
        "dialogues": DIALOGUES,
        "tokens": TOKENS,
        "precision": "fp32",
        "peak_bytes": peaks,
        "cpu_seconds": seconds,
        "losses": losses,
    }
    ratios = [full / alone for full, alone in zip(peaks["full"], peaks["alone"], strict=True)]
    yield summarise("training.sharded_memory_ratio", ratios, unit="times", goal=MEMORY_GOAL, **detail)
    ratios = [full / replicated for full, replicated in zip(seconds["full"], seconds["replicate"], strict=True)]
    yield summarise("training.sharded_overhead", ratios, unit="times", goal=TIME_GOAL, **detail)


def measured(side: str, model: Path) -> list[dict[str, float]]:
    """What each process of a side says of itself."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(SIDES[side])]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *(launch if SIDES[side] > 1 else []), "-m", "benchmarks.scale", side]
        subprocess.run(
            [*command, str(model), folder],
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **RETURNING},
            check=True,
            stdout=sys.stderr,
        )
        return [json.loads(path.read_text()) for path in sorted(Path(folder).iterdir())]


def main(side: str, model: Path, folder: Path) -> None:
    """One process of a side: leaves its figures in `folder`."""
    torch.set_num_threads(1)
    sharing = begin_sharing("auto" if side == "alone" else cast(ShardingKind, side))
    config = SftConfig(data=Path(), model=model, out=folder, microbatch_tokens=2 * TOKENS, device="cpu")
    before = _resident_bytes()
    learner = load_learner(model, Trainable(), "fp32", torch.device("cpu"), sharing, activation_checkpointing=True)
    optimizer = build_adamw(learner, lr=config.lr)
    random = Random(0)
    began = time.process_time()
    for step in range(STEPS):
        batch = [
            TokenizedDialogue(str(i), tuple(random.randrange(2, 40_000) for _ in range(TOKENS)), (True,) * TOKENS)
            for i in range(DIALOGUES)
        ]
        metrics = take_step(learner, optimizer, batch, config, step, sharing)
    found = {
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before,
        "cpu_seconds": time.process_time() - began,
        "loss": metrics["loss"],
    }
    (folder / f"{sharing.rank}.json").write_text(json.dumps(found), encoding="utf-8")


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
