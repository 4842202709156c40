"""trl's side of benchmarks.human_preference: one pass over all pairs, saved when ours was done and at the end.

Both stops are of one run: the rate is constant, so that where it is looked at does not change it.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from benchmarks.rewardmodel_trl import build_trainer, pairs_of


class Saver(TrainerCallback):
    """Saves the model at the step by which `cpu_seconds` are spent, and ends training after `most_seconds`."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.began = self.wall_began = self.paused = 0.0
        self.saved_at_time: dict[str, Any] | None = None

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.began, self.wall_began = time.process_time(), time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        if self.saved_at_time is None and self.spent() >= self.job["cpu_seconds"]:
            self.saved_at_time = self.side(state)
            before = time.process_time()
            self.save(others["model"], self.job["at_time"], self.saved_at_time)
            self.paused += time.process_time() - before
        if time.monotonic() - self.wall_began > self.job["most_seconds"]:
            control.should_training_stop = True

    def spent(self) -> float:
        """CPU seconds of training so far, without the saving."""
        return time.process_time() - self.began - self.paused

    def side(self, state: Any) -> dict[str, Any]:
        """What has been done so far, for the report."""
        losses = [float(entry["loss"]) for entry in state.log_history if "loss" in entry][-8:]
        return {
            "cpu_seconds": self.spent(),
            "wall_seconds": time.monotonic() - self.wall_began,
            "steps": state.global_step,
            "pairs_seen": min(state.global_step * self.job["pairs_per_step"], self.job["num_pairs"]),
            "pairs_to_see": self.job["num_pairs"],
            "last_loss": sum(losses) / len(losses) if losses else None,
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }

    def save(self, model: Any, folder: str, side: dict[str, Any]) -> None:
        """The weights into `folder`, and then what was done beside it: where that is, all is there."""
        model.save_pretrained(folder)
        Path(folder + ".json").write_text(json.dumps(side), encoding="utf-8")


def main(path: str) -> None:
    job: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    saver = Saver(job)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_trainer(job, pairs_of(job), folder, saver)
        trainer.train()
    side = saver.side(trainer.state)
    saver.save(trainer.model, job["at_end"], side)
    print(json.dumps(side))


if __name__ == "__main__":
    main(sys.argv[1])
