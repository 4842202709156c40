"""The lifetime of the servers: they run while any process uses them, and the last one to leave stops them.

Each process that uses them holds a shared lock on var/engines.lock, which the kernel releases even after kill -9.
Whoever starts or stops servers also holds an exclusive lock on var/engines.starting, the start lock, so that no two
processes do so at the same time.
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

_held: dict[Path, int] = {}  # var folder -> file descriptor of our shared lock
_for_children: list[dict[Path, int]] = []  # the same for the child of a fork that is under way


@contextmanager
def joining(places: Places) -> Iterator[None]:
    """Hold the start lock during the body, and our shared lock from now until this process leaves or exits."""
    with _starting(places):
        places.make()
        if places.var not in _held:
            _held[places.var] = _share(places)
        yield


def leave(places: Places) -> bool:
    """Give up our shared lock, and stop the servers if no other process holds one. Returns whether they were stopped.

    That nobody else holds one is known by getting the lock exclusively; the start lock keeps others from joining
    meanwhile.
    """
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
    """Before a fork, take locks for the child.

    A child inherits its parent's descriptor, and with it the very same lock. A parent that leaves could then get it
    exclusively, and stop the servers that the child still uses.
    """
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
