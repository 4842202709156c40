"""`manage.py run`: set up what is missing, then run the whole platform on this machine until Ctrl-C.

supervisord keeps the processes of labeling/supervisord.conf alive; this command keeps the embedded servers alive and
stops everything on exit.
"""

import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labeling import embedded, environment
from labeling.embedded import processes
from labeling.sampling.policies import BUNDLED
from records import ManifestError, verify_directory

CONFIGURATION = Path(__file__).parents[2] / "supervisord.conf"
_HOST = "127.0.0.1"
_WATCH_SECONDS = 2.0  # between looks at the embedded servers
_WEB_SECONDS = 120.0  # for the pages to answer; afterwards only a message says that they do not
_STOP_SECONDS = 40.0  # longer than every stopwaitsecs of the configuration


class Command(BaseCommand):
    help = "Serve the platform with its workers on this machine, setting up what is missing."
    requires_system_checks: list[str] = []  # noqa: RUF012 (they need the database, which is not there yet)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--port",
            type=int,
            default=environment.integer("PARLEY_PORT", default=8000, low=1, high=65535),
            help="the port of the web pages (default: the variable PARLEY_PORT, else 8000)",
        )

    def handle(self, *, port: int, **options: Any) -> None:
        try:
            with _exclusive_lock():
                self._run(port)
        except KeyboardInterrupt:
            self._say("stopped before it was ready; the next start goes on from here")
        if embedded.stop():
            self._say("the embedded servers are stopped")

    def _run(self, port: int) -> None:
        _require_free(port)
        urls = embedded.ensure()
        _ensure_bundled_model()
        call_command("set_up")
        call_command("collectstatic", interactive=False, verbosity=0)
        stopping = _stop_on_signals()
        supervisor = _start_supervisor(port=port, redis_url=urls.redis)
        try:
            self._announce(port, supervisor, stopping)
            self._watch(supervisor, stopping)
        finally:
            self._say("stopping …")
            _stop(supervisor)

    def _announce(self, port: int, supervisor: subprocess.Popen[bytes], stopping: threading.Event) -> None:
        """Print the address once the pages answer."""
        for _ in range(int(_WEB_SECONDS / 0.2)):
            if stopping.wait(0.2) or supervisor.poll() is not None:
                return
            if _answers(port):
                self._say(f"Parley is at http://{_HOST}:{port} (logs in {_log_folder()}; Ctrl-C stops it)")
                if settings.CATCHES_MAIL:
                    self._say(f"mail to visitors of previews is caught: admins read it at http://{_HOST}:{port}/mail/")
                return
        self._say(f"the pages do not answer yet; see {_log_folder() / 'web.log'}")

    def _watch(self, supervisor: subprocess.Popen[bytes], stopping: threading.Event) -> None:
        """Restart an embedded server that was killed, until we are stopped. Raises CommandError if supervisord ends."""
        while not stopping.wait(_WATCH_SECONDS):
            if supervisor.poll() is not None:
                raise CommandError(f"supervisord ended ({supervisor.returncode}); see {_log_folder()}/supervisord.log")
            try:
                embedded.ensure()
            except embedded.EngineError as error:
                self._say(str(error))

    def _say(self, line: str) -> None:
        self.stdout.write(f"parley: {line}")
        self.stdout.flush()


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


@contextmanager
def _exclusive_lock() -> Iterator[None]:
    """Lock the var folder for this run; end the supervisord of a run that was killed."""
    environment.make_var_directory(settings.PARLEY_VAR)
    with open(settings.PARLEY_VAR / "run.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Parley already runs on {settings.PARLEY_VAR}. Stop it first.") from None
        _end_orphan(settings.PARLEY_VAR / "supervisord.pid")
        yield


def _end_orphan(pid_file: Path) -> None:
    for process in processes.find_by_command_line(str(CONFIGURATION), pid_file=pid_file):
        processes.end([process], by=signal.SIGTERM, patience=_STOP_SECONDS)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} on {_HOST} is taken ({error.strerror}). Stop what uses it, or choose another: "
                f"PARLEY_PORT={port + 1} make run"
            ) from None


def _ensure_bundled_model() -> None:
    """Convert the bundled model in a process of its own, since labeling may not import model libraries."""
    try:
        verify_directory(settings.PARLEY_STORE / "policies" / BUNDLED)
    except ManifestError:
        pass
    else:
        return
    command = [sys.executable, "-m", "language.bundled", "--store", str(settings.PARLEY_STORE)]
    done = subprocess.run(command, check=False, cwd=environment.CHECKOUT, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise CommandError("The bundled model could not be made; the lines above say why.")


def _start_supervisor(*, port: int, redis_url: str) -> subprocess.Popen[bytes]:
    """Start supervisord in a session of its own, so that Ctrl-C reaches only us, who stop the processes in order."""
    variables = {
        "PARLEY_RUN_VAR": str(settings.PARLEY_VAR),
        "PARLEY_RUN_PORT": str(port),
        "PARLEY_RUN_PYTHON": sys.executable,
        "PARLEY_RUN_REDIS_URL": redis_url,
        "PARLEY_VAR": str(settings.PARLEY_VAR),
        "PARLEY_STORE": str(settings.PARLEY_STORE),
        # By default, uvicorn trusts forwarded addresses from every local process, even without a proxy.
        "FORWARDED_ALLOW_IPS": settings.FORWARDED_ALLOW_IPS or (f"{_HOST},::1" if settings.BEHIND_PROXY else ""),
    }
    _log_folder().mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(CONFIGURATION)],
        cwd=environment.CHECKOUT,
        env=os.environ | variables,
        start_new_session=True,
    )


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    supervisor.terminate()
    try:
        supervisor.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection(_HOST, port, timeout=10)
        connection.request("GET", "/health/live/")
        return connection.getresponse().status < 500
    except OSError:
        return False


def _log_folder() -> Path:
    return Path(settings.PARLEY_VAR) / "log"
