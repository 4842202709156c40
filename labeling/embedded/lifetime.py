"""How long the engines live: while any process uses them, and the last to leave stops them.

Each user holds a shared lock on var/engines.lock, which the kernel drops even after kill -9. Whoever
starts or stops servers holds var/engines.starting as well, alone, so that no two of them race.
"""

import atexit
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labeling.embedded import postgresql, valkey
from labeling.embedded.paths import Places

_held: dict[Path, int] = {}  # var folder -> descriptor of our shared lock
_for_children: list[dict[Path, int]] = []  # the same for the child of a fork under way


@contextmanager
def joining(places: Places) -> Iterator[None]:
    """Hold the lock of starting for the body, and our shared lock from now until this process leaves."""
    with _starting(places):
        places.make()
        if places.var not in _held:
            _held[places.var] = _share(places)
        yield


def leave(places: Places) -> bool:
    """Give up our shared lock; stop the servers if nobody else holds one. Returns whether they were stopped."""
    descriptor = _held.pop(places.var, None)
    if descriptor is None:
        return False
    with _starting(places):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            valkey.stop(places)
            postgresql.stop(places)
            shutil.rmtree(places.runtime, ignore_errors=True)
            return True
        finally:
            os.close(descriptor)


@contextmanager
def _starting(places: Places) -> Iterator[None]:
    places.make_var()
    with open(places.var / "engines.starting", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _share(places: Places) -> int:
    descriptor = os.open(places.var / "engines.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _share_for_child() -> None:
    """Before a fork: a forked child would have its parent's lock, and leaving, the parent would count for both."""
    _for_children.append({var: _share(Places(var)) for var in _held})


def _close_in_parent() -> None:
    for descriptor in _for_children.pop().values():
        os.close(descriptor)


def _take_in_child() -> None:
    for inherited in _held.values():
        os.close(inherited)
    _held.clear()
    _held.update(_for_children.pop())


def _leave_all() -> None:
    for var in list(_held):
        leave(Places(var))


atexit.register(_leave_all)
os.register_at_fork(before=_share_for_child, after_in_parent=_close_in_parent, after_in_child=_take_in_child)
