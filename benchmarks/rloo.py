"""RLOO beside trl's RLOOTrainer: same models, prompts, batch, updates and precision, in one run.

Both are of this environment's own trl, 1.16. Loss and gradients on one batch are equal (tests/policy/
test_rloo_beside_trl.py, run here first). Memory is compared with trl 1.12's PPO on the same load, which is another
algorithm with two more networks: what it says is what leaving the value model out is worth.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.beside_trl import BenchmarkError, run_side
from benchmarks.figures import Figure, summarise
from benchmarks.platform import CHECKOUT

COMPLETIONS_PER_PROMPT = 4
_PARITY = "tests/policy/test_rloo_beside_trl.py"

Sides = tuple[dict[str, Any], dict[str, Any]]


def run_sides(job: str) -> Sides:
    """Ours, then trl's, on one job file."""
    ours = run_side([sys.executable, "-m", "benchmarks.rloo_ours", job])
    return ours, run_side([sys.executable, "-m", "benchmarks.rloo_trl", job])


def require_parity() -> None:
    """Raise BenchmarkError unless both sides say the same of one batch."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", _PARITY], cwd=CHECKOUT, capture_output=True, text=True
    )
    if ended.returncode != 0 or "skipped" in ended.stdout:
        raise BenchmarkError(f"{_PARITY} does not pass, so there is nothing to compare:\n{ended.stdout[-2000:]}")


def figures(run: Callable[[], Sides], ppo_peaks: Sequence[float], *, samples: int, repeats: int) -> Iterator[Figure]:
    """Samples a CPU second over trl's, and peak memory over that of trl's PPO (`ppo_peaks`, bytes)."""
    require_parity()
    runs = [run() for _ in range(repeats)]
    sides = {"ours": [ours for ours, _ in runs], "trl": [theirs for _, theirs in runs]}
    yield summarise(
        "policy.rloo_speedup",
        [theirs["cpu_seconds"] / ours["cpu_seconds"] for ours, theirs in runs],
        unit="times",
        precision="fp32, both",
        completions_per_prompt=COMPLETIONS_PER_PROMPT,
        shows="one minibatch in one piece; every prompt once for four completions",
        goal=2.0,
        samples_per_cpu_second={side: [samples / run["cpu_seconds"] for run in found] for side, found in sides.items()},
        cpu_seconds={side: [run["cpu_seconds"] for run in found] for side, found in sides.items()},
        wall_seconds={side: [run["wall_seconds"] for run in found] for side, found in sides.items()},
        completion_tokens={side: [run["completion_tokens"] for run in found] for side, found in sides.items()},
        phases_of_ours=[run["phases"] for run in sides["ours"]],
    )
    yield summarise(
        "policy.rloo_memory_ratio",
        [ours["peak_bytes"] / peak for ours, peak in zip(sides["ours"], ppo_peaks, strict=True)],
        unit="times",
        ours_gb=[run["peak_bytes"] / 1e9 for run in sides["ours"]],
        trl_ppo_gb=[peak / 1e9 for peak in ppo_peaks],
        trl_rloo_gb=[run["peak_bytes"] / 1e9 for run in sides["trl"]],
        means="our RLOO over trl 1.12's PPO, another algorithm: three networks, one of them trained, over four and two",
        goal=0.5,
    )
