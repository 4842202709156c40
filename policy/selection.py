"""Which epoch of fine-tuning to publish: the one whose answers a reward model scores highest, as InstructGPT did.

It found that validation loss rises after the first epoch while people's preference does not fall with it,
and that the reward model's score on validation prompts foretells preference better (App. C.1). Without a reward
model the epoch of the lowest held-out loss is published; where nothing is held out, the last.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.commandline import Precision
from language.parallel import ALONE, Sharing
from policy.judging import Judge, sample_shares
from policy.learner import sampling_model
from policy.prompts import TokenizedPrompt
from records import SamplingParams

EPOCHS = "epochs"  # folder of the work directory


@dataclass(frozen=True)
class Examination:
    """The same prompts and the same random numbers for every epoch, and the reward model that reads the answers."""

    judge: Judge
    prompts: tuple[TokenizedPrompt, ...]
    tokenizer: PreTrainedTokenizerBase
    params: SamplingParams
    precision: Precision

    def score(self, model: PreTrainedModel | PeftModel, sharing: Sharing = ALONE) -> float:
        """The mean score of one answer to each prompt; processes share the prompts."""
        answers = sample_shares(
            sampling_model(model, precision=self.precision),
            self.tokenizer,
            self.prompts,
            params=self.params,
            sharing=sharing,
        )
        asked = [(prompt, [completion]) for prompt, (_, completion) in zip(self.prompts, answers, strict=True)]
        return mean(score for (score,) in sharing.rejoin(self.judge.scores(asked[sharing.span(len(asked))])))


def epoch_directory(work: Path, epoch: int) -> Path:
    """Where the checkpoint of an epoch is, counted from 1."""
    return work / EPOCHS / f"epoch-{epoch:03d}"


def best_epoch(curve: Sequence[Mapping[str, Any]]) -> int:
    """The epoch with the highest score, or without scores the one with the lowest held-out loss; of equals the first.

    A loss that is no number is no best.
    """
    if "selection_score" in curve[0]:
        return int(max(curve, key=lambda point: (point["selection_score"], -point["epoch"]))["epoch"])
    return int(min(curve, key=lambda point: (_or_infinite(point["validation_loss"]), point["epoch"]))["epoch"])


def selection_facts(curve: Sequence[Mapping[str, Any]], *, num_epochs: int, start_loss: float | None) -> dict[str, Any]:
    """Which epoch is published and by what it was chosen, for manifest and card; `curve` is empty without a choice."""
    by = "last" if not curve else "score" if "selection_score" in curve[0] else "held-out loss"
    published = best_epoch(curve) if curve else num_epochs
    return {"by": by, "published_epoch": published, "start_validation_loss": start_loss, "curve": list(curve)}


def selection_sentence(selection: Mapping[str, Any]) -> str:
    """What was chosen and why, for a person."""
    epoch, curve = selection["published_epoch"], selection["curve"]
    if selection["by"] == "last":
        return f"epoch {epoch}, the last, is published: nothing is held out to choose by"
    if selection["by"] == "score":
        return f"epoch {epoch} of {len(curve)} is published: its answers scored highest"
    chosen, last = curve[epoch - 1]["validation_loss"], curve[-1]["validation_loss"]
    rose = f"; it rose to {last:.4g} by epoch {len(curve)}" if last > chosen else ""
    start = selection["start_validation_loss"]
    above = f"; before training it was lower, {start:.4g}" if start is not None and start < chosen else ""
    return f"epoch {epoch} of {len(curve)} is published: its held-out loss was lowest, {chosen:.4g}{rose}{above}"


def forget_epochs_but(work: Path, epoch: int | None) -> None:
    """Remove the checkpoints of all epochs but one: a killed run may come back to it."""
    kept = epoch_directory(work, epoch) if epoch is not None else None
    for place in (work / EPOCHS).glob("*"):
        if place != kept:
            shutil.rmtree(place)


def _or_infinite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf
