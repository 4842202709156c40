"""Our commands as a person starts them: alone, or as several processes by torchrun."""

import os
import subprocess
import sys

SECONDS = 280


def start(module: str, options: list[object], *, processes: int = 1) -> "subprocess.CompletedProcess[str]":
    """`python -m module`, or torchrun's `processes` of it on this machine; returns when all have ended."""
    return subprocess.run(
        [sys.executable, *_launch(processes), "-m", module, *map(str, options)],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def start_well(module: str, options: list[object], *, processes: int) -> None:
    """The same of processes that must end well; what they said where they do not."""
    ended = subprocess.run(
        [sys.executable, *_launch(processes), "-m", module, *map(str, options)],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]


def _launch(processes: int) -> list[str]:
    return ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
