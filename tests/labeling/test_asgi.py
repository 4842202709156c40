"""The web server's door, in front of a real uvicorn on the tests' database: what no view should ever see."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from django.db import connection

from labeling.embedded.processes import wait_until
from labeling.web.security_headers import CONTENT_SECURITY_POLICY
from tests.labeling.serving import ask, serving

pytestmark = pytest.mark.django_db

# Three views of our own beside Parley's: what arrived, whose connection, and a stream.
URLS = """
import asyncio, json
from django.db import connection
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from labeling.web import access

@csrf_exempt
@access.public
def echo(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    headers = {key: value for key, value in request.META.items() if key.startswith("HTTP_")}
    return JsonResponse({"headers": headers, "length": len(request.body), "backend": backend})

@access.public
async def stream(request):
    from labeling.models import Session
    await Session.objects.acount()
    async def events():
        for number in range(3):
            yield f"data: {number}\\n\\n"
            await asyncio.sleep(0.4)
    return StreamingHttpResponse(events(), content_type="text/event-stream")

urlpatterns = [path("echo/", echo), path("stream/three/", stream), path("", include("labeling.urls"))]
"""


@pytest.fixture(scope="module")
def port(django_db_setup: None, django_db_blocker: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("door")
    (folder / "urls_of_the_door.py").write_text(URLS)
    with serving(folder, urls="urls_of_the_door") as server:
        yield server.port


def test_pages_share_the_connections_of_their_threads(port: int) -> None:
    backends = {ask(port, "GET /echo/ HTTP/1.1").split('"backend": ')[1] for _ in range(12)}
    assert len(backends) <= 2


def test_a_body_arrives_whole(port: int) -> None:
    body = b"x" * 1_000_000
    assert '"length": 1000000' in ask(port, f"POST /echo/ HTTP/1.1\nContent-Length: {len(body)}", body)


def test_a_header_spelled_to_pass_for_another_is_dropped(port: int) -> None:
    answer = ask(port, "GET /echo/ HTTP/1.1\nX_Forwarded_Proto: https\nX-Plain: kept")
    assert "HTTP_X_FORWARDED_PROTO" not in answer
    assert '"HTTP_X_PLAIN": "kept"' in answer


def test_a_sender_that_leaves_halfway_reaches_no_view(port: int) -> None:
    answers = []
    for _ in range(4):  # more than there are threads: none may stay behind, waiting for the rest
        with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
            wire.sendall(b"POST /echo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf of it")
            wire.shutdown(socket.SHUT_WR)
            answers.append(wire.recv(65536))
    assert [b"200 OK" in answer for answer in answers] == [False] * 4
    assert "200 OK" in ask(port, "GET /echo/ HTTP/1.1")


def test_slow_senders_occupy_no_thread(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(6)]
    for wire in slow:
        wire.sendall(b"POST /echo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nthe beginning")
    assert "200 OK" in ask(port, "GET /echo/ HTTP/1.1")
    for wire in slow:
        wire.close()


def test_a_stream_sends_each_event_at_once_and_holds_no_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(b"GET /stream/three/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = _read_until(wire, b"data: 0")
        began = time.monotonic()
        assert wait_until(lambda: _num_backends_that_read_sessions() == 0, seconds=0.6)
        _read_until(wire, b"data: 2")
        assert time.monotonic() - began > 0.5
    assert CONTENT_SECURITY_POLICY.encode() in first


def test_only_so_many_streams_open_at_a_time(port: int) -> None:
    """Each has a database connection of its own meanwhile, and the server has a hundred for everybody."""
    wires = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(40)]
    values = connection.settings_dict
    other = psycopg2.connect(
        dbname=values["NAME"], user=values["USER"], host=values["HOST"], port=values["PORT"] or None
    )
    with closing(other):
        other.cursor().execute("LOCK TABLE labeling_session IN ACCESS EXCLUSIVE MODE")
        for wire in wires:
            wire.sendall(b"GET /stream/three/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wait_until(lambda: _num_backends_that_read_sessions(wait_event="relation") >= 16, seconds=20)
        time.sleep(0.5)
        assert _num_backends_that_read_sessions(wait_event="relation") == 16
        other.rollback()
    for wire in wires:
        _read_until(wire, b"data: 2")
        wire.close()


def test_every_answer_carries_the_policies_and_is_stored_nowhere(port: int) -> None:
    for path in ("/sign-in/", "/nowhere/", "/health/live/", "/echo/"):
        answer = ask(port, f"GET {path} HTTP/1.1").lower()
        assert re.search(r"cache-control: [^\r]*no-store", answer), path
        for header in ("x-content-type-options: nosniff", "referrer-policy: same-origin"):
            assert header in answer, (path, header)
        for header in ("permissions-policy:", "x-frame-options: deny", "cross-origin-opener-policy: same-origin"):
            assert header in answer, (path, header)
        assert f"content-security-policy: {CONTENT_SECURITY_POLICY}".lower() in answer, path


def test_a_host_that_is_not_ours_is_refused(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
        wire.sendall(b"GET /sign-in/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert b"400 Bad Request" in wire.recv(65536)


def _num_backends_that_read_sessions(*, wait_event: str = "") -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees the first picture again and again
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE %s AND pid <> pg_backend_pid() AND (%s = '' OR wait_event = %s)",
            ["%labeling_session%", wait_event, wait_event],
        )
        return int(cursor.fetchone()[0])


def _read_until(wire: socket.socket, word: bytes) -> bytes:
    read = b""
    while word not in read:
        chunk = wire.recv(4096)
        assert chunk, read
        read += chunk
    return read
