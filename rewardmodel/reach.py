"""How far a packed row computes what its sequences give alone, told from a network's configuration.

A probe of a few tokens cannot see what begins at hundreds or thousands: an attention window or chunk that is
shorter than a sequence, rotary positions that change with the longest sequence in the batch. These are named
in the configuration. Whatever else a network does is found by the probes of `rewardmodel.packing` and
`policy.packing`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# Kinds of layers whose attention over a sequence is known; in a row, others could see a neighbour.
_KNOWN_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}
_WINDOWS = ("sliding_window", "sliding_window_size", "window_size", "attention_window")


@dataclass(frozen=True)
class Reach:
    """The longest sequence that may lie in a packed row, and the longest row, in tokens; inf where nothing bites."""

    sequence: float = math.inf
    row: float = math.inf


def reach_of(network: nn.Module) -> Reach:
    """What the configuration of a network's language part allows; nested configurations are looked into."""
    config = _text_config(network)
    kinds = set(getattr(config, "layer_types", None) or ())
    if kinds - _KNOWN_LAYERS:
        return Reach(0, 0)
    # One token short of where a shorter row would start the positions over.
    limits: list[int | None] = [original - 1 for original, _ in _moving_positions(config)]
    if not kinds or "sliding_attention" in kinds:
        limits += [getattr(config, name, None) for name in _WINDOWS]
    if not kinds or "chunked_attention" in kinds:
        limits.append(getattr(config, "attention_chunk_size", None))
    is_tuned = getattr(config, "attn_temperature_tuning", False)  # Llama 4 scales queries by their place in the row
    row = float(config.floor_scale) - 1 if is_tuned else math.inf
    # Some families write a window of 0 or -1 for none.
    return Reach(min((float(limit) for limit in limits if isinstance(limit, int) and limit > 0), default=math.inf), row)


def alike(network: nn.Module, lengths: Sequence[int]) -> list[list[int]]:
    """Indices of sequences that may share a padded batch: all of them, but where positions move with the longest.

    longrope has one set of frequencies up to the original context and another beyond; dynamic scaling has one
    for every length beyond it.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    moving = list(_moving_positions(_text_config(network)))
    for index, length in enumerate(lengths):
        key = tuple((length if is_dynamic else 1) if length > original else 0 for original, is_dynamic in moving)
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def rejoin(found: Sequence[Tensor], groups: Sequence[Sequence[int]], sizes: Sequence[int]) -> Tensor:
    """What was computed group by group, `sizes[i]` entries for sequence i, in the order of the sequences."""
    parts = {
        index: part
        for values, group in zip(found, groups, strict=True)
        for index, part in zip(group, torch.split(values, [sizes[index] for index in group]), strict=True)
    }
    return torch.cat([parts[index] for index in range(len(sizes))])


def positions_move(network: nn.Module) -> bool:
    """Whether rotary positions change with the longest sequence of a batch."""
    return bool(list(_moving_positions(_text_config(network))))


def forget_lengths(network: nn.Module) -> None:
    """Have dynamic rotary positions follow the next batch alone, and not the longest that ever was."""
    if any(is_dynamic for _, is_dynamic in _moving_positions(_text_config(network))):
        for module in network.modules():
            if hasattr(module, "max_seq_len_cached"):
                module.max_seq_len_cached = 0  # type: ignore[assignment]


def _text_config(network: nn.Module) -> Any:
    """The language part's configuration; None of a network that has none."""
    config: Any = getattr(network, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _moving_positions(config: Any) -> Iterator[tuple[int, bool]]:
    """(the context beyond which rotary positions are others, whether they then differ with every length)."""
    named = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    each = [member for member in named.values() if isinstance(member, Mapping)] or [named]
    for parameters in each:
        kind = str(parameters.get("rope_type") or parameters.get("type") or "default")
        if kind == "longrope":
            original = parameters.get("original_max_position_embeddings")
            yield int(original or getattr(config, "original_max_position_embeddings", None) or 0), False
        elif "dynamic" in kind:
            yield int(config.max_position_embeddings), True
