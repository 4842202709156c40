"""The key-value cache of a running batch: a slot for each completion, filled to its own length.

Slots are preallocated and grow in steps, so that a new token costs a write and not a copy of all. A
slot's tokens begin at 0; what stands behind its length is masked. Only full causal attention is held.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache
from transformers.cache_utils import CacheLayerMixin

_STEP = 128
# Attention over a multiple of 16 keys sums in the same order however many there are; the rest is masked.
# So a row's bits do not depend on the longest row beside it.
_KEYS = 16


class Slots(Cache):
    """Keys and values of up to as many rows as were ever held at once; one new token a row and forward."""

    def __init__(self) -> None:
        self.layers: list[SlotLayer] = []  # type: ignore[assignment]
        super().__init__(layers=self.layers)  # type: ignore[arg-type]
        self.lengths: list[int] = []
        self.num_keys = 0
        self.rows: Tensor | None = None
        self.positions: Tensor | None = None

    def __len__(self) -> int:
        return len(self.layers)

    def add(self, prefilled: DynamicCache, *, index: int, length: int, copies: int) -> None:
        """Give `copies` new rows the first `length` tokens of row `index` of a prefilled cache."""
        first, last = len(self.lengths), len(self.lengths) + copies
        if not self.layers:
            self.layers += [SlotLayer(self) for _ in prefilled.layers]
        source: Any  # transformers declares its layers as anything that may be without keys
        for layer, source in zip(self.layers, prefilled.layers, strict=True):
            layer.reserve(last, length + 1, like=(source.keys, source.values))
            layer.keys[first:last, :, :length] = source.keys[index, :, :length]
            layer.values[first:last, :, :length] = source.values[index, :, :length]
        self.lengths += [length] * copies

    def drop(self, row: int) -> None:
        """Remove a row; the last row moves into its slot."""
        last = len(self.lengths) - 1
        if row != last:
            length = self.lengths[last]
            for layer in self.layers:
                layer.keys[row, :, :length] = layer.keys[last, :, :length]
                layer.values[row, :, :length] = layer.values[last, :, :length]
            self.lengths[row] = length
        self.lengths.pop()

    def shrink(self) -> None:
        """Hold no more slots than rows, one layer at a time: for when memory has run out."""
        for layer in self.layers:
            layer.keys = layer.keys[: len(self.lengths)].clone()
            layer.values = layer.values[: len(self.lengths)].clone()

    def begin_token(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Make room for one more token in every row; returns positions (rows, 1) and a mask (rows, 1, 1, keys).

        The mask is True where a token may attend. It is always given: with it, transformers runs grouped
        heads as they are, and on a CPU that is many times faster than without.
        """
        self.num_keys = -(-(max(self.lengths) + 1) // _KEYS) * _KEYS
        for layer in self.layers:
            layer.reserve(len(self.lengths), self.num_keys)
        self.rows = torch.arange(len(self.lengths), device=device)
        self.positions = torch.tensor(self.lengths, device=device)
        mask = torch.arange(self.num_keys, device=device) <= self.positions.unsqueeze(1)
        return self.positions.unsqueeze(1), mask[:, None, None, :]

    def end_token(self) -> None:
        """Count the token that the forward has written."""
        self.lengths = [length + 1 for length in self.lengths]


class SlotLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer's slots: keys and values of shape (rows, heads, capacity, width)."""

    keys: Tensor
    values: Tensor

    def __init__(self, slots: Slots) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.slots = slots
        self.keys = self.values = torch.empty(0)
        self.is_initialized = True

    def reserve(self, num_rows: int, length: int, *, like: tuple[Tensor, Tensor] | None = None) -> None:
        """Hold at least `num_rows` slots of `length` tokens, keeping what is there."""
        rows, capacity = (self.keys.shape[0], self.keys.shape[2]) if self.keys.ndim == 4 else (0, 0)
        if num_rows <= rows and length <= capacity:
            return
        rows = max(rows, num_rows)
        if length > capacity:
            capacity = -(-max(length, capacity * 5 // 4) // _STEP) * _STEP
        keys, values = like or (self.keys, self.values)
        self.keys = _grown(self.keys, keys, rows, capacity)
        self.values = _grown(self.values, values, rows, capacity)

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        """Write one token a row, each at its own place, and return all that the mask covers."""
        rows, positions = self.slots.rows, self.slots.positions
        self.keys[rows, :, positions] = key_states.squeeze(2)
        self.values[rows, :, positions] = value_states.squeeze(2)
        num_rows, num_keys = len(self.slots.lengths), self.slots.num_keys
        return self.keys[:num_rows, :, :num_keys], self.values[:num_rows, :, :num_keys]

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing: slots are filled by `Slots.add`."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of what a mask must cover."""
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        """The longest row."""
        return max(self.slots.lengths, default=0)

    def get_max_length(self) -> int:
        """No limit of its own."""
        return -1


def context_length(model: nn.Module) -> int:
    """How many tokens a model can hold in these slots.

    Raises ValueError for models whose attention is not full and causal throughout.
    """
    config = model.config.get_text_config()  # type: ignore[operator, union-attr]
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None)
    if kinds - {"full_attention", "sliding_attention"} or config.is_encoder_decoder:
        raise ValueError(
            f"models of type {config.model_type} have another memory than keys and values of full attention; "
            "serve this one by an OpenAI-compatible server"
        )
    longest = int(getattr(config, "max_position_embeddings", None) or 2**31)
    # Below its window, sliding attention is full attention.
    return min(longest, window) if isinstance(window, int) else longest


def _grown(old: Tensor, like: Tensor, rows: int, capacity: int) -> Tensor:
    # Zeros, not empty: a mask gives garbage the weight 0, but 0 times NaN is NaN.
    new = torch.zeros((rows, like.shape[1], capacity, like.shape[3]), dtype=like.dtype, device=like.device)
    if old.ndim == 4:
        new[: old.shape[0], :, : old.shape[2]] = old
    return new
