"""The numbers of a run as it goes: one JSON line a step, the same in TensorBoard, and in MLflow where that is set."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from rewardmodel.tracking import MlflowRun, wants_mlflow

METRICS_FILE = "metrics.jsonl"

# As the terminal names figures of a step's own batch, beside which others are of held-out data.
TRAINING_FIGURES = {"loss": "train_loss", "accuracy": "train_accuracy"}


class MetricsLog:
    """Appends to metrics.jsonl in `directory`; what a killed run wrote beyond `step` is dropped first."""

    def __init__(self, directory: Path, step: int) -> None:
        step = step or -1  # of a run that begins not even step 0 is kept, which it writes anew
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / METRICS_FILE
        kept = [line for line in _whole_lines(self.path) if json.loads(line)["step"] <= step]
        self.path.write_text("".join(kept), encoding="utf-8")
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115  closed by close()
        self._board = SummaryWriter(str(directory / "tensorboard"), purge_step=step + 1)
        self._mlflow = MlflowRun(directory) if wants_mlflow() else None

    def write(self, metrics: Mapping[str, int | float]) -> None:
        """One step's numbers; "step" is among them."""
        self._file.write(json.dumps(dict(metrics)) + "\n")
        self._file.flush()
        self.board(int(metrics["step"]), {name: value for name, value in metrics.items() if name != "step"})

    def board(self, step: int, figures: Mapping[str, int | float]) -> None:
        """Figures of another kind than a step's, for TensorBoard and MLflow alone."""
        for name, value in figures.items():
            self._board.add_scalar(name, value, step)
        if self._mlflow is not None:
            self._mlflow.log(step, figures)

    def close(self) -> None:
        """Flush and let go of the files."""
        self._file.close()
        self._board.close()
        if self._mlflow is not None:
            self._mlflow.close()


def note_on_board(directory: Path, step: int, figures: Mapping[str, float]) -> None:
    """Add figures to the TensorBoard of a run whose log is closed."""
    with SummaryWriter(str(directory / "tensorboard")) as board:
        for name, value in figures.items():
            board.add_scalar(name, value, step)
    if wants_mlflow():
        run = MlflowRun(directory)
        run.log(step, figures)
        run.close()


def _whole_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n")]  # a kill may have cut the last one
