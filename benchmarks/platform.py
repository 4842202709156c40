"""A platform to measure: engines and web servers of its own in a temporary folder, filled by plain SQL."""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]


@contextmanager
def platform() -> Iterator[Path]:
    """Start engines in a temporary folder, set Django up on them and migrate; stop all at the end."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        var = Path(folder)
        var.chmod(0o711)  # PostgreSQL's own user must pass where this runs as root
        os.environ.update(PARLEY_VAR=folder, DJANGO_SETTINGS_MODULE="labeling.settings")
        for name in ("DATABASE_URL", "REDIS_URL", "PARLEY_ENV", "PARLEY_STORE"):
            os.environ.pop(name, None)
        from labeling import embedded

        embedded.start(var)
        try:
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            yield var
        finally:
            embedded.stop(var)


@contextmanager
def server(settings: str) -> Iterator[int]:
    """The platform's own web server under these settings; yields its port."""
    with web_process(settings) as (port, _pid):
        yield port


@contextmanager
def web_process(settings: str) -> Iterator[tuple[int, int]]:
    """As `server`; yields its port and its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "labeling.asgi:application", "--port", str(port), "--no-access-log"]
    command += ["--timeout-keep-alive", "600"]  # a client that waits for its turn keeps its connection
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=20)


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM now, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass
class Browser:
    """One signed-in person on one kept connection."""

    connection: http.client.HTTPConnection
    cookies: str
    token: str

    def post(self, path: str, values: dict[str, Any]) -> tuple[int, bytes, str]:
        """POST JSON; returns status, body and where a redirect leads."""
        self.connection.request("POST", path, json.dumps(values), self._headers("application/json"))
        answer = self.connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Location") or ""

    def get(self, path: str) -> tuple[int, bytes]:
        self.connection.request("GET", path, headers=self._headers("text/html"))
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def _headers(self, content_type: str) -> dict[str, str]:
        return {"Content-Type": content_type, "Cookie": self.cookies, "X-CSRFToken": self.token}


def sign_in(user: Any, port: int) -> Browser:
    """A session made in the database, as signing in makes it."""
    from django.middleware.csrf import _get_new_csrf_string
    from django.test import Client

    client = Client()
    client.force_login(user)
    token = _get_new_csrf_string()
    cookies = f"sessionid={client.cookies['sessionid'].value}; csrftoken={token}"
    return Browser(http.client.HTTPConnection("127.0.0.1", port, timeout=60), cookies, token)


def _wait_for(port: int) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the web server did not come up within a minute")
