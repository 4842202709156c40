"""Networks that are shared out, put together again: to be sampled from, or to be published.

Of every network that is cut an empty likeness is kept: the same modules with parameters that hold no memory. A whole
network is the likeness filled, one parameter at a time, so that no process ever holds two.
"""

import copy
from collections.abc import Mapping
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

Network = TypeVar("Network", bound=nn.Module)

_likenesses: "WeakKeyDictionary[nn.Module, nn.Module]" = WeakKeyDictionary()


def remember(network: nn.Module) -> None:
    """Keep an empty likeness of a network that is about to be cut."""
    empty = {id(own): nn.Parameter(own.detach().to("meta"), requires_grad=False) for own in network.parameters()}
    _likenesses[network] = copy.deepcopy(network, empty)


def whole_copy(network: Network, *, dtype: torch.dtype | None = None) -> Network:
    """The network whole and frozen in every process, on its device; in `dtype`, or in its own. All must call it."""
    found = _filled(network, dtype=dtype, keep=True, device=None)
    assert found is not None
    return found


def whole_on_main(network: Network, *, is_main: bool) -> Network | None:
    """The network whole in the main process's memory, None in the others. All must call it."""
    return _filled(network, dtype=None, keep=is_main, device=torch.device("cpu"))


def full(tensor: Tensor) -> Tensor:
    """A tensor with all its parts. Of one that is shared out, all processes must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@torch.no_grad()
def _filled(network: Network, *, dtype: torch.dtype | None, keep: bool, device: torch.device | None) -> Network | None:
    likeness = _likenesses[network]
    trained = {name: own.requires_grad for name, own in network.named_parameters()}
    filled: dict[int, nn.Parameter] = {}
    slots = dict(likeness.named_parameters())
    for name, own in network.named_parameters():
        value = full(own.detach())
        if keep:
            value = value.to(device=device or value.device, dtype=dtype or value.dtype)
            filled[id(slots[name])] = nn.Parameter(value, requires_grad=False)
        del value
    if not keep:
        return None
    found = cast(Network, copy.deepcopy(likeness, cast(dict[int, object], filled)))
    found.to(device or next(network.parameters()).device)  # buffers, which lie where the likeness was made
    _copy_buffers(dict(network.named_buffers()), dict(found.named_buffers()))
    found.eval()
    for name, own in found.named_parameters():
        own.requires_grad_(trained[name])
    return found


def _copy_buffers(live: Mapping[str, Tensor], copied: Mapping[str, Tensor]) -> None:
    for name, buffer in copied.items():
        buffer.copy_(live[name])
