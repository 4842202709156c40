"""trl's side of DPO's benchmark, run by an environment that has trl: DPOTrainer on all pairs.

Knows nothing of Parley: a published policy is a causal language model, and the job file holds token ids.
"""

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

Pair = dict[str, list[int]]


class Tokenized(DPOTrainer):
    """trl's trainer on tokens as they are: it would else tokenize texts by its own template."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


class Stopwatch(TrainerCallback):
    """CPU and wall time from the end of the first step, which only warms up, to the end of the last."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.marks.append((time.process_time(), time.perf_counter()))


def main(path: str) -> None:
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    pairs = pairs_of(job)
    timed = pairs[: job["num_pairs"]]
    warm_up = [{"prompt_ids": [5, 6, 7, 8], "chosen_ids": [9, 10], "rejected_ids": [11, 12]}] * job["pairs_per_step"]
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(job, warm_up + timed, folder, watch)
        trainer.train()
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry][1:]
    cpu, wall = (last - first for first, last in zip(watch.marks[0], watch.marks[-1], strict=True))
    print(
        json.dumps(
            {
                "cpu_seconds": cpu / (num_tokens(timed) / num_tokens(pairs)),
                "wall_seconds": wall,
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "loss": sum(losses) / len(losses),
                "losses": losses,
                "pairs_timed": len(timed),
                "pairs": len(pairs),
            }
        )
    )


def pairs_of(job: dict[str, Any]) -> list[Pair]:
    """Every pair of the job's comparisons, in the order of its seed; without a seed in theirs."""
    pairs = [
        {"prompt_ids": prompt, "chosen_ids": completions[i], "rejected_ids": completions[j]}
        for prompt, completions, tiers in job["comparisons"]
        for i in range(len(tiers))
        for j in range(len(tiers))
        if tiers[i] < tiers[j]
    ]
    if job.get("seed") is not None:
        random.Random(job["seed"]).shuffle(pairs)
    return pairs


def build_trainer(job: dict[str, Any], pairs: list[Pair], folder: str, callback: TrainerCallback) -> DPOTrainer:
    """trl's trainer for one pass over these pairs as they stand: AdamW at a constant rate, fp32 weights."""
    torch.set_num_threads(1)
    model, reference = (
        AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
        for place in (job["model"], job.get("reference", job["model"]))
    )
    return Tokenized(
        model=model,
        ref_model=reference,
        args=DPOConfig(
            output_dir=folder,
            per_device_train_batch_size=job["pairs_per_step"],
            num_train_epochs=1,
            learning_rate=job["lr"],
            beta=job["beta"],
            adam_beta2=0.95,
            max_grad_norm=10.0,
            lr_scheduler_type="constant",
            bf16=job["bf16"],
            use_cpu=True,
            gradient_checkpointing=False,  # faster for trl, and as we run
            train_sampling_strategy="sequential",  # shuffled by its caller
            max_length=None,
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        train_dataset=Dataset.from_list(pairs),
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        callbacks=[callback],
    )


def num_tokens(pairs: list[Pair]) -> int:
    """Tokens of both sides, each with its prompt, without padding."""
    return sum(2 * len(pair["prompt_ids"]) + len(pair["chosen_ids"]) + len(pair["rejected_ids"]) for pair in pairs)


if __name__ == "__main__":
    main(sys.argv[1])
