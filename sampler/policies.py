"""The policies that a worker holds: loaded by store path and manifest hash, verified, a few at a time.

Least recently used leaves when memory is short. A policy that leaves finishes what it is sampling
first; a new version of a policy is another hash, so it is loaded beside the old one and no request
is dropped.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch
from safetensors import safe_open
from transformers import PreTrainedTokenizerBase

from language.chat import end_token_id
from language.checkpoints import CheckpointError, load_causal_lm, load_tokenizer, require_safe
from language.cpu_linears import pack_linears
from language.engine import Engine
from language.prefixes import PrefixCache
from language.stop_ids import stop_ids_of
from records.manifest import MANIFEST, sha256_of


class PolicyError(ValueError):
    """A policy that this worker cannot serve: which, why, what to do."""


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy ready to sample from."""

    engine: Engine
    tokenizer: PreTrainedTokenizerBase
    end_token_id: int
    stop_ids: frozenset[int]
    """Every token that ends a completion, `end_token_id` among them."""
    num_bytes: int


class Policies:
    """The resident policies of one worker. Safe to ask from many threads."""

    def __init__(
        self,
        store: Path,
        *,
        device: str,
        dtype: torch.dtype,
        memory_bytes: int,
        most_rows: int,
        prefix_bytes: int = 0,
    ) -> None:
        self._store, self._device, self._dtype = store, device, dtype
        self._memory_bytes, self._most_rows = memory_bytes, most_rows
        self._prefixes = PrefixCache(prefix_bytes)
        self._resident: OrderedDict[tuple[str, str | None], LoadedPolicy] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def get(self, path: str, sha256: str | None) -> LoadedPolicy:
        """The policy at `path` in the store, loaded where it is not resident. Raises PolicyError."""
        key = (path, sha256 or self._hash_on_disk(path))
        # One load at a time: two at once would need the memory of both before either could count it.
        found = self._touch(key)
        if found is None:
            with self._loading:
                found = self._touch(key) or self._load(key)
        return found

    def resident(self) -> list[str]:
        """Paths of the policies at hand, least recently used first."""
        with self._lock:
            return [path for path, _ in self._resident]

    def _touch(self, key: tuple[str, str | None]) -> LoadedPolicy | None:
        with self._lock:
            if key in self._resident:
                self._resident.move_to_end(key)
            return self._resident.get(key)

    def _load(self, key: tuple[str, str | None]) -> LoadedPolicy:
        path, sha256 = key
        directory = self._directory(path)
        try:
            require_safe(directory, expected_sha256=sha256)
            num_bytes = weight_bytes(directory, self._dtype)
            self._make_room(path, num_bytes)
            tokenizer = load_tokenizer(directory)
            model = load_causal_lm(directory, dtype=self._dtype, device=self._device)
            pack_linears(model)
            loaded = LoadedPolicy(
                engine=Engine(model, most_rows=self._most_rows, prefixes=self._prefixes.of(key)),
                tokenizer=tokenizer,
                end_token_id=end_token_id(tokenizer),
                stop_ids=stop_ids_of(model) | {end_token_id(tokenizer)},
                num_bytes=num_bytes,
            )
        except (CheckpointError, ValueError, OSError) as error:
            raise PolicyError(f"policy {path} cannot be served: {error}") from error
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise PolicyError(
                f"policy {path} does not fit beside what else this machine's {self._device} holds ({error}); "
                "lower PARLEY_SAMPLER_MEMORY_GB, so that others leave sooner, or serve it on a larger machine"
            ) from error
        with self._lock:
            self._resident[key] = loaded
        return loaded

    def _make_room(self, path: str, num_bytes: int) -> None:
        if num_bytes > self._memory_bytes:
            raise PolicyError(
                f"policy {path} needs {_gigabytes(num_bytes)} and this worker may use "
                f"{_gigabytes(self._memory_bytes)}; raise PARLEY_SAMPLER_MEMORY_GB or serve it on a larger machine"
            )
        with self._lock:
            while sum(policy.num_bytes for policy in self._resident.values()) + num_bytes > self._memory_bytes:
                gone, leaving = self._resident.popitem(last=False)
                leaving.engine.close()
                self._prefixes.forget(gone)

    def _directory(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        if not parts or PurePosixPath(path).is_absolute() or ".." in parts:
            raise PolicyError(f"policy path {path!r} does not lie in the model store")
        directory = self._store / path
        if not directory.is_dir():
            raise PolicyError(
                f"policy {path} is not in this worker's model store ({self._store}); publish it there, or start "
                "the worker with the right PARLEY_STORE"
            )
        return directory

    def _hash_on_disk(self, path: str) -> str | None:
        manifest = self._directory(path) / MANIFEST
        return sha256_of(manifest) if manifest.is_file() else None


def weight_bytes(directory: Path, dtype: torch.dtype) -> int:
    """How much memory the weights of a checkpoint take in `dtype`, from the files' headers alone."""
    count = 0
    for path in directory.glob("model*.safetensors"):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                count += torch.Size(file.get_slice(name).get_shape()).numel()
    return count * dtype.itemsize


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:.2f} GB"
