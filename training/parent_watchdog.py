"""Runs a trainer's module as `python -m` would, and ends it as soon as whoever began it is gone.

A worker that is killed cannot end what it started; without this a trainer would go on beside the next
job, or after its job was cancelled. Its saved states stay, and the next attempt goes on from them. Of several
processes each is run so, since a launcher that is killed leaves its own behind.
"""

import os
import platform
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

from records.names import MAY_PASS, NEEDS_OTHER_SETTINGS

# Below the half second after which the next attempt asks for the job's lock again.
LOOK_SECONDS = 0.3

# In place of a process id: whoever began this process.
BEGINNER = "beginner"

# The machine, process and start of what follows the launcher for a worker. A process may be begun as the launcher dies,
# and would take whoever adopted it for its beginner.
LAUNCHED_BY = "PARLEY_LAUNCHED_BY"

# A file in which the first process to end by a status that means something says so.
STATUS_FILE = "PARLEY_STATUS_FILE"
_PROGRESS_FILE = "PARLEY_PROGRESS_FILE"


def main() -> None:
    """Arguments: the process id of the worker or BEGINNER, the module, the module's own arguments."""
    beginner, module, *arguments = sys.argv[1:]
    watched = os.getppid() if beginner == BEGINNER else int(beginner)
    threading.Thread(target=_end_without, args=(watched,), daemon=True).start()
    if (os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or "0") != "0":
        os.environ.pop(_PROGRESS_FILE, None)  # the first of several alone tells how far they are
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        _say_status(ended.code)
        raise


def watch(process: int) -> None:
    """Return when `process`, which began this one, is gone."""
    # A process whose parent dies is given another at once, so a reused process id cannot deceive.
    while os.getppid() == process and _is_followed():
        time.sleep(LOOK_SECONDS)


def names_of_this_process() -> str:
    """What LAUNCHED_BY holds of this process: machine, id and start, which no other process shares."""
    return f"{platform.node()} {os.getpid()} {_start_of(os.getpid())}"


def _is_followed() -> bool:
    """Whether the follower of the launcher lives; of one on another machine nothing is known."""
    machine, process, start = (os.environ.get(LAUNCHED_BY) or "  ").split(" ")
    return machine != platform.node() or _start_of(int(process)) == start


def _start_of(process: int) -> str | None:
    """When a process began, in ticks since the machine did; None where it is gone."""
    try:
        state, *_, start = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:20]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else start


def _end_without(beginner: int) -> None:
    watch(beginner)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _say_status(code: object) -> None:
    path = os.environ.get(STATUS_FILE)
    if path and code in (NEEDS_OTHER_SETTINGS, MAY_PASS) and not Path(path).exists():
        Path(path).write_text(str(code), encoding="utf-8")


if __name__ == "__main__":
    main()
