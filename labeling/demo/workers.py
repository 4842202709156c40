"""The platform's workers without its web pages, run by supervisord as `manage.py run` does."""

import configparser
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from django.conf import settings

from labeling import environment
from labeling.demo.polling import Show, StepFailed, follow
from labeling.embedded import processes
from records.presence import living

CONFIGURATION = Path(__file__).parents[1] / "supervisord.conf"
WORKERS = ("web", "exports", "deliveries", "sample", "train")  # the names of their Celery nodes
_START_SECONDS = 180.0  # two workers import torch, which is slow on a busy machine
_STOP_SECONDS = 40.0  # longer than every stopwaitsecs of the configuration


@contextmanager
def running_workers() -> Iterator[None]:
    """Start all workers and beat; stop them on exit, whatever happens."""
    configuration = _write_configuration()
    end_orphans()
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
        cwd=environment.CHECKOUT,
        env=os.environ | _environment(),
        start_new_session=True,  # Ctrl-C must reach this process only, which stops the workers in order
    )
    try:
        yield
    finally:
        _stop(supervisor)


def await_workers(show: Show) -> None:
    """Wait until every worker has said that it lives. Raises StepFailed that names the folder of logs."""
    answered: set[str] = set()

    def progress() -> tuple[float, str]:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3) as client:
            answered.update(one.worker.name.partition("@")[0] for one in living(client))
        missing = [name for name in WORKERS if name not in answered]
        return 1.0 - len(missing) / len(WORKERS), f"waiting for {', '.join(missing)}" if missing else ""

    follow(progress, show=show, patience=_START_SECONDS, where=f"the logs in {log_folder()}")


def end_orphans() -> None:
    """End the supervisor of a run that was killed, and with it its workers."""
    pid_file = settings.PARLEY_VAR / "supervisord.pid"
    for process in processes.find_by_command_line(str(_configuration_path()), pid_file=pid_file):
        processes.end([process], by=signal.SIGTERM, patience=_STOP_SECONDS)


def log_folder() -> Path:
    return Path(settings.PARLEY_VAR) / "log"


def _write_configuration() -> Path:
    """Write the platform's supervisord configuration without the web pages, and delete old logs."""
    configuration = configparser.RawConfigParser()
    configuration.read(CONFIGURATION)
    if not configuration.remove_section("program:web"):
        raise StepFailed(f"{CONFIGURATION} has no [program:web] to leave out.")
    log_folder().mkdir(parents=True, exist_ok=True)
    for section in configuration.sections():
        (log_folder() / f"{section.removeprefix('program:')}.log").unlink(missing_ok=True)
    with open(_configuration_path(), "w") as file:
        configuration.write(file)
    return _configuration_path()


def _configuration_path() -> Path:
    return Path(settings.PARLEY_VAR) / "supervisord.conf"


def _environment() -> dict[str, str]:
    return {
        "PARLEY_RUN_VAR": str(settings.PARLEY_VAR),
        "PARLEY_RUN_PORT": "0",  # for the web pages, which are left out
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
