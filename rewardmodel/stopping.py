"""Reasons for training to stop, each saying at which step, on which records, and what to do."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from language.options import MayPass
from rewardmodel.comparisons import Comparison

_NAMED = 8  # rankings named in a message; enough to find the batch


class TrainingStopped(ValueError):
    """Training that cannot go on; what was saved before stays as it is."""


class OutOfMemory(TrainingStopped, MayPass):
    """Memory that ran out; on another machine, or once others are done, it may suffice."""


def require_finite(value: float, name: str, batch: Sequence[Comparison], step: int) -> None:
    """Raise TrainingStopped unless `value` is a number, before anything it spoils is stepped or saved."""
    if not math.isfinite(value):
        raise TrainingStopped(
            f"step {step + 1}: {name} is {value} on {_rankings(batch)}; nothing of this step was kept. Lower --lr, or "
            "look at these records; --resume goes on from the last saved state"
        )


@contextmanager
def stopping_without_memory(batch: Sequence[Comparison], step: int) -> Iterator[None]:
    """Turn an allocation that failed, on the GPU or in main memory, into TrainingStopped."""
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)):
            raise
        num_tokens = sum(comparison.num_tokens for comparison in batch)
        raise OutOfMemory(
            f"step {step + 1}: out of memory on {num_tokens} tokens of {_rankings(batch)}; lower --microbatch-tokens, "
            "or use --max-tokens, --activation-checkpointing, --lora or --train-last-layers, and go on with --resume"
        ) from error


def _rankings(batch: Sequence[Comparison]) -> str:
    ids = [identifier for comparison in batch for identifier in comparison.ranking_ids]
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"rankings {', '.join(ids[:_NAMED])}{more}"
