"""Sequences of unequal length as rectangular batches: padding with masks, positions, buckets, order."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Padded sequences. `attention_mask` is True on real tokens; padding is never told by its id."""

    input_ids: Int[Tensor, "batch length"]
    attention_mask: Bool[Tensor, "batch length"]

    @property
    def position_ids(self) -> Int[Tensor, "batch length"]:
        """Positions that count real tokens only."""
        return position_ids(self.attention_mask)

    def to(self, device: str | torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(self.input_ids.to(device), self.attention_mask.to(device))


def pad_left(sequences: Sequence[Sequence[int]], *, pad_token_id: int, device: str | torch.device = "cpu") -> Batch:
    """Padding first, so that every sequence ends in the last column: for prompts to be continued."""
    length = max(map(len, sequences))
    return _pad(sequences, [length - len(ids) for ids in sequences], length, pad_token_id, device)


def pad_right(sequences: Sequence[Sequence[int]], *, pad_token_id: int, device: str | torch.device = "cpu") -> Batch:
    """Padding last: for whole sequences to be trained on or scored."""
    return _pad(sequences, [0] * len(sequences), max(map(len, sequences)), pad_token_id, device)


def pad_prompts_and_responses(
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    *,
    pad_token_id: int,
    device: str | torch.device = "cpu",
) -> Batch:
    """Prompts padded left and responses padded right, side by side.

    Every response begins in the same column, so the last max(len(response)) columns are the responses.
    """
    left = pad_left(prompts, pad_token_id=pad_token_id, device=device)
    right = pad_right(responses, pad_token_id=pad_token_id, device=device)
    return Batch(
        torch.cat([left.input_ids, right.input_ids], dim=1),
        torch.cat([left.attention_mask, right.attention_mask], dim=1),
    )


def position_ids(attention_mask: Bool[Tensor, "batch length"]) -> Int[Tensor, "batch length"]:
    """Positions from the mask's running sum, 0 for the first real token (method reference §4.4 row 3).

    Positions of left padding are 0 too; nothing attends to them.
    """
    return (attention_mask.long().cumsum(dim=-1) - 1).clamp(min=0)


def length_buckets(lengths: Sequence[int], *, token_budget: int, max_sequences: int | None = None) -> list[list[int]]:
    """Indices grouped by like length, each group's padded area (count x longest) within `token_budget`.

    Every index is in exactly one group; one sequence longer than the budget is a group of its own.
    """
    buckets: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        # Ascending, so the newcomer is the longest of its group.
        grown = (len(buckets[-1]) + 1) if buckets else 1
        fits = bool(buckets) and grown * lengths[index] <= token_budget
        if fits and (max_sequences is None or grown <= max_sequences):
            buckets[-1].append(index)
        else:
            buckets.append([index])
    return buckets


def seeded_order(count: int, *, seed: int, epoch: int) -> list[int]:
    """A permutation of range(count): a pure function of (seed, epoch), so a resumed run continues it."""
    order = list(range(count))
    random.Random(f"order/{seed}/{epoch}").shuffle(order)
    return order


def _pad(
    sequences: Sequence[Sequence[int]],
    starts: Sequence[int],
    length: int,
    pad_token_id: int,
    device: str | torch.device,
) -> Batch:
    input_ids = torch.full((len(sequences), length), pad_token_id, dtype=torch.long)
    attention_mask = torch.zeros((len(sequences), length), dtype=torch.bool)
    for row, (ids, start) in enumerate(zip(sequences, starts, strict=True)):
        input_ids[row, start : start + len(ids)] = torch.tensor(ids, dtype=torch.long)
        attention_mask[row, start : start + len(ids)] = True
    return Batch(input_ids.to(device), attention_mask.to(device))
