"""trl's side of the reward model's benchmark, run by an environment that has trl: RewardTrainer on all pairs.

Knows nothing of Parley: a published reward model is a sequence classifier, and the job file holds token ids.
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
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer


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
    warm_up = [{"chosen_ids": [5, 6, 7, 8, 9, 10], "rejected_ids": [5, 6, 7, 8, 11, 12]}] * job["pairs_per_step"]
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(job, warm_up + timed, folder, watch)
        trainer.train()
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry][1:]
    cpu, wall = (last - first for first, last in zip(watch.marks[0], watch.marks[-1], strict=True))
    share = num_tokens(timed) / num_tokens(pairs)
    print(
        json.dumps(
            {
                "cpu_seconds": cpu / share,
                "timed_seconds": cpu,
                "wall_seconds": wall,
                "tokens": num_tokens(timed),
                "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "loss": sum(losses) / len(losses),
                "pairs_timed": len(timed),
                "pairs": len(pairs),
            }
        )
    )


def pairs_of(job: dict[str, Any]) -> list[dict[str, list[int]]]:
    """Every pair of the job's comparisons, in the order of its seed."""
    pairs = [
        {"chosen_ids": prompt + completions[i], "rejected_ids": prompt + completions[j]}
        for prompt, completions, tiers in job["comparisons"]
        for i in range(len(tiers))
        for j in range(len(tiers))
        if tiers[i] < tiers[j]
    ]
    random.Random(job["seed"]).shuffle(pairs)
    return pairs


def build_trainer(
    job: dict[str, Any], pairs: list[dict[str, list[int]]], folder: str, callback: TrainerCallback
) -> RewardTrainer:
    """trl's trainer for one pass over these pairs as they stand: AdamW at a constant rate, bf16 over fp32 weights."""
    torch.set_num_threads(1)
    at_once = job.get("pairs_at_once", job["pairs_per_step"])
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], num_labels=1, dtype=torch.float32)
    return RewardTrainer(
        model=model,
        args=RewardConfig(
            output_dir=folder,
            per_device_train_batch_size=at_once,
            gradient_accumulation_steps=job["pairs_per_step"] // at_once,
            num_train_epochs=1,
            learning_rate=job["lr"],
            adam_beta2=0.95,
            lr_scheduler_type="constant",
            bf16=True,
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


def num_tokens(pairs: list[dict[str, list[int]]]) -> int:
    """Tokens of both sides, without padding."""
    return sum(len(ids) for pair in pairs for ids in pair.values())


if __name__ == "__main__":
    main(sys.argv[1])
