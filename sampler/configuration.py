"""What a sample worker is told by its environment, and what it makes of an untold machine."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from language.generation import default_dtype, rows_at_once
from language.options import OptionError
from records.store import model_store

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class ConfigurationError(ValueError):
    """An environment variable that makes no sense: which, what was found, what is wanted."""


@dataclass(frozen=True)
class Configuration:
    """The settings of one sample worker."""

    store: Path
    """Directory of the model store (PARLEY_STORE)."""

    device: str
    """Where policies live: cpu, cuda, cuda:1 … (PARLEY_SAMPLER_DEVICE; a GPU where there is one)."""

    dtype: torch.dtype
    """Number format of weights (PARLEY_SAMPLER_DTYPE: float32, bfloat16, float16; the fastest that is exact enough)."""

    memory_bytes: int
    """How much the weights of all resident policies may take (PARLEY_SAMPLER_MEMORY_GB; half of the device)."""

    most_rows: int
    """Completions sampled at once, per policy (PARLEY_SAMPLER_ROWS)."""

    prefix_bytes: int
    """How much of dialogues is kept for their next turns, all policies together (PARLEY_SAMPLER_PREFIX_GB; 0: none)."""

    backend_hosts: tuple[str, ...]
    """Model servers that a policy may name, as host or host:port (PARLEY_BACKEND_HOSTS, by commas; none)."""

    backend_requests: int
    """Completions asked of one model server at once (PARLEY_BACKEND_REQUESTS)."""

    backend_seconds: float
    """How long a model server may be silent (PARLEY_BACKEND_TIMEOUT_SECONDS)."""


@cache
def configuration() -> Configuration:
    """The worker's settings, read once. Raises ConfigurationError."""
    device = os.environ.get("PARLEY_SAMPLER_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    return Configuration(
        store=model_store(),
        device=device,
        dtype=_dtype(os.environ.get("PARLEY_SAMPLER_DTYPE"), device),
        memory_bytes=_memory(os.environ.get("PARLEY_SAMPLER_MEMORY_GB"), device),
        most_rows=_rows(device),
        prefix_bytes=_prefix_bytes(os.environ.get("PARLEY_SAMPLER_PREFIX_GB", "")),
        backend_hosts=_hosts(os.environ.get("PARLEY_BACKEND_HOSTS", "")),
        backend_requests=max(1, int(_number("PARLEY_BACKEND_REQUESTS", 16))),
        backend_seconds=_number("PARLEY_BACKEND_TIMEOUT_SECONDS", 120),
    )


def _dtype(name: str | None, device: str) -> torch.dtype:
    if not name:
        return default_dtype(device)
    if name not in _DTYPES:
        raise ConfigurationError(f"PARLEY_SAMPLER_DTYPE is {name!r}; it must be one of {', '.join(_DTYPES)}")
    return _DTYPES[name]


def _memory(gigabytes: str | None, device: str) -> int:
    if gigabytes:
        return int(_positive("PARLEY_SAMPLER_MEMORY_GB", gigabytes) * 2**30)
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory // 2
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _rows(device: str) -> int:
    # On a CPU, 64 rows sample 7 % more than 32, and a person waits half as long again for a first token.
    try:
        return rows_at_once(32 if torch.device(device).type == "cpu" else 128)
    except OptionError as error:
        raise ConfigurationError(str(error)) from error


def _prefix_bytes(gigabytes: str) -> int:
    if gigabytes.strip() in ("0", "0.0"):
        return 0
    return int((_positive("PARLEY_SAMPLER_PREFIX_GB", gigabytes) if gigabytes else 0.5) * 2**30)


def _hosts(listed: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().lower() for host in listed.split(",") if host.strip())
    for host in hosts:
        if "/" in host or "@" in host:
            raise ConfigurationError(f"PARLEY_BACKEND_HOSTS names {host!r}; it must be host or host:port, nothing more")
    return hosts


def _number(name: str, default: float) -> float:
    text = os.environ.get(name)
    return _positive(name, text) if text else default


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise ConfigurationError(f"{name} is {text!r}; it must be a number above 0")
    return value
