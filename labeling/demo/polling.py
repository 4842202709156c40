"""Waiting for work that others do: runs, exports and jobs whose rows say how far they are."""

import time
from collections.abc import Callable

Show = Callable[[float, str], None]

_LOOK_SECONDS = 0.5


class StepFailed(RuntimeError):
    """A step that did not do its work: what, why, what to do. One sentence or two."""


def follow(progress: Callable[[], tuple[float, str]], *, show: Show, patience: float, where: str) -> None:
    """Wait until `progress` says 1.0, showing it. Raises StepFailed once it has said the same for `patience` seconds.

    `where` names what to look at then.
    """
    last, since = progress(), time.monotonic()
    while last[0] < 1.0:
        show(*last)
        time.sleep(_LOOK_SECONDS)
        found = progress()
        if found != last:
            last, since = found, time.monotonic()
        elif time.monotonic() - since > patience:
            raise StepFailed(f"Nothing has moved for {patience:.0f} s ({last[1] or 'at the start'}); see {where}.")
    show(*last)
