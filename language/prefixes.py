"""Keys and values of what was computed before, so that the next turn of a dialogue computes only what is new.

Bounded memory for all policies of a worker together; what was used least recently leaves. A policy never
sees the entries of another: its keys and values would mean nothing there.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from transformers import DynamicCache

# Fewer tokens in common are not worth the copying: a header and a greeting.
_FEWEST = 16

Layers = list[tuple[Tensor, Tensor]]  # keys and values of each layer, (heads, tokens, width)


@dataclass(eq=False)
class _Entry:
    policy: Hashable
    tokens: tuple[int, ...]
    layers: Layers
    num_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.num_bytes = sum(keys.nbytes + values.nbytes for keys, values in self.layers)


class PrefixCache:
    """All prefixes of one worker. Safe for many threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[_Entry, None] = OrderedDict()
        self._lock = threading.Lock()
        self.num_bytes = 0

    def of(self, policy: Hashable) -> "Prefixes":
        """The prefixes of one policy, which its hash names."""
        return Prefixes(self, policy)

    def clear(self) -> int:
        """Give all memory back; returns how many bytes there were."""
        with self._lock:
            self._entries.clear()
            given_back, self.num_bytes = self.num_bytes, 0
            return given_back

    def forget(self, policy: Hashable) -> None:
        """Give back what is held for a policy that leaves."""
        with self._lock:
            for entry in [entry for entry in self._entries if entry.policy == policy]:
                self._remove(entry)

    def find(self, policy: Hashable, tokens: Sequence[int]) -> tuple[int, Layers]:
        """How many of the first tokens are known, and their keys and values (the entry's, which may be longer)."""
        wanted, best, longest = tuple(tokens), None, 0
        with self._lock:
            for entry in self._entries:
                if entry.policy == policy and (common := _num_common(entry.tokens, wanted)) > longest:
                    best, longest = entry, common
            if best is None or longest < _FEWEST:
                return 0, []
            self._entries.move_to_end(best)
            return longest, best.layers

    def keep(self, policy: Hashable, tokens: Sequence[int], layers: Layers) -> None:
        """Keep copies of the keys and values of `tokens`, if they fit; what they continue is dropped."""
        if sum(keys.nbytes + values.nbytes for keys, values in layers) > self._max_bytes or len(tokens) < _FEWEST:
            return
        with self._lock:
            for other in [entry for entry in self._entries if entry.policy == policy]:
                common = _num_common(other.tokens, tuple(tokens))
                if common == len(tokens):
                    self._entries.move_to_end(other)
                    return
                if common == len(other.tokens):
                    self._remove(other)
            entry = _Entry(policy, tuple(tokens), [(keys.clone(), values.clone()) for keys, values in layers])
            self._entries[entry] = None
            self.num_bytes += entry.num_bytes
            while self.num_bytes > self._max_bytes:
                self._remove(next(iter(self._entries)))

    def _remove(self, entry: _Entry) -> None:
        del self._entries[entry]
        self.num_bytes -= entry.num_bytes


@dataclass(frozen=True)
class Prefixes:
    """The prefixes of one policy."""

    cache: PrefixCache
    policy: Hashable

    def start(self, prompt_ids: Sequence[int]) -> tuple[int, DynamicCache]:
        """A cache that holds as many of the prompt's first tokens as are known, and how many these are.

        The last token is never among them: its logits are wanted, so it must be computed.
        """
        length, layers = self.cache.find(self.policy, prompt_ids[:-1])
        started = DynamicCache()
        for index, (keys, values) in enumerate(layers):
            started.update(keys[None, :, :length], values[None, :, :length], index)
        return length, started

    def keep(self, tokens: Sequence[int], cache: Any, *, row: int) -> None:
        """Keep what one row of a cache holds of `tokens`."""
        num = len(tokens)
        layers = [(layer.keys[row, :, :num], layer.values[row, :, :num]) for layer in cache.layers]
        self.cache.keep(self.policy, tokens, layers)


def _num_common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many first tokens two sequences share; slices are compared, which takes far fewer steps than tokens."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
