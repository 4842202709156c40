"""How one process works with the others of its run: alone, with whole networks in each, or with networks shared out.

A loop asks for its pieces, adds up gradients and numbers, and steps; that is the step of one process to rounding,
whatever the number of processes and the way. torchrun (or whatever sets RANK and WORLD_SIZE) starts them.
"""

import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeVar, cast

import torch
import torch.distributed
from accelerate import PartialState
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh

from language.commandline import num_started, resolve_device
from language.options import OptionError
from language.parallel.idle import filled_up
from language.parallel.layers import is_sharded, shard
from language.parallel.whole import remember, whole_on_main
from language.progress import ENVIRONMENT_VARIABLE

ShardingKind = Literal["auto", "none", "replicate", "full"]
Member = TypeVar("Member")
Network = TypeVar("Network", bound=nn.Module)

# The first process publishes and writes states while the others wait in a sum. NCCL's own limit is ten minutes; a
# process that dies needs none, since its launcher ends the others.
WAIT = timedelta(hours=12)

# Gradients are added up so many bytes at a time: large enough that the network and not the number of calls is what
# takes the time, small enough that two copies of a bucket are nothing beside the gradients.
BUCKET_BYTES = 25 * 2**20


class Sharing:
    """One process of a run, and which share of everything is its own; by itself, the whole of it."""

    is_sharded = False
    """Whether networks are shared out, so that all processes must forward them equally often."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def is_main(self) -> bool:
        """Whether this one writes logs, states and what is published."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """The device of that name."""
        return resolve_device(name)

    def loading_device(self, device: torch.device) -> torch.device:
        """Where a network is loaded that `place` is to lay on `device`."""
        return device

    def place(self, network: nn.Module) -> None:
        """Lay out a network that this process has loaded whole, before its optimizer is made."""

    def of(self, members: Sequence[Member]) -> list[Member]:
        """This process's members: every count-th one."""
        return list(members[self.rank :: self.count])

    def span(self, length: int) -> slice:
        """This process's members of so many as one run of neighbours."""
        first, last = (length * place // self.count for place in (self.rank, self.rank + 1))
        return slice(first, last)

    def pieces_of(self, pieces: Sequence[Sequence[Member]]) -> list[list[Member]]:
        """This process's pieces of all; where networks are shared out filled up by `Idle` ones, whose weight is 0."""
        if self.is_sharded and pieces:
            return filled_up(pieces, rank=self.rank, count=self.count)
        return [list(piece) for piece in self.of(pieces)]

    def budget(self, budget: int, num_tokens: int) -> int:
        """Tokens of a piece, so that a batch of so many tokens is cut into a piece a process or more."""
        return budget if self.count == 1 else max(1, min(budget, -(-num_tokens // self.count)))

    def gather(self, value: Member) -> list[Member]:
        """Every process's value, in the order of their ranks, on every one."""
        return [value]

    def from_main(self, value: Member) -> Member:
        """The main process's value, on every one. None before all have come here."""
        return self.gather(value)[0]

    def interleave(self, members: Sequence[Member]) -> list[Member]:
        """What `of` parted, whole again: all processes' members in their first order."""
        parts = self.gather(list(members))
        longest = max(map(len, parts))
        return [part[index] for index in range(longest) for part in parts if index < len(part)]

    def rejoin(self, members: Sequence[Member]) -> list[Member]:
        """What lies in one run of neighbours after another, whole again: all processes' members, by rank."""
        return [member for part in self.gather(list(members)) for member in part]

    def add_up(self, values: Tensor) -> Tensor:
        """The sum over processes, on every one, in main memory."""
        return values.cpu()

    def add_sums(self, sums: dict[str, float]) -> dict[str, float]:
        """Sums by name over all processes; a process without a piece has none of the names."""
        total: dict[str, float] = {}
        for part in self.gather(sums):
            for name, value in part.items():
                total[name] = total.get(name, 0.0) + value
        return total

    def add_gradients(self, *networks: nn.Module) -> None:
        """Give every process the sum of all gradients; one that had no piece adds nothing."""

    def whole_on_main(self, network: Network) -> Network | None:
        """The network as the main process may publish it; None in the others. All must call it."""
        return network if self.is_main else None

    def require_members(self, num_members: int, what: str) -> None:
        """Raise OptionError where there are more processes than members of what they share."""
        if num_members < self.count:
            raise OptionError(
                f"{self.count} processes cannot share {num_members} {what}: one would have nothing to do; "
                f"start at most {num_members} (--nproc-per-node), or give more"
            )


ALONE = Sharing()


class Replicated(Sharing):
    """Every process holds whole networks; gradients are added up once a step, some megabytes at a time."""

    def __init__(self) -> None:
        self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=WAIT)
        super().__init__(self._state.process_index, self._state.num_processes)
        if not self.is_main:
            os.environ.pop(ENVIRONMENT_VARIABLE, None)  # the main process tells how far the run is

    def device(self, name: str) -> torch.device:
        """The device of that name; one GPU a process where there are several of both."""
        return resolve_device(name) if name != "auto" else cast(torch.device, self._state.device)

    def gather(self, value: Member) -> list[Member]:
        """Every process's value, in the order of their ranks, on every one."""
        found: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(found, value)
        return cast(list[Member], found)

    def add_up(self, values: Tensor) -> Tensor:
        """The sum over processes, on every one, in main memory."""
        summed = values.to(self._state.device, copy=True)
        torch.distributed.all_reduce(summed)
        return summed.cpu()

    def add_gradients(self, *networks: nn.Module) -> None:
        """Give every process the sum of all gradients, bucket by bucket: the next is filled while one travels."""
        under_way: deque[tuple[Any, Tensor, list[Tensor]]] = deque()
        for bucket in _buckets([own for network in networks for own in _gradients(network)]):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            under_way.append((torch.distributed.all_reduce(flat, async_op=True), flat, bucket))
            if len(under_way) > 1:
                _take_back(*under_way.popleft())
        while under_way:
            _take_back(*under_way.popleft())


class Sharded(Replicated):
    """Every network is cut among the processes; gradients are added up by the backward pass itself."""

    is_sharded = True

    def loading_device(self, device: torch.device) -> torch.device:
        """Main memory: only a process's own part of a network goes to its GPU."""
        del device
        return torch.device("cpu")

    def place(self, network: nn.Module) -> None:
        """Cut the network among the processes, layer by layer; one that has been cut stays as it is."""
        if is_sharded(network):
            return
        remember(network)
        mesh = init_device_mesh(self._state.device.type, (self.count,))
        shard(network, mesh)

    def add_gradients(self, *networks: nn.Module) -> None:
        """Nothing: each piece's backward pass has added up the gradients already."""

    def whole_on_main(self, network: Network) -> Network | None:
        """The network put together in the main process's memory, parameter by parameter."""
        if not is_sharded(network):
            return super().whole_on_main(network)
        return whole_on_main(network, is_main=self.is_main)


def begin_sharing(kind: ShardingKind = "auto") -> Sharing:
    """Join the other processes of this run, if there are any, and share it with them in the way that is asked for.

    One process alone is alone whatever is asked for, so that a run of several can be gone on with by one. OptionError
    where several are to share nothing.
    """
    if num_started() == 1 and not torch.distributed.is_initialized():
        if kind == "full":
            print("--sharding full: one process alone holds everything; start several by torchrun", file=sys.stderr)
        return ALONE
    if kind == "none":
        raise OptionError(
            f"--sharding none: {num_started()} processes were started (WORLD_SIZE), and each would do all of the work "
            "and publish it; start one, or give --sharding replicate or full"
        )
    return Sharded() if kind == "full" else Replicated()


def _gradients(network: nn.Module) -> Iterator[Tensor]:
    """The gradients of what is trained; zeros, which are kept, where this process had no piece."""
    for parameter in network.parameters():
        if parameter.requires_grad:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            yield parameter.grad


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one type side by side, of BUCKET_BYTES or a little more together."""
    by_type: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for gradient in gradients:
        by_type.setdefault((gradient.dtype, gradient.device), []).append(gradient)
    for own in by_type.values():
        bucket: list[Tensor] = []
        size = 0
        for gradient in own:
            bucket.append(gradient)
            size += gradient.numel() * gradient.element_size()
            if size >= BUCKET_BYTES:
                yield bucket
                bucket, size = [], 0
        if bucket:
            yield bucket


def _take_back(work: Any, flat: Tensor, bucket: list[Tensor]) -> None:
    work.wait()
    for gradient, summed in zip(bucket, torch.split(flat, [gradient.numel() for gradient in bucket]), strict=True):
        gradient.copy_(summed.view_as(gradient))
