"""Our commands as a person starts them: alone, or as several processes by torchrun."""

import os
import subprocess
import sys

SECONDS = 280


def start(module: str, options: list[object], *, processes: int = 1) -> "subprocess.CompletedProcess[str]":
    """`python -m module`, or torchrun's `processes` of it on this machine; returns when all have ended."""
    launch = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    return subprocess.run(
        [sys.executable, *launch, "-m", module, *map(str, options)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
