"""Whether this worker was asked to stop (SIGTERM), known to the process of its pool that follows a trainer.

Celery's warm stop waits for its tasks, and a training job may take days; so the task that follows one ends its trainer
and gives the job back. The flag lies in memory that the pool's processes inherit: no lock, since it is set in a signal
handler.
"""

import ctypes
from multiprocessing import RawValue

_asked = RawValue(ctypes.c_bool, False)


def ask(**_: object) -> None:
    """Celery's signal worker_shutting_down, in the worker's main process."""
    _asked.value = True


def is_asked() -> bool:
    return bool(_asked.value)
