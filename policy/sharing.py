"""Several processes on one PPO run, as torchrun starts them; alone, nothing happens.

Every process has both networks. Each samples, measures and trains on its share of an update; what was
sampled and measured is gathered and gradients are added up, so that a step is that of one process to rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
import torch.distributed
from torch import nn

from language.commandline import resolve_device
from rewardmodel.processes import Processes

Member = TypeVar("Member")


@dataclass(frozen=True)
class Sharing:
    """Which share of everything is this process's."""

    processes: Processes | None = None

    @property
    def count(self) -> int:
        """How many processes there are."""
        return self.processes.count if self.processes else 1

    @property
    def rank(self) -> int:
        """Which of them this is, from 0."""
        return self.processes.rank if self.processes else 0

    @property
    def is_main(self) -> bool:
        """Whether this one writes logs, states and the published policy."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """The device of that name; one GPU a process where there are several of both."""
        return self.processes.device(name) if self.processes else resolve_device(name)

    def of(self, members: Sequence[Member]) -> list[Member]:
        """This process's members: every count-th one."""
        return list(members[self.rank :: self.count])

    def gather(self, value: Member) -> list[Member]:
        """Every process's value, in the order of their ranks, on every one."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(found, value)
        return cast(list[Member], found)

    def interleave(self, members: Sequence[Member]) -> list[Member]:
        """What `of` parted, whole again: all processes' members in their first order."""
        parts = self.gather(list(members))
        longest = max(map(len, parts))
        return [part[index] for index in range(longest) for part in parts if index < len(part)]

    def add_gradients(self, model: nn.Module) -> None:
        """Give every process the sum of all gradients."""
        if self.processes:
            self.processes.add_gradients(model)


ALONE = Sharing()
