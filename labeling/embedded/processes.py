"""Server processes: starting them, finding them again by id, program and folder, ending them.

A killed server whose parent does not wait for it stays a zombie. Signals can still be sent to its id, so PostgreSQL
itself takes it for alive; here a zombie counts as dead.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_started: list[subprocess.Popen[bytes]] = []  # kept, so that they can be waited for when they die


def start(command: list[str], *, log: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a server that outlives this process. It has its own session, so that Ctrl-C in our terminal spares it."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            **options,
        )
    _started.append(process)
    return process


def find(pid: int | None, *, program: str, folder: Path) -> psutil.Process | None:
    """The live process `pid`, if it is `program` with working directory `folder`; ids are used again by others."""
    collect()
    try:
        process = psutil.Process(pid) if pid else None
        if process and _is_alive(process) and process.name() == program and Path(process.cwd()) == folder:
            return process
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        pass
    return None


def find_by_command_line(word: str, *, pid_file: Path) -> list[psutil.Process]:
    """The process that `pid_file` names, if it is alive and `word` is one of its arguments; else an empty list."""
    try:
        process = psutil.Process(int(pid_file.read_text()))
        return [process] if _is_alive(process) and word in process.cmdline() else []
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        return []


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists and is no zombie."""
    try:
        return _is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def find_all(*, program: str, folder: Path) -> list[psutil.Process]:
    """All live processes of `program` with working directory `folder`."""
    return [
        process
        for process in psutil.process_iter(["name"])
        if process.info["name"] == program and find(process.pid, program=program, folder=folder)
    ]


def end(processes: list[psutil.Process], *, by: signal.Signals, patience: float) -> None:
    """Send the signal `by`, wait until all have ended, and after `patience` seconds kill those that have not."""
    for number in (by, signal.SIGKILL):
        for process in processes:
            _send(process, number)
        if wait_until(lambda: not any(map(_is_alive, processes)), seconds=patience):
            return


def wait_until(fact: Callable[[], object], *, seconds: float) -> bool:
    """Poll `fact` every 20 milliseconds until it is true; False if `seconds` pass first."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def collect() -> None:
    """Wait for those of our own children that died, so that they do not stay zombies."""
    for process in _started:
        process.poll()


def _is_alive(process: psutil.Process) -> bool:
    collect()
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    if _is_alive(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
