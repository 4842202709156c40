"""A network cut among processes: each holds an equal part of every weight, its gradient and the optimizer's moments.

PyTorch's FSDP2. Every layer is a unit of its own: its weights are gathered for its forward and for its backward pass
and given up after each, so a process holds its share of the whole and one layer. What remains (embeddings, tied or
not, the last norm) is the outermost unit. Gradients are summed and not averaged: losses are already divided by totals
over all processes.
"""

from collections.abc import Callable
from types import MethodType
from typing import Any, TypeVar, cast

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

Found = TypeVar("Found")


def is_sharded(network: nn.Module) -> bool:
    """Whether the network's weights are shared out among processes."""
    return isinstance(network, FSDPModule)


def shard(network: nn.Module, mesh: DeviceMesh) -> None:
    """Cut `network` in place, each of its layers for itself, and move its part to the mesh's devices.

    Afterwards it is to be called whole (`network(…)`), or by `within`. Parameters are DTensors then.
    """
    for layer in layers_of(network):
        _shard_one(layer, mesh)
    _shard_one(network, mesh)
    network.__dict__["compute_within"] = MethodType(_compute, network)
    register_fsdp_forward_method(network, "compute_within")


def within(network: nn.Module, function: Callable[[], Found]) -> Found:
    """What `function` says; where it calls parts of a sharded network, their weights are there while it runs.

    For parts that are called without the whole, such as a trunk without its unembedding.
    """
    return cast(Any, network).compute_within(function) if is_sharded(network) else function()


def layers_of(network: nn.Module) -> list[nn.Module]:
    """The members of the network's longest stack of layers; none where there is no stack."""
    stacks = [list(module) for module in network.modules() if isinstance(module, nn.ModuleList)]
    return max(stacks, key=len, default=[])


def _shard_one(module: nn.Module, mesh: DeviceMesh) -> None:
    # Weights are given up after every forward pass, the outermost unit's too: left whole by a pass without gradients,
    # they would be those of before the optimizer's step.
    fully_shard(module, mesh=mesh, reshard_after_forward=True)
    unit = cast(FSDPModule, module)
    unit.set_gradient_divide_factor(1.0)
    unit.set_force_sum_reduction_for_comms(True)  # a factor by itself is a kind of sum that gloo does not have
    unit.set_reduce_scatter_unused_params(True, recurse=False)  # of experts, processes may have used different ones


def _compute(network: nn.Module, function: Callable[[], torch.Tensor]) -> torch.Tensor:
    del network
    return function()
