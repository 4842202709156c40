"""One attempt of a job at a time, the newest: a lock that the trainer holds, and that says who it is.

The lock is on the open file, which the trainer inherits: while it lives no other attempt begins, and
when it is gone, however it went, the next one can. Attempts only grow, so an older one never ends a
newer one's trainer.
"""

import fcntl
import json
import logging
import os
import platform
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

logger = logging.getLogger(__name__)

WAIT_SECONDS = 40.0
POLL_SECONDS = 0.5


class Overtaken(Exception):
    """A request that came late: its attempt, or a newer one, began before. Nobody waits for its result."""


class JobLock:
    """The held lock of one attempt. Its file names the attempt, the trainer's process group and the machine."""

    def __init__(self, file: IO[str], attempt: int) -> None:
        self._file, self._attempt = file, attempt
        self._write(group=None)

    def fileno(self) -> int:
        """The descriptor that the trainer inherits."""
        return self._file.fileno()

    def hand_over(self, group: int) -> None:
        """From now on the trainer alone holds the lock: a worker that hangs cannot keep the next attempt out."""
        self._write(group=group)
        self._file.close()

    def _write(self, *, group: int | None) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps({"attempt": self._attempt, "group": group, "machine": platform.node()}))
        self._file.flush()


@contextmanager
def exclusive(path: Path, attempt: int) -> Iterator[JobLock]:
    """Hold the job's lock for `attempt`, ending what an earlier attempt left running on this machine.

    Raises Overtaken where this attempt or a newer one has begun, OSError where an earlier one cannot be ended.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    with path.open("a+", encoding="utf-8") as file:
        while not _acquired(file):
            holder = _read(file)
            _require_newest(holder, attempt)
            if time.monotonic() > deadline:
                raise OSError(f"{path}: attempt {holder.get('attempt')} still runs on {holder.get('machine')}")
            _end(holder)
            time.sleep(POLL_SECONDS)
        _require_newest(_read(file), attempt)
        yield JobLock(file, attempt)


def _acquired(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> dict[str, Any]:
    file.seek(0)
    try:
        values = json.loads(file.read())
    except ValueError:
        return {}  # just made, or being written
    return values if isinstance(values, dict) else {}


def _require_newest(holder: dict[str, Any], attempt: int) -> None:
    begun = holder.get("attempt", 0)
    if begun >= attempt:
        raise Overtaken(f"attempt {attempt} comes late: attempt {begun} has begun")


def _end(holder: dict[str, Any]) -> None:
    # The group still holds the lock, so its number cannot have passed to others; on another machine it could.
    if holder.get("group") and holder.get("machine") == platform.node():
        logger.warning("ending process group %s of attempt %s", holder["group"], holder["attempt"])
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(holder["group"], signal.SIGKILL)
