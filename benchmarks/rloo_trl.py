"""trl's side of RLOO's benchmark, by the trl of this environment. Knows nothing of Parley but the job file."""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
from trl.trainer.rloo_config import RLOOConfig
from trl.trainer.rloo_trainer import RLOOTrainer


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
    prompts = [json.loads(line)["messages"] for line in Path(job["prompts"]).read_text().splitlines()]
    rows = [{"prompt": [{name: message[name] for name in ("role", "content")} for message in own]} for own in prompts]
    watch = Stopwatch()
    trainer = RLOOTrainer(
        model=AutoModelForCausalLM.from_pretrained(job["policy"], dtype=torch.float32),
        reward_funcs=AutoModelForSequenceClassification.from_pretrained(
            job["reward"], num_labels=1, dtype=torch.float32
        ),
        args=RLOOConfig(
            output_dir=job["folder"] + "/trl",
            seed=job["seed"],
            per_device_train_batch_size=job["rollouts"],
            gradient_accumulation_steps=1,
            num_generations=job["completions_per_prompt"],
            num_iterations=job["epochs"],
            max_steps=job["updates"],
            max_completion_length=job["max_new_tokens"],
            temperature=1.0,
            beta=job["kl_coef"],
            learning_rate=job["lr"],
            lr_scheduler_type="constant",
            gradient_checkpointing=False,  # faster for trl, and as we run
            bf16=False,
            use_cpu=True,
            save_strategy="no",
            logging_steps=1,
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[watch],
    )
    trainer.train()
    first, last = watch.marks[0], watch.marks[-1]
    found = {
        "cpu_seconds": last[0] - first[0],
        "wall_seconds": last[1] - first[1],
        "peak_bytes": last[2],
        "completion_tokens": [
            logs["completions/mean_length"] for logs in watch.logged if "completions/mean_length" in logs
        ],
        "kl": [logs["kl"] for logs in watch.logged if "kl" in logs],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
