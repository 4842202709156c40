"""Reasons for training to stop, each saying at which step, on which records, and what to do."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from language.generation import ROWS
from language.parallel import ALONE, Sharing
from language.progress import tell
from rewardmodel.stopping import OutOfMemory, TrainingStopped

_NAMED = 8  # records named in a message; enough to find the batch

Member = TypeVar("Member")
Outcome = TypeVar("Outcome")


def require_finite(value: float, name: str, record_ids: Sequence[str], step: int) -> None:
    """Raise TrainingStopped unless `value` is a number, before anything it spoils is stepped or saved."""
    if not math.isfinite(value):
        raise TrainingStopped(
            f"step {step}: {name} is {value} on {name_records(record_ids)}; nothing of this step was kept. "
            "Lower --lr, or look at these records; --resume goes on from the last saved state"
        )


def in_smaller_pieces(
    action: Callable[[list[list[Member]]], Outcome], pieces: list[list[Member]], *, sharing: Sharing = ALONE
) -> Outcome:
    """`action(pieces)`; where memory runs out, again from its beginning with every piece in halves.

    The same mathematics in smaller forward passes. `action` must be repeatable: it begins by clearing the
    gradients it accumulates. Raises OutOfMemory where not even pieces of one member fit, and at once where networks
    are shared out: the other processes wait in the middle of a layer for this one's part, and cannot begin again.
    """
    while True:
        try:
            return action(pieces)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if sharing.is_sharded:
                raise OutOfMemory(
                    f"out of memory on pieces of up to {max(map(len, pieces))} sequences; "
                    "with --sharding full no process can begin again by itself; lower --microbatch-tokens or "
                    "--microbatch-size, give --activation-checkpointing or more processes, and go on with --resume"
                ) from error
            halves = [half for piece in pieces for half in _halve(piece)]
            if len(halves) == len(pieces):
                raise OutOfMemory(
                    "out of memory on a single sequence; use --lora or --train-last-layers, or shorter "
                    "sequences, and go on with --resume"
                ) from error
        # Outside the handler, whose traceback would keep the failed attempt's tensors alive.
        pieces = halves
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def in_smaller_batches(action: Callable[[int], Outcome], most_rows: int) -> Outcome:
    """`action(most_rows)`; where memory runs out, again with half as many rows at a time, down to one."""
    while True:
        try:
            return action(most_rows)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if most_rows == 1:
                raise OutOfMemory(
                    "out of memory while sampling; lower --max-new-tokens or --completions-per-prompt, "
                    "and go on with --resume"
                ) from error
        most_rows //= 2
        tell(f"out of memory while sampling: again, {most_rows} completions at a time; {ROWS}={most_rows} begins so")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _halve(piece: list[Member]) -> list[list[Member]]:
    middle = (len(piece) + 1) // 2
    return [half for half in (piece[:middle], piece[middle:]) if half]


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an allocation failed, on a GPU or in main memory."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def name_records(record_ids: Sequence[str]) -> str:
    """A few of the ids, to find the batch by."""
    distinct = list(dict.fromkeys(record_ids))
    more = f" and {len(distinct) - _NAMED} more" if len(distinct) > _NAMED else ""
    return f"records {', '.join(distinct[:_NAMED])}{more}"
