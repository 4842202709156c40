"""The platform's workers without its pages, kept alive by supervisord as `manage.py run` does it."""

import configparser
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from labeling import environment
from labeling.celery import app
from labeling.demo.polling import Show, StepFailed, follow
from labeling.embedded import processes

CONFIGURATION = Path(__file__).parents[1] / "supervisord.conf"
WORKERS = ("web", "sample", "train")  # as their nodes are called
_START_SECONDS = 180.0  # two of them import torch, on a machine that may be busy
_STOP_SECONDS = 40.0


@contextmanager
def running_workers() -> Iterator[None]:
    """Start web worker, sample worker, train worker and beat; stop them at the end, whatever happens."""
    configuration = _write_configuration()
    end_orphans()
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
        cwd=environment.CHECKOUT,
        env=os.environ | _variables(),
        start_new_session=True,  # Ctrl-C at the terminal is for us, and we stop them in order
    )
    try:
        yield
    finally:
        _stop(supervisor)


def await_workers(show: Show) -> None:
    """Wait until every worker answers over the broker. Raises StepFailed, naming the log of one that does not."""
    answered: set[str] = set()

    def progress() -> tuple[float, str]:
        answered.update(name.partition("@")[0] for reply in app.control.ping(timeout=1.0) or () for name in reply)
        missing = [name for name in WORKERS if name not in answered]
        return 1.0 - len(missing) / len(WORKERS), f"waiting for {', '.join(missing)}" if missing else ""

    follow(progress, show=show, patience=_START_SECONDS, where=f"the logs in {log_folder()}")


def end_orphans() -> None:
    """End the supervisor, and with it the workers, of a run that was killed."""
    pid_file = settings.PARLEY_VAR / "supervisord.pid"
    for process in processes.find_by_command_line(str(_written()), pid_file=pid_file):
        processes.end([process], by=signal.SIGTERM, patience=_STOP_SECONDS)


def log_folder() -> Path:
    return Path(settings.PARLEY_VAR) / "log"


def _write_configuration() -> Path:
    """The platform's own configuration less its pages, with fresh logs."""
    configuration = configparser.RawConfigParser()
    configuration.read(CONFIGURATION)
    if not configuration.remove_section("program:web"):
        raise StepFailed(f"{CONFIGURATION} has no [program:web] to leave out.")
    log_folder().mkdir(parents=True, exist_ok=True)
    for section in configuration.sections():
        (log_folder() / f"{section.removeprefix('program:')}.log").unlink(missing_ok=True)
    with open(_written(), "w") as file:
        configuration.write(file)
    return _written()


def _written() -> Path:
    return Path(settings.PARLEY_VAR) / "supervisord.conf"


def _variables() -> dict[str, str]:
    return {
        "PARLEY_RUN_VAR": str(settings.PARLEY_VAR),
        "PARLEY_RUN_PORT": "0",  # of the pages, which are left out
        "PARLEY_RUN_PYTHON": sys.executable,
        "PARLEY_RUN_REDIS_URL": settings.REDIS_URL,
    }


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    supervisor.terminate()
    try:
        supervisor.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()
