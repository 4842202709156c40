"""Faults, each as long as its `with` lasts, on a platform that goes on being kept alive (tests.chaos.services).

A full disk is the file size limit of a process (RLIMIT_FSIZE, 0 bytes), since that works on every Linux and as every
user, where a small file system must be mounted. PostgreSQL ignores SIGXFSZ so that such a limit is to it what a full
disk is, and so does Python: a write fails with EFBIG where it would with ENOSPC. What stays possible, unlike on a full
disk, is to make empty files.
"""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import psutil
import psycopg2

from labeling.embedded import processes
from labeling.embedded.paths import database_account
from tests.chaos.services import Services

UNLIMITED = resource.RLIM_INFINITY
_CUTTING_SECONDS = 60.0


def _killed(name: str) -> Callable[[Services], AbstractContextManager[None]]:
    @contextmanager
    def fault(platform: Services) -> Iterator[None]:
        platform.signal(name, signal.SIGKILL)
        yield

    return fault


def _stopped(name: str) -> Callable[[Services], AbstractContextManager[None]]:
    """SIGSTOP, while all leases of trainers run out; then SIGCONT: it goes on where it was."""

    @contextmanager
    def fault(platform: Services) -> Iterator[None]:
        platform.signal(name, signal.SIGSTOP)
        try:
            let_leases_run_out(platform)
            yield
        finally:
            platform.signal(name, signal.SIGCONT)

    return fault


def let_leases_run_out(platform: Services) -> None:
    """As if the half hour of every lease had passed."""
    platform.sql("UPDATE labeling_lease SET expires_at = now() - interval '1 second' WHERE state = 'open'")


@contextmanager
def database_killed(platform: Services) -> Iterator[None]:
    for process in platform.servers("postgres"):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    yield


@contextmanager
def connection_killed(platform: Services) -> Iterator[None]:
    """One server process of the database's, as the kernel kills one when memory is short: PostgreSQL restarts all."""
    found = platform.sql("SELECT pid FROM pg_stat_activity WHERE datname = 'parley' AND pid <> pg_backend_pid()")
    for (pid,) in found[:1]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    yield


@contextmanager
def broker_killed(platform: Services) -> Iterator[None]:
    _kill_broker(platform)
    yield


@contextmanager
def broker_wiped(platform: Services) -> Iterator[None]:
    _kill_broker(platform)
    shutil.rmtree(platform.places.valkey, ignore_errors=True)
    yield


def _kill_broker(platform: Services) -> None:
    for process in platform.servers("valkey-server"):
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def connections_exhausted(platform: Services) -> Iterator[None]:
    """Somebody holds every connection that the database has; the platform's own are cut, so that it needs new ones."""
    held: list[Any] = []
    try:
        with suppress(psycopg2.OperationalError):  # the end of them, or of the database
            while True:
                held.append(platform.connect())
        if held:
            _cut_others(held)
        yield
    finally:
        for connection in held:
            connection.close()


def _cut_others(held: list[Any]) -> None:
    """Cut every connection that is not in `held` and take its place, until there are no others."""
    until = time.monotonic() + _CUTTING_SECONDS
    while time.monotonic() < until:
        ours = [connection.info.backend_pid for connection in held]
        with held[0].cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND NOT pid = ANY(%s)",
                [ours],
            )
            if not cursor.rowcount:
                return
        with suppress(psycopg2.OperationalError):
            while True:
                held.append(psycopg2.connect(held[0].dsn))


@contextmanager
def disk_full(platform: Services) -> Iterator[None]:
    """Neither the database, running or started anew, nor the web process web-1 can write a byte."""
    platform.disk_is_full = True
    limit_database_files(platform, 0)
    limit_files(psutil.Process(platform.pid("web-1")), 0)
    try:
        yield
    finally:
        platform.disk_is_full = False
        for _ in range(2):  # again for what was started by a process that was limited still
            limit_database_files(platform, UNLIMITED)
        limit_files(psutil.Process(platform.pid("web-1")), UNLIMITED)


def limit_database_files(platform: Services, largest: int) -> None:
    """No file of the running database's may grow beyond so many bytes; what it starts inherits that."""
    account = database_account()
    as_owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    soft = "unlimited" if largest == UNLIMITED else str(largest)
    for process in platform.servers("postgres"):
        # As its owner: root without CAP_SYS_RESOURCE may not limit another user's process.
        command = ["prlimit", f"--pid={process.pid}", f"--fsize={soft}:"]
        done = subprocess.run(command, check=False, capture_output=True, **as_owner)
        if process.is_running():  # it may have ended meanwhile
            assert done.returncode == 0, done.stderr


def limit_files(process: psutil.Process, largest: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.rlimit(psutil.RLIMIT_FSIZE, (largest, process.rlimit(psutil.RLIMIT_FSIZE)[1]))


def _clock_moved(name: str, offset: str) -> Callable[[Services], AbstractContextManager[None]]:
    @contextmanager
    def fault(platform: Services) -> Iterator[None]:
        platform.move_clock(name, offset)
        try:
            yield
        finally:
            platform.move_clock(name, "+0")

    return fault


FAULTS: dict[str, Callable[[Services], AbstractContextManager[None]]] = {
    "web process killed": _killed("web-1"),
    "other web process killed": _killed("web-2"),
    "worker killed": _killed("worker"),
    "beat killed": _killed("beat"),
    "database killed": database_killed,
    "connection killed": connection_killed,
    "broker killed": broker_killed,
    "broker wiped": broker_wiped,
    "web process stopped past the leases": _stopped("web-2"),
    "worker stopped past the leases": _stopped("worker"),
    "connections exhausted": connections_exhausted,
    "disk full": disk_full,
    "clock of a web process an hour ahead": _clock_moved("web-1", "+1h"),
    "clock of a web process an hour behind": _clock_moved("web-1", "-1h"),
    "clock of the worker an hour ahead": _clock_moved("worker", "+1h"),
}


def is_up(platform: Services) -> bool:
    """Whether the database answers and every process of the platform lives."""
    with suppress(psycopg2.OperationalError):
        platform.sql("SELECT 1")
        return all(processes.is_alive(platform.pid(name)) for name in platform.running)
    return False
