"""PostgreSQL's own programs, told of the platform's database by libpq's variables."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import connection

from labeling.embedded import EngineError, postgresql


class BackupError(RuntimeError):
    """A backup or a restoration that cannot be made: where, what, what to do. Nothing is half-done."""


def program(name: str) -> str:
    """The path of pg_dump, psql …: of the wheel, whose version 18 reads every older server, or of the machine."""
    try:
        return str(postgresql.programs() / name)
    except EngineError:
        found = shutil.which(name)
    if found is None:
        raise BackupError(f"{name} is not installed; install PostgreSQL's client programs (postgresql-client)")
    return found


def environment() -> dict[str, str]:
    """The variables by which libpq reaches the database of the settings; the password stands on no command line."""
    values = connection.settings_dict
    options = {name: value for name, value in values["OPTIONS"].items() if name.startswith("ssl")}
    named = {
        "PGHOST": values["HOST"],
        "PGPORT": str(values["PORT"] or ""),
        "PGUSER": values["USER"],
        "PGPASSWORD": values["PASSWORD"],
        "PGDATABASE": values["NAME"],
        "PGAPPNAME": "parley backup",
        **{f"PG{name.upper()}": str(value) for name, value in options.items()},
    }
    return {**os.environ, **{name: str(value) for name, value in named.items() if value}}


def call(name: str, *arguments: str | Path, **options: Any) -> str:
    """Run a program to its end and return what it printed. Raises BackupError with its last words."""
    return finished(name, subprocess.run(_command(name, arguments), env=environment(), capture_output=True, **options))


def start(name: str, *arguments: str | Path, **options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(_command(name, arguments), env=environment(), **options)


def finished(name: str, done: "subprocess.CompletedProcess[bytes]") -> str:
    if done.returncode != 0:
        said = (done.stderr or b"").decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise BackupError(f"{name} ended with {done.returncode}: {said[-1]}")
    return (done.stdout or b"").decode(errors="replace")


def _command(name: str, arguments: Sequence[str | Path]) -> list[str]:
    return [program(name), *map(str, arguments)]
