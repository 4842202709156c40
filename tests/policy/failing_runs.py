"""Fine-tuning in which something is planted to go wrong: `python -m tests.policy.failing_runs FAULT OPTION…`.

Something happens to one process in its second step, or while the state of that step is written.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

import language.training_state
import policy.sft
from language.commandline import run
from policy.sft_config import SftConfig

RANK = os.environ.get("RANK", "0")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def run_out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")


def planted(function: Callable[..., Any], fault: Callable[[], None], *, call: int, rank: str) -> Callable[..., Any]:
    """`function`, but with a fault before the call of that number in the process of that rank."""
    count = 0

    def faulty(*arguments: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count == call and rank == RANK:
            fault()
        return function(*arguments, **named)

    return faulty


def replace(module: ModuleType, name: str, fault: Callable[[], None], *, rank: str) -> None:
    """Have the second call of a function of the module fail in the process of that rank."""
    setattr(module, name, planted(getattr(module, name), fault, call=2, rank=rank))


def plant(fault: str) -> None:
    states = language.training_state
    if fault == "killed in a step":
        replace(policy.sft, "clip_gradients", kill, rank="1")
    elif fault == "killed while writing its parts":
        replace(states, "write_parts", kill, rank="1")
    elif fault == "killed before the rename":
        replace(states, "publish_directory", kill, rank="0")
    elif fault == "out of memory":
        replace(policy.sft, "target_nlls", run_out_of_memory, rank="1")
    else:
        raise ValueError(fault)


if __name__ == "__main__":
    plant(sys.argv.pop(1))
    run(policy.sft.main, SftConfig, shares_work=True)
