"""Our side of DPO's benchmark: one process, one job file, one JSON line."""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.rewardmodel_ours import comparisons_of, steps
from language.checkpoints import load_causal_lm
from language.optimization import build_adamw
from policy.dpo import Dpo
from policy.dpo_config import DpoConfig
from policy.preference_loop import take_step
from policy.preferences import PreferenceSet
from policy.sequence_logprobs import reference_logprobs
from rewardmodel.comparisons import Comparison
from rewardmodel.data import Source


def main(path: str) -> None:
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    comparisons = comparisons_of(job)
    unused = Path("unused")
    config = DpoConfig(
        data=unused, model=unused, out=unused, beta=job["beta"], precision="bf16" if job["bf16"] else "fp32"
    )
    model = load_causal_lm(job["model"])
    optimizer = build_adamw(model, lr=job["lr"])

    def method_of(members: list[Comparison]) -> Dpo:
        with tempfile.TemporaryDirectory() as folder:
            references = reference_logprobs(
                Path(folder), {}, model, members, token_budget=config.microbatch_tokens, precision=config.precision
            )
        data = PreferenceSet(Source(unused, ""), tuple(members), (), {})
        return Dpo(data, references, config)

    warm_up = [Comparison(str(i), (5, 6, 7, 8), ((9, 10), (11, 12)), (), ("w",), ((0, 1),)) for i in range(4)]
    take_step(model, optimizer, warm_up, method_of(warm_up), config, 0)
    began, cpu = time.perf_counter(), time.process_time()
    method = method_of(comparisons)
    reference_seconds = time.process_time() - cpu
    losses = [float(take_step(model, optimizer, batch, method, config, 0)["loss"]) for batch in steps(comparisons, job)]
    print(
        json.dumps(
            {
                "cpu_seconds": time.process_time() - cpu,
                "reference_seconds": reference_seconds,
                "wall_seconds": time.perf_counter() - began,
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "loss": sum(losses) / len(losses),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
