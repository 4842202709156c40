"""Tensors of which every process has a part, written and read by all of them together: torch.distributed.checkpoint.

In safetensors, each process its own file, so that nothing is unpickled when a state is read; each file says which part
of each tensor it holds, so any number of processes can read what any other number wrote.
"""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor


def are_parts(tensors: Iterable[Tensor]) -> bool:
    """Whether any of these is shared out among processes."""
    return any(isinstance(tensor, DTensor) for tensor in tensors)


def write_parts(directory: Path, tensors: Mapping[str, Tensor]) -> None:
    """Every process's parts into `directory`, which is there. All must call it; OSError in all where one cannot."""
    try:
        save(dict(tensors), storage_writer=HuggingFaceStorageWriter(str(directory), save_distributed=True))
    except CheckpointException as error:
        reasons = "; ".join(f"process {rank}: {failure[0]}" for rank, failure in sorted(error.failures.items()))
        raise OSError(f"{directory}: cannot be written: {reasons}") from error


def shapes_of(directory: Path) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """The whole shape and the type of every tensor in the directory's safetensors files."""
    found = HuggingFaceStorageReader(str(directory)).read_metadata().state_dict_metadata
    return {name: (entry.size, entry.properties.dtype) for name, entry in found.items()}  # type: ignore[union-attr]


def read_parts(directory: Path, tensors: dict[str, Tensor]) -> None:
    """Fill `tensors`, each with this process's part of it or whole. Of several processes all must call it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process alone is meant
        try:
            load(tensors, storage_reader=HuggingFaceStorageReader(str(directory)))
        except CheckpointException as error:
            raise OSError(f"{directory}: cannot be read: {error}") from error
