"""Several processes on one training run, as torchrun starts them; alone, nothing happens.

Each process has the whole model and a share of every batch's pieces. Gradients are added up, so that a
step is that of one process to rounding, whatever the number of processes.
"""

from collections.abc import Sequence
from datetime import timedelta

import torch
import torch.distributed
from accelerate import PartialState
from torch import Tensor, nn

from language.commandline import num_started, resolve_device
from rewardmodel.comparisons import Comparison, microbatches

# The first process looks at held-out data and writes states while the others wait in a sum. NCCL's own limit is ten
# minutes; a process that dies needs none, since its launcher ends the others.
WAIT = timedelta(hours=12)


class Processes:
    """Which of how many this one is, and how they add up."""

    def __init__(self) -> None:
        found = num_started() > 1 or torch.distributed.is_torchelastic_launched() or torch.distributed.is_initialized()
        self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=WAIT) if found else None
        self.count: int = self._state.num_processes if self._state else 1
        self.rank: int = self._state.process_index if self._state else 0

    @property
    def is_main(self) -> bool:
        """Whether this one writes logs, states and the published model."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """The device of that name; one GPU a process where there are several of both."""
        return resolve_device(name) if self._state is None or name != "auto" else self._state.device

    def share(self, batch: Sequence[Comparison], *, token_budget: int) -> list[list[Comparison]]:
        """This process's pieces of a batch; all processes' together are the batch."""
        total = sum(comparison.num_tokens for comparison in batch)
        pieces = microbatches(batch, token_budget=min(token_budget, -(-total // self.count)))
        return pieces[self.rank :: self.count]

    def add_up(self, values: Tensor) -> Tensor:
        """The sum over processes, on every one."""
        if self.count > 1:
            values = values.to(self._state.device if self._state else values.device)
            torch.distributed.all_reduce(values)
        return values.cpu()

    def add_gradients(self, model: nn.Module) -> None:
        """Give every process the sum of all gradients; one that had no piece adds nothing."""
        if self.count == 1:
            return
        for parameter in model.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                torch.distributed.all_reduce(parameter.grad)
