"""DPO beside trl's DPOTrainer: same rankings, start, optimizer and precision, in one run.

Both sides are processes with one thread each, timed in CPU seconds, reference policy included: ours says once of every
completion what it holds of it, trl's asks it of both sides of every pair at every step, as it does by default.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.beside_trl import run_side, trl_environment
from benchmarks.figures import Figure, summarise
from benchmarks.platform import CHECKOUT
from benchmarks.rewardmodel import NUM_COMPARISONS, PAIRS_PER_STEP, TIMED_PAIRS, TRL_VERSION, real_comparisons
from language.bundled import ensure_bundled_policy
from language.checkpoints import load_causal_lm, load_tokenizer, publish_checkpoint
from records.store import model_store
from rewardmodel.comparisons import Comparison

LR = 1e-6
BETA = 0.1
REPEATS = 2

# Both sides take the precision that this processor has instructions for: without them a product in bf16 takes some
# fifty times as long as one in fp32, and what is measured is the emulation.
HAS_BF16 = bool(torch.cpu._is_avx512_bf16_supported())


def figures() -> Iterator[Figure]:
    """Comparisons a CPU second on Open-Assistant rankings, ours over trl's."""
    python = trl_environment(CHECKOUT / "var" / "bench" / "trl", version=TRL_VERSION, needs="import trl")
    bundled = ensure_bundled_policy(model_store())[0]
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        start = Path(folder) / "start"
        tokenizer = load_tokenizer(bundled)  # with a pad token that is not the end token
        publish_checkpoint(start, model=load_causal_lm(bundled), tokenizer=tokenizer)
        comparisons = real_comparisons(tokenizer, NUM_COMPARISONS)
        runs = [_both(python, start, comparisons, Path(folder), seed=seed) for seed in range(REPEATS)]
    yield _speedup(runs, comparisons)


def write_job(path: Path, model: Path, comparisons: Sequence[Comparison], **options: Any) -> Path:
    """What both sides read: token ids and tiers, and how to train."""
    asked = {
        "model": str(model),
        "comparisons": [[member.prompt_ids, member.completion_ids, member.tiers[0]] for member in comparisons],
        "pairs_per_step": PAIRS_PER_STEP,
        "lr": LR,
        "beta": BETA,
        "bf16": HAS_BF16,
        "num_pairs": TIMED_PAIRS,
        **options,
    }
    path.write_text(json.dumps(asked), encoding="utf-8")
    return path


def _both(
    python: Path, model: Path, comparisons: Sequence[Comparison], folder: Path, *, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    job = write_job(folder / "job.json", model, comparisons, seed=seed)
    ours = run_side([sys.executable, "-m", "benchmarks.dpo_ours", str(job)])
    return ours, run_side([str(python), "-m", "benchmarks.dpo_trl", str(job)])


def _speedup(runs: Sequence[tuple[dict[str, Any], dict[str, Any]]], comparisons: Sequence[Comparison]) -> Figure:
    sides = {"ours": [ours for ours, _ in runs], "trl": [theirs for _, theirs in runs]}
    detail = {
        side: {
            "comparisons_per_second": [len(comparisons) / run["cpu_seconds"] for run in found],
            "wall_seconds": [run["wall_seconds"] for run in found],
            "loss": [run["loss"] for run in found],
            "peak_gb": [run["peak_bytes"] / 1e9 for run in found],
        }
        for side, found in sides.items()
    }
    return summarise(
        "policy.dpo_speedup",
        [theirs["cpu_seconds"] / ours["cpu_seconds"] for ours, theirs in runs],
        unit="times",
        goal=3.0,
        precision="bf16 autocast over fp32 weights, both" if HAS_BF16 else "fp32, both: no bf16 instructions here",
        reference="within the time of both: ours once a completion, trl's at every step",
        reference_share_of_ours=[ours["reference_seconds"] / ours["cpu_seconds"] for ours in sides["ours"]],
        extrapolated="trl times some of its pairs, drawn at random, scaled by tokens to all of them",
        comparisons=len(comparisons),
        pairs_timed_of=[[theirs["pairs_timed"], theirs["pairs"]] for theirs in sides["trl"]],
        **detail,
    )
