"""trl's side of PPO's benchmark, run by an environment that has trl 1.12, the last with a PPO trainer.

Knows nothing of Parley: the checkpoints are plain, the job file holds token ids. The tokenizer's pad token is not
its end token: trl takes whatever has the pad token's id for padding, and every chat prompt holds end tokens.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
)
from trl.experimental.ppo import PPOConfig, PPOTrainer


class Stopwatch(TrainerCallback):
    """CPU seconds, wall seconds and peak memory at every end of an update, and what trl logs of it."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float, int]] = []
        self.logged: list[dict[str, float]] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.marks.append((time.process_time(), time.perf_counter(), peak))

    def on_log(self, *_: Any, **told: Any) -> None:
        self.logged.append(told["logs"])


def main(path: str) -> None:
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(job["policy"], padding_side="left")
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    rows = [{"input_ids": ids} for ids in job["prompt_ids"] for _ in range(job["completions_per_prompt"])]
    watch = Stopwatch()
    trainer = PPOTrainer(
        args=PPOConfig(
            output_dir=job["folder"] + "/trl",
            seed=job["seed"],
            per_device_train_batch_size=job["rollouts"],
            gradient_accumulation_steps=1,
            num_mini_batches=job["minibatches"],
            num_ppo_epochs=job["epochs"],
            total_episodes=job["updates"] * job["rollouts"],
            local_rollout_forward_batch_size=job["rollouts"],
            response_length=job["max_new_tokens"],
            stop_token="eos",
            temperature=1.0,
            kl_coef=job["kl_coef"],
            learning_rate=job["lr"],
            lr_scheduler_type="constant",
            num_sample_generations=0,
            gradient_checkpointing=False,  # faster for trl, and as we run
            bf16=False,
            use_cpu=True,
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        processing_class=tokenizer,
        model=AutoModelForCausalLM.from_pretrained(job["policy"], dtype=torch.float32),
        ref_model=AutoModelForCausalLM.from_pretrained(job["policy"], dtype=torch.float32),
        reward_model=_classifier(job["reward"]),
        value_model=_classifier(job["reward"]),
        train_dataset=Dataset.from_list(rows),
        callbacks=[watch],
    )
    sys.stdout.flush()
    trainer.train()
    first, last = watch.marks[0], watch.marks[-1]
    print(
        json.dumps(
            {
                "cpu_seconds": last[0] - first[0],
                "wall_seconds": last[1] - first[1],
                "peak_bytes": last[2],
                "score": [logs["objective/scores"] for logs in watch.logged if "objective/scores" in logs],
                "kl": [logs["objective/kl"] for logs in watch.logged if "objective/kl" in logs],
            }
        )
    )


def _classifier(path: str) -> Any:
    return AutoModelForSequenceClassification.from_pretrained(path, num_labels=1, dtype=torch.float32)


if __name__ == "__main__":
    main(sys.argv[1])
