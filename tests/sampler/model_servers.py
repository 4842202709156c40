"""A real OpenAI-compatible server, `transformers serve`, and a front before it that fails as networks do."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class ModelServer:
    """`transformers serve` on one model directory."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @classmethod
    def start(cls, model: Path, log: Path) -> "ModelServer":
        port = free_port()
        program = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
        program += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        with log.open("wb") as output:
            process = subprocess.Popen(program, env=environment, stdout=output, stderr=output)
        return cls(process, port, log)

    def wait_until_ready(self) -> "ModelServer":
        deadline = time.monotonic() + 120
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            with suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return self
            time.sleep(0.2)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


@dataclass
class Front:
    """Passes requests on to a server, but for those that the next fault takes.

    A fault is an HTTP status; "cut": the connection ends in the midst of the answer; or "silence": it does not.
    """

    behind: int
    faults: deque[int | str] = field(default_factory=deque)
    key: str | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        front = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with front._lock:
                    front._at_once += 1
                    front.most_at_once = max(front.most_at_once, front._at_once)
                try:
                    front._answer(self)
                finally:
                    with front._lock:
                        front._at_once -= 1

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, door: BaseHTTPRequestHandler) -> None:
        body = door.rfile.read(int(door.headers["content-length"]))
        self.seen.append(json.loads(body))
        fault = self.faults.popleft() if self.faults else None
        if self.key and door.headers.get("authorization") != f"Bearer {self.key}":
            fault = 401
        if isinstance(fault, int):
            said = json.dumps({"error": {"message": f"as told: {fault}"}}).encode()
            door.send_response(fault)
            door.send_header("location", "http://169.254.169.254/")
            door.send_header("content-length", str(len(said)))
            door.end_headers()
            door.wfile.write(said)
            return
        if fault == "silence":
            time.sleep(3)
            return
        with suppress(BrokenPipeError, ConnectionResetError):
            self._pass_on(door, body, cut=fault == "cut")

    def _pass_on(self, door: BaseHTTPRequestHandler, body: bytes, *, cut: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=60)
        connection.request("POST", door.path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        door.send_response(response.status)
        door.send_header("content-type", response.headers["content-type"])
        door.end_headers()
        for number, line in enumerate(iter(response.readline, b"")):
            if cut and number >= 6:
                break
            door.wfile.write(line)
            door.wfile.flush()
        connection.close()
