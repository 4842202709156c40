"""Runs a trainer's module as `python -m` would, and ends it as soon as the worker that asked is gone.

A worker that is killed cannot end what it started; without this a trainer would go on beside the next
job, or after its job was cancelled. Its saved states stay, and the next attempt goes on from them.
"""

import os
import runpy
import signal
import sys
import threading
import time

LOOK_SECONDS = 1.0


def main() -> None:
    """Arguments: the worker's process id, the module, the module's own arguments."""
    worker, module, *arguments = sys.argv[1:]
    threading.Thread(target=_watch, args=(int(worker),), daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _watch(worker: int) -> None:
    # A process whose parent dies is given another at once, so a reused process id cannot deceive.
    while os.getppid() == worker:
        time.sleep(LOOK_SECONDS)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
