"""A line to a platform that fails as a test tells it to: busy answers, dropped connections, halves of files."""

import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class BadLine(ThreadingHTTPServer):
    """Passes requests on, but does first what `troubles` says, one for each request.

    A number is answered as that status, an address as a redirect to it; "cut before" drops the line unasked,
    "cut after" once the platform has done what was asked; "cut within" sends half of a file, "whole" all of it
    where a part was asked for.
    """

    daemon_threads = True

    def __init__(self, platform: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.platform, self.troubles, self.seen = platform, [], []  # type: ignore[var-annotated]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Passing(BaseHTTPRequestHandler):
    server: BadLine

    def do_GET(self) -> None:
        trouble = self.server.troubles.pop(0) if self.server.troubles else None
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        if trouble == "cut before":
            return
        if isinstance(trouble, int):
            self._send(trouble, {"Retry-After": "0"} if trouble == 429 else {}, b"<h1>busy</h1>")
            return
        if trouble and trouble.startswith("http"):
            self._send(307, {"Location": trouble}, b"")
            return
        if trouble == "whole":
            del self.headers["Range"]
        status, headers, content = self._passed_on(body)
        if trouble != "cut after":
            self._send(status, headers, content, cut=trouble == "cut within")

    do_POST = do_GET

    def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        wanted = ("Authorization", "Content-Type", "Idempotency-Key", "Range")
        headers = {name: self.headers[name] for name in wanted if name in self.headers}
        asked = urllib.request.Request(self.server.platform + self.path, body or None, headers, method=self.command)
        try:
            with urllib.request.urlopen(asked) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def _send(self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name in ("Content-Type", "Retry-After", "Content-Range", "Location"):
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)

    def log_message(self, *_: Any) -> None:
        pass
