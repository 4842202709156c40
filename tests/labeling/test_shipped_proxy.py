"""The proxy that is shipped, as a program: deploy/Caddyfile in front of a real uvicorn, asked byte by byte."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from labeling.embedded.processes import wait_until
from tests.labeling.serving import ask, serving

CHECKOUT = Path(__file__).resolve().parents[2]
CADDY = shutil.which("caddy")
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(CADDY is None, reason="the program caddy is not installed (apt-get install caddy)"),
]
URLS = """
import asyncio
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from labeling.web import access

@csrf_exempt
@access.public
def echo(request, **_):
    names = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_HOST", "REMOTE_ADDR")
    length = sum(len(piece) for piece in iter(lambda: request.read(65536), b""))
    return JsonResponse({"length": length} | {name: request.META.get(name) for name in names})

@access.public
async def stream(request):
    async def events():
        for number in range(3):
            yield f"data: {number}\\n\\n"
            await asyncio.sleep(0.5)
    return StreamingHttpResponse(events(), content_type="text/event-stream")

urlpatterns = [
    path("echo/", echo), path("p/<slug:slug>/data/imports/new/", echo),
    path("stream/three/", stream), path("", include("labeling.urls")),
]
"""
MIB = 2**20


@pytest.fixture(scope="module")
def port(django_db_setup: None, django_db_blocker: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The proxy's, which believes nobody, in front of a platform that believes it."""
    folder = tmp_path_factory.mktemp("proxied")
    (folder / "urls_behind_the_proxy.py").write_text(URLS)
    believed = {"PARLEY_BEHIND_PROXY": "1", "FORWARDED_ALLOW_IPS": "127.0.0.1"}
    with (
        serving(folder, urls="urls_behind_the_proxy", PARLEY_UPLOAD_MB="4", **believed) as server,
        proxied(server.port, folder, PARLEY_UPLOAD_MB="4") as found,
    ):
        yield found


class proxied:
    def __init__(self, upstream: int, folder: Path, **variables: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        addresses = {"PARLEY_SITE": f"http://localhost:{self.port}", "PARLEY_UPSTREAM": f"127.0.0.1:{upstream}"}
        self._environment = os.environ | addresses | variables | {"HOME": str(folder), "GOMAXPROCS": "1"}
        self._log = (folder / "caddy.log").open("wb")

    def __enter__(self) -> int:
        command = [str(CADDY), "run", "--config", str(CHECKOUT / "deploy" / "Caddyfile")]
        self._proxy = subprocess.Popen(command, env=self._environment, stdout=self._log, stderr=self._log)
        assert wait_until(lambda: self._proxy.poll() is not None or _listens(self.port), seconds=30)
        return self.port

    def __exit__(self, *_: object) -> None:
        self._proxy.send_signal(signal.SIGTERM)
        self._proxy.wait(timeout=20)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def status_of(answer: str) -> int:
    return int(answer.split()[1])


def test_pages_and_static_files_come_through(port: int) -> None:
    page = ask(port, "GET /sign-in/ HTTP/1.1")
    assert status_of(page) == 200
    (style,) = set(re.findall(r"/static/[^\"]*parley\.[^\"]*css", page))
    assert status_of(ask(port, f"GET {style} HTTP/1.1")) == 200
    assert "\nServer:" not in page


def test_the_clients_address_is_the_connections_whatever_the_client_writes(port: int) -> None:
    lies = "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\nX_Forwarded_For: 203.0.113.8\nForwarded: for=x"
    told = json.loads(ask(port, f"GET /echo/ HTTP/1.1\n{lies}").partition("\r\n\r\n")[2])
    assert (told["HTTP_X_FORWARDED_FOR"], told["HTTP_X_FORWARDED_PROTO"]) == ("127.0.0.1", "http")
    assert told["REMOTE_ADDR"] == "127.0.0.1"


def sent(port: int, path: str, num_bytes: int, *, told: bool = True) -> int:
    """The status of the answer to a body of so many bytes, whose length is told ahead or not."""
    wire = HTTPConnection("127.0.0.1", port, timeout=30)
    wire.putrequest("POST", path, skip_host=True)
    for name, value in {"Host": "localhost", "Cookie": "sessionid=x"}.items():
        wire.putheader(name, value)
    wire.putheader(*(("Content-Length", str(num_bytes)) if told else ("Transfer-Encoding", "chunked")))
    with suppress(BrokenPipeError, ConnectionResetError):  # refused before the last byte; the answer says how
        wire.endheaders(b"x" * num_bytes if told else iter([b"x" * num_bytes]), encode_chunked=not told)
    return wire.getresponse().status


@pytest.mark.parametrize("told", [True, False])
def test_an_upload_as_large_as_the_platform_takes_passes_and_a_larger_one_does_not(told: bool, port: int) -> None:
    upload = "/p/sky/data/imports/new/"
    assert sent(port, upload, 4 * MIB, told=told) == 200
    assert sent(port, upload, 5 * MIB, told=told) == 413


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_the_proxy_stops_is_too_large_even_if_the_platform_has_not_answered(
    told: bool, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(20)
        with proxied(silent.getsockname()[1], tmp_path, PARLEY_UPLOAD_MB="4") as port, ThreadPoolExecutor() as pool:
            status = pool.submit(sent, port, "/p/sky/data/imports/new/", 5 * MIB, told=told)
            with silent.accept()[0] as wire:
                while not status.done():
                    wire.recv(65536)
            assert status.result() == 413


@pytest.mark.parametrize("path", ["/health/live/", "/stream/three/"])
def test_a_body_where_none_belongs_is_refused(path: str, port: int) -> None:
    assert sent(port, path, 5000) == 413


def test_headers_beyond_the_limit_are_refused(port: int) -> None:
    assert status_of(ask(port, f"GET /echo/ HTTP/1.1\nX-Long: {'x' * 12_000}")) == 200
    assert status_of(ask(port, f"GET /echo/ HTTP/1.1\nX-Long: {'x' * 40_000}")) == 431


def test_a_stream_comes_piece_by_piece(port: int) -> None:
    arrived = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(b"GET /stream/three/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while piece := wire.recv(65536):
            arrived += [time.monotonic()] * piece.count(b"data: ")
    assert len(arrived) == 3
    assert arrived[2] - arrived[0] > 0.6  # a proxy that keeps it back hands out all at once


@pytest.mark.parametrize(
    "path",
    [
        "/static/../labeling/settings.py",
        "/static../manage.py",
        "/static/%2e%2e/manage.py",
        "/static/..%2fmanage.py",
        "/etc/caddy/Caddyfile",
        "/.env",
        "/metrics/",
        "/metrics",
        "/static/../metrics/",
    ],
)
def test_nothing_of_the_disk_and_no_figures_are_reached_from_outside(path: str, port: int) -> None:
    answer = ask(port, f"GET {path} HTTP/1.1\nAuthorization: Bearer x")
    assert status_of(answer) in (400, 404)
    assert "PARLEY" not in answer


def test_a_request_whose_headers_never_end_is_closed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(b"GET /echo/ HTTP/1.1\r\nHost: localhost\r\n")
        began = time.monotonic()
        while wire.recv(65536):
            pass
    assert 8 < time.monotonic() - began < 15
