"""Which epoch of fine-tuning to publish: the one whose answers a reward model scores highest, as InstructGPT did.

It found that validation loss rises after the first epoch while people's preference does not fall with it,
and that the reward model's score on validation prompts foretells preference better (App. C.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.commandline import Precision
from policy.judging import Judge, sample_answers
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

    def score(self, model: PreTrainedModel | PeftModel) -> float:
        """The mean score of one answer to each prompt."""
        answers = sample_answers(
            sampling_model(model, precision=self.precision), self.tokenizer, self.prompts, policy="", params=self.params
        )
        asked = [(prompt, [completion]) for prompt, (_, completion) in zip(self.prompts, answers, strict=True)]
        return mean(score for (score,) in self.judge.scores(asked))


def epoch_directory(work: Path, epoch: int) -> Path:
    """Where the checkpoint of an epoch is, counted from 1."""
    return work / EPOCHS / f"epoch-{epoch:03d}"


def best_epoch(curve: Sequence[Mapping[str, Any]]) -> int:
    """The epoch with the highest score; of equal ones the first."""
    return int(max(curve, key=lambda point: (point["selection_score"], -point["epoch"]))["epoch"])
