"""Hidden states of a trunk that is not trained, computed once and kept: a first reward model in seconds."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from language.parallel import ALONE, Sharing, weight_of
from rewardmodel.comparisons import Comparison, microbatches
from rewardmodel.model import RewardModel
from rewardmodel.scoring import states_of

STATES_FILE = "trunk-states.safetensors"


@dataclass(frozen=True)
class States:
    """The states that scores are read from, of all comparisons end to end."""

    values: Float[Tensor, "completions hidden"]
    starts: dict[str, int]

    def of(self, comparisons: Sequence[Comparison], device: torch.device) -> Float[Tensor, "some hidden"]:
        """Those of some comparisons, laid end to end."""
        rows = [self.values[self.starts[one.id] :][: len(one.completion_ids)] for one in comparisons]
        return torch.cat(rows).to(device)


def load_states(
    directory: Path,
    key: str,
    model: RewardModel,
    comparisons: Sequence[Comparison],
    *,
    token_budget: int,
    sharing: Sharing = ALONE,
) -> States:
    """From `directory` where an earlier run with the same `key` left them; else computed, and left there."""
    starts, count = {}, 0
    for comparison in comparisons:
        starts[comparison.id] = count
        count += len(comparison.completion_ids)
    path = directory / STATES_FILE
    values = sharing.from_main(_read(path, key, count) if sharing.is_main else None)
    if values is None:
        values = _compute(model, comparisons, starts, count, token_budget=token_budget, sharing=sharing)
        if not sharing.is_main:
            return States(values, starts)
        directory.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            save_file({"states": values}, part, metadata={"key": key})
            part.replace(path)
        except SafetensorError as error:
            raise OSError(f"{path}: cannot be written: {error}") from error
    return States(values, starts)


@torch.no_grad()
def _compute(
    model: RewardModel,
    comparisons: Sequence[Comparison],
    starts: dict[str, int],
    count: int,
    *,
    token_budget: int,
    sharing: Sharing,
) -> Float[Tensor, "completions hidden"]:
    values = torch.zeros(count, model.head.in_features)  # of which each process fills in its share
    for piece in sharing.pieces_of(microbatches(comparisons, token_budget=token_budget)):
        found = states_of(model, piece).float().cpu()
        for comparison in piece if weight_of(piece) else ():
            own, found = found[: len(comparison.completion_ids)], found[len(comparison.completion_ids) :]
            values[starts[comparison.id] :][: len(own)] = own
    return sharing.add_up(values)


def _read(path: Path, key: str, count: int) -> Float[Tensor, "completions hidden"] | None:
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            values: Tensor = file.get_tensor("states")
    except (OSError, SafetensorError):
        return None  # not there, or cut short by a kill: computed again
    return values if len(values) == count else None
