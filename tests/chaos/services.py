"""A whole Parley of its own: database, broker, two web processes, a web worker and beat, by supervisord.conf's lines.

Whatever dies is started again, as supervisord does, and the servers as `manage.py run` does: nobody mends anything by
hand. Knows no faults.
"""

import configparser
import json
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg2

from labeling import embedded
from labeling.embedded import postgresql, processes
from labeling.embedded.paths import Places

CHECKOUT = Path(__file__).resolve().parents[2]
LINES = {"web-1": "web", "web-2": "web", "worker": "web-worker", "beat": "beat"}  # our names, supervisord's programs
JUMPING = ("web-1", "worker")  # whose clocks can be moved while they run
_LOOK_SECONDS = 0.5  # between looks at the processes
_WATCH_SECONDS = 2.0  # between looks at the servers, as `run` has it
_UP_SECONDS = 300.0  # a busy machine takes minutes to import all of it four times

# Filled in a process of its own, since Django's settings are read once a process.
PREPARE = """
import json, sys
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
from benchmarks.platform import sign_in
from benchmarks.queue import filled_project
from labeling.models import Membership, Project, User
wanted = json.loads(sys.argv[1])
for slug, num, rankings in wanted["projects"]:
    filled_project(slug, num, rankings_wanted=rankings)
projects, cookies = list(Project.objects.filter(slug__in=[one[0] for one in wanted["projects"]])), []
for number in range(wanted["trainers"]):
    person = User.objects.create(username=f"trainer-{number}", password="!", preferences={"tours": ["rank"]})
    Membership.objects.bulk_create(Membership(project=project, user=person) for project in projects)
    browser = sign_in(person, 0)
    cookies.append({"id": str(person.pk), "cookies": browser.cookies, "token": browser.token})
print(json.dumps(cookies))
"""


@dataclass(frozen=True)
class SignedIn:
    """A trainer's id and what their browser sends with every request."""

    id: str
    cookies: str
    token: str


class Services:
    def __init__(self, folder: Path) -> None:
        self.folder, self.var = folder, folder / "var"
        self.places = Places(self.var)
        self.ports = {name: _free_port() for name in LINES if LINES[name] == "web"}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.disk_is_full = False  # then what is started can write no file either
        self.trainers: list[SignedIn] = []
        self._over = threading.Event()
        self._keeping = threading.Thread(target=self._keep, daemon=True)

    # ---- From nothing to a platform, and back ------------------------------------------------

    def start(self, *, projects: list[tuple[str, int, int]], trainers: int) -> None:
        """Up, with projects (slug, comparisons, rankings wanted) and trainers who are signed in."""
        embedded.start(self.var)
        wanted = json.dumps({"projects": projects, "trainers": trainers})
        done = subprocess.run(
            [sys.executable, "-c", PREPARE, wanted], cwd=CHECKOUT, env=self._environment(), capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        self.trainers = [SignedIn(**one) for one in json.loads(done.stdout.splitlines()[-1])]
        for name in LINES:
            self._launch(name)
        self._keeping.start()
        for port in self.ports.values():
            assert processes.wait_until(lambda port=port: answers(port), seconds=_UP_SECONDS), self.logs()

    def stop(self) -> None:
        self._over.set()
        if self._keeping.ident is not None:
            self._keeping.join()
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # reaches the stopped ones, too
            process.wait()
        embedded.stop(self.var)

    def logs(self) -> str:
        found = sorted((self.var / "log").glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in found)

    # ---- What faults reach for ----------------------------------------------------------------

    def pid(self, name: str) -> int:
        return self.running[name].pid

    def signal(self, name: str, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid(name), number)

    def servers(self, program: str) -> list[Any]:
        """The processes of "postgres" or "valkey-server"."""
        place = self.places.database if program == "postgres" else self.places.valkey
        return processes.find_all(program=program, folder=Path(os.path.realpath(place)))

    def connect(self) -> Any:
        connection = psycopg2.connect(postgresql.url(self.places))
        connection.autocommit = True
        return connection

    def sql(self, statement: str, *values: Any) -> list[Any]:
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def move_clock(self, name: str, offset: str) -> None:
        """Move the clock of a running process, within a second: "+1h", "-1h", "+0"."""
        self._clock(name).write_text(f"{offset}\n")

    # ---- Keeping it alive -----------------------------------------------------------------------

    def _keep(self) -> None:
        watched = time.monotonic()
        while not self._over.wait(_LOOK_SECONDS):
            for name, process in list(self.running.items()):
                if process.poll() is not None:
                    self._launch(name)
            if time.monotonic() - watched >= _WATCH_SECONDS:
                watched = time.monotonic()
                # An EngineError is what `run` prints, and tries again.
                with suppress(embedded.EngineError, OSError), self._on_this_disk():
                    embedded.start(self.var)

    @contextmanager
    def _on_this_disk(self) -> Iterator[None]:
        """What is started in the body may write no file while the disk is full; a limit is inherited."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        if self.disk_is_full:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def _launch(self, name: str) -> None:
        with self.places.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                self._command(name), cwd=CHECKOUT, env=self._environment(name), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def _command(self, name: str) -> list[str]:
        lines = configparser.ConfigParser(interpolation=None)
        lines.read(CHECKOUT / "labeling" / "supervisord.conf")
        line = lines[f"program:{LINES[name]}"]["command"].replace("%%", "%")
        variables = {"PYTHON": sys.executable, "PORT": self.ports.get(name, ""), "VAR": self.var}
        for variable, value in variables.items():
            line = line.replace(f"%(ENV_PARLEY_RUN_{variable})s", str(value))
        return shlex.split(line)

    def _environment(self, name: str = "") -> dict[str, str]:
        outside = ("DATABASE_URL", "REDIS_URL", "PARLEY_STORE", "PARLEY_STATIC", "PARLEY_TEST_VAR")
        environment = {key: value for key, value in os.environ.items() if key not in outside}
        environment |= {"PARLEY_VAR": str(self.var), "DJANGO_SETTINGS_MODULE": "labeling.settings"}
        if name in JUMPING:
            self.move_clock(name, "+0")
            environment |= {
                "LD_PRELOAD": str(_faketime()),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock(name)),
                "FAKETIME_CACHE_DURATION": "1",
                "DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        return environment

    def _clock(self, name: str) -> Path:
        return self.folder / f"clock-of-{name}"


@contextmanager
def services(*, projects: list[tuple[str, int, int]], trainers: int) -> Iterator[Services]:
    """A platform in a temporary folder, where PostgreSQL's own user may pass, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="parley-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        platform = Services(Path(folder))
        try:
            platform.start(projects=projects, trainers=trainers)
            yield platform
        finally:
            platform.stop()


def answers(port: int) -> bool:
    """Whether pages can be served. Patient: a look at the migrations costs seconds of a busy machine."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
        wire.sendall(b"GET /health/ready/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return wire.recv(64).startswith(b"HTTP/1.1 200")
    return False


def _faketime() -> Path:
    found = find_spec("libfaketime")
    assert found, "the package libfaketime is not installed; make setup installs it"
    assert found.origin
    return Path(found.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
