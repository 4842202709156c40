"""Waiting for work of other processes (runs, exports, jobs), whose rows say how far it is."""

import time
from collections.abc import Callable

Show = Callable[[float, str], None]

_POLL_SECONDS = 0.5


class StepFailed(RuntimeError):
    """A step that failed; the message says what, why, and what to do."""


def follow(progress: Callable[[], tuple[float, str]], *, show: Show, patience: float, where: str) -> None:
    """Wait until `progress` returns 1.0, showing it. Raises StepFailed where it has not changed for `patience` seconds.

    `where` is what the error tells to look at.
    """
    last, since = progress(), time.monotonic()
    while last[0] < 1.0:
        show(*last)
        time.sleep(_POLL_SECONDS)
        found = progress()
        if found != last:
            last, since = found, time.monotonic()
        elif time.monotonic() - since > patience:
            raise StepFailed(f"Nothing has moved for {patience:.0f} s ({last[1] or 'at the start'}); see {where}.")
    show(*last)
