"""A real uvicorn on the tests' database, and requests to it byte by byte: for what no view should ever see."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

CHECKOUT = Path(__file__).resolve().parents[2]
SERVER = """
from django.conf import settings
settings.ROOT_URLCONF = "{urls}"
import uvicorn
uvicorn.run("labeling.asgi:application", port={port}, lifespan="off", log_level="warning")
"""


@dataclass(frozen=True)
class Server:
    folder: Path
    port: int
    pid: int

    def connect(self, *, seconds: float = 20) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)


@contextmanager
def serving(folder: Path, *, urls: str = "labeling.urls", **variables: str) -> Iterator[Server]:
    """A web server of its own; modules in `folder` can be imported by it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    values = connection.settings_dict
    environment = os.environ | {
        "PYTHONPATH": f"{folder}:{CHECKOUT}",
        "DJANGO_SETTINGS_MODULE": "labeling.settings",
        "DATABASE_URL": f"postgresql://parley@/{values['NAME']}?host={quote(str(values['HOST']), safe='/')}",
        "REDIS_URL": settings.REDIS_URL,
        "PARLEY_STATIC": str(folder / "static"),
        "PARLEY_WEB_THREADS": "2",
        **variables,
    }
    collect = [sys.executable, str(CHECKOUT / "manage.py"), "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(collect, env=environment, check=True)
    command = [sys.executable, "-W", "ignore", "-c", SERVER.format(port=port, urls=urls)]
    server = subprocess.Popen(command, env=environment, cwd=folder)
    try:
        _wait_until_up(server, port)
        yield Server(folder, port, server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


def ask(port: int, request: str, body: bytes = b"") -> str:
    """Send exactly these bytes, read until the server closes."""
    head = "\r\n".join([*request.splitlines(), "Host: localhost", "Connection: close", "", ""])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(head.encode() + body)
        return b"".join(iter(lambda: wire.recv(65536), b"")).decode()


def _wait_until_up(server: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(300):
        assert server.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
