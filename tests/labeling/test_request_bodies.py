"""Bodies too large, too slow or never whole, in front of a real uvicorn: what is kept of them, what is answered."""

import asyncio
import json
import select
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from labeling.embedded.processes import wait_until
from labeling.models import Import, User
from labeling.request_bodies import Body, BodyRefused, limit_for, read_body
from labeling.web.security_headers import CONTENT_SECURITY_POLICY
from tests.labeling.factories import make_project, make_user
from tests.labeling.imports.files import hh_pair
from tests.labeling.serving import Server, ask, serving

pytestmark = pytest.mark.django_db(transaction=True)

MB = 2**20
IDLE_SECONDS = 4
BYTES_PER_SECOND = 500
CSRF = "a" * 32
UPLOAD = "/p/sky/data/imports/new/"
STREAM = f"/stream/{uuid.UUID(int=1)}/"


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, django_db_blocker: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bodies")
    (folder / "tmp").mkdir()
    limits = {
        "TMPDIR": str(folder / "tmp"),
        "PARLEY_UPLOAD_MB": "4",
        "PARLEY_BODIES_ON_DISK_MB": "5",
        "PARLEY_BODY_IDLE_SECONDS": str(IDLE_SECONDS),
        "PARLEY_BODY_BYTES_PER_SECOND": str(BYTES_PER_SECOND),
    }
    with serving(folder, PARLEY_STORE=str(folder / "store"), **limits) as started:
        yield started


@pytest.fixture
def session() -> str:
    """The cookies of an admin who is signed in, in a project that takes uploads."""
    make_project(slug="sky")
    return cookies_of(make_user(username="adam", role="admin"))


def cookies_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"Cookie: {settings.SESSION_COOKIE_NAME}={client.cookies['sessionid'].value}; csrftoken={CSRF}"


def upload_form(num_bytes: int) -> bytes:
    """The form of the data page, with a file of about so many bytes."""
    line = json.dumps(hh_pair()).encode() + b"\n"
    fields = {"csrfmiddlewaretoken": CSRF, "into": "rankings"}
    parts = [f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields]
    file = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="pairs.jsonl"\r\n\r\n'
    return "".join(parts).encode() + file + line * (num_bytes // len(line)) + b"\r\n--edge--\r\n"


def post(path: str, *lines: str, num_bytes: int | None = None) -> bytes:
    """The head of a request, up to the first byte of its body; in chunks where no number of bytes is given."""
    length = "Transfer-Encoding: chunked" if num_bytes is None else f"Content-Length: {num_bytes}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", length, *lines, "", ""]).encode()


def post_upload(*lines: str, num_bytes: int) -> bytes:
    return post(UPLOAD, "Content-Type: multipart/form-data; boundary=edge", *lines, num_bytes=num_bytes)


def answer(wire: socket.socket) -> tuple[str, str]:
    """Head and body of an answer that names its length, read without waiting for the connection to end."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += _more(wire, read)
    head, body = read.split(b"\r\n\r\n", 1)
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _more(wire, read)
    return head.decode(), body.decode()


def bodies_on_disk(server: Server) -> list[str]:
    """Files in the server's temporary folder, those without a name too: it still holds them open."""
    names = []
    for file in Path(f"/proc/{server.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            names.append(str(file.readlink()))
    return [name for name in names if name.startswith(f"{server.folder}/tmp/")]


@pytest.mark.parametrize("path", ["/health/live/", STREAM, "/static/parley.css", "/sign-in/"])
@pytest.mark.parametrize("in_chunks", [False, True], ids=["with a length", "in chunks"])
def test_a_body_that_is_too_large_is_refused_before_it_is_kept(server: Server, path: str, in_chunks: bool) -> None:
    with server.connect() as wire:
        wire.sendall(post(path, num_bytes=None if in_chunks else 3 * MB + 1))
        wire.sendall(b"%x\r\n%s\r\n" % (3 * MB, b"x" * 3 * MB) if in_chunks else b"x" * 3 * MB)  # the end never comes
        head, body = answer(wire)
        assert head.startswith("HTTP/1.1 413 ")
        assert "connection: close" in head.lower()
        assert "too large" in body
        assert not bodies_on_disk(server)


def test_a_sender_that_reads_only_after_its_last_byte_hears_why(server: Server) -> None:
    heard = ask(server.port, f"POST /health/live/ HTTP/1.1\nContent-Length: {30 * MB}", b"x" * 30 * MB)
    assert heard.startswith("HTTP/1.1 413 ")
    assert heard.endswith("</html>\n")


def test_a_sender_that_asks_first_is_refused_before_its_first_byte(server: Server) -> None:
    with server.connect() as wire:
        wire.sendall(post("/health/live/", "Expect: 100-continue", num_bytes=3 * MB))
        assert answer(wire)[0].startswith("HTTP/1.1 413 ")
    with server.connect() as wire:
        wire.sendall(post("/sign-in/", "Expect: 100-continue", num_bytes=3))
        assert wire.recv(4096).startswith(b"HTTP/1.1 100 ")


def test_a_refusal_carries_the_policies_of_every_answer(server: Server) -> None:
    heard = ask(server.port, f"POST /health/live/ HTTP/1.1\nContent-Length: {MB}", b"x" * MB).lower()
    assert heard.startswith("http/1.1 413 ")
    for header in (
        f"content-security-policy: {CONTENT_SECURITY_POLICY}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "referrer-policy: same-origin",
        "cross-origin-opener-policy: same-origin",
    ):
        assert header.lower() in heard


@pytest.mark.parametrize("path", ["/sign-in/", STREAM, UPLOAD])
def test_a_body_that_stops_halfway_is_given_up(server: Server, path: str) -> None:
    with server.connect(seconds=5 * IDLE_SECONDS) as wire:
        wire.sendall(post(path, num_bytes=1000) + b"x" * 500)
        head, _body = answer(wire)
        assert head.startswith("HTTP/1.1 408 ")
        assert wire.recv(1) == b"", "the connection stays open"


def test_a_body_that_drips_is_given_up(server: Server) -> None:
    """A byte now and then is never silent for long, and would hold its place for days."""
    began = time.monotonic()
    with server.connect() as wire:
        wire.sendall(post("/sign-in/", num_bytes=1000))
        while not _readable(wire, seconds=0.2):
            assert time.monotonic() - began < 5 * IDLE_SECONDS
            wire.sendall(b"x")
        assert wire.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_slowly_and_steadily_arrives(server: Server) -> None:
    began = time.monotonic()
    with server.connect() as wire:
        wire.sendall(post("/sign-in/", num_bytes=30 * 600))
        for _ in range(30):
            wire.sendall(b"x" * 600)
            _readable(wire, seconds=0.2)
        assert time.monotonic() - began > IDLE_SECONDS
        assert answer(wire)[0].startswith("HTTP/1.1 403 "), "of Django, which misses the CSRF token"


def test_a_file_larger_than_a_form_is_taken_of_somebody_signed_in(server: Server, session: str) -> None:
    body = upload_form(3 * MB)
    with server.connect() as wire:
        wire.sendall(post_upload(session, num_bytes=len(body)) + body)
        head, _body = answer(wire)
    brought = Import.objects.get()
    assert head.startswith("HTTP/1.1 302 ")
    assert f"/imports/{brought.id}/" in head
    assert brought.num_bytes > 2.9 * MB
    assert wait_until(lambda: not bodies_on_disk(server), seconds=10)


def test_the_same_file_is_refused_of_a_stranger_before_it_is_sent(server: Server, session: str) -> None:
    with server.connect() as wire:
        wire.sendall(post_upload(f"Cookie: csrftoken={CSRF}", num_bytes=3 * MB))
        head, body = answer(wire)
    assert head.startswith("HTTP/1.1 413 ")
    assert "Sign in" in body


def test_a_file_too_large_for_the_browser_is_told_of_the_command(server: Server, session: str) -> None:
    with server.connect() as wire:
        wire.sendall(post_upload(session, num_bytes=5 * MB))
        head, body = answer(wire)
    assert head.startswith("HTTP/1.1 413 ")
    assert "Files of more than 4 MB are imported with manage.py" in body


@pytest.mark.parametrize("status", [413, 408])
def test_programs_are_refused_in_the_one_shape(server: Server, status: int) -> None:
    with server.connect(seconds=5 * IDLE_SECONDS) as wire:
        wire.sendall(post("/api/v1/projects/sky/prompts", num_bytes=3 * MB if status == 413 else 1000))
        head, body = answer(wire)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert "content-type: application/json" in head.lower()
    error = json.loads(body)
    assert set(error) == {"status", "where", "what", "what_to_do", "others"}
    assert (error["status"], error["where"]) == (status, "body")


def test_all_bodies_together_take_no_more_of_the_disk_than_they_may(server: Server, session: str) -> None:
    body = upload_form(3 * MB)
    with server.connect() as first:
        first.sendall(post_upload(session, num_bytes=len(body)) + body[:-1])
        assert wait_until(lambda: bool(bodies_on_disk(server)), seconds=IDLE_SECONDS)
        with server.connect() as second:
            second.sendall(post_upload(session, num_bytes=len(body)) + body)
            assert answer(second)[0].startswith("HTTP/1.1 503 ")
        assert "200 OK" in ask(server.port, "GET /health/live/ HTTP/1.1")
    assert wait_until(lambda: not bodies_on_disk(server), seconds=10)
    with server.connect() as third:
        third.sendall(post_upload(session, num_bytes=len(body)) + body)
        assert answer(third)[0].startswith("HTTP/1.1 302 ")


def test_only_the_address_that_takes_files_takes_large_bodies() -> None:
    def largest(path: str, *headers: tuple[bytes, bytes]) -> int:
        scope: dict[str, Any] = {"path": path, "headers": headers}
        return limit_for(scope).num_bytes

    cookie = (b"cookie", f"a=b; {settings.SESSION_COOKIE_NAME}=x".encode())
    upload = reverse("new_import", args=["sky"])
    form = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert largest(upload, cookie) > settings.LARGEST_UPLOAD
    for without in ((), ((b"cookie", b"sessionid="),), ((b"cookie", b"theme=sessionid"),)):
        assert form < largest(upload, *without) < settings.FILE_UPLOAD_MAX_MEMORY_SIZE, "it may lie on disk"
    for path in (upload.rstrip("/"), f"{upload}x/", f"/p/a/b{upload}", reverse("data", args=["sky"]), "/api/v1/me"):
        assert largest(path, cookie) == largest("/")
    for path in (reverse("live"), reverse("ready"), reverse("stream", args=[uuid.uuid4()])):
        assert largest(path, cookie) <= 1024


def test_what_lies_on_disk_is_counted_until_it_is_closed(settings: Any) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE, settings.BODIES_ON_DISK = 10, 100
    before = Body.on_disk
    first, second = Body(), Body()
    for num_bytes, on_disk in ((8, 0), (60, 68), (30, 98)):  # the first lies in memory
        first.add(b"x" * num_bytes)
        assert Body.on_disk == before + on_disk
    with pytest.raises(BodyRefused) as refused:
        second.add(b"x" * 20)
    assert refused.value.status == 503
    first.close()
    assert Body.on_disk == before
    second.add(b"x" * 20)
    second.close()
    assert Body.on_disk == before


@pytest.mark.parametrize(("num_pieces", "is_taken"), [(1, True), (2, False)])
def test_the_pieces_of_a_body_that_names_no_length_are_added_up(num_pieces: int, is_taken: bool) -> None:
    pieces = [{"type": "http.request", "body": b"x" * 600, "more_body": left > 0} for left in range(num_pieces)]

    async def receive() -> dict[str, Any]:
        return pieces.pop()

    reading = read_body({"path": "/health/live/", "headers": []}, receive)
    if is_taken:
        body = asyncio.run(reading)
        assert len(body.read(1000)) == 600
        body.close()
        return
    with pytest.raises(BodyRefused) as refused:
        asyncio.run(reading)
    assert refused.value.status == 413


def _more(wire: socket.socket, read: bytes) -> bytes:
    chunk = wire.recv(65536)
    assert chunk, f"the connection ended after {read[:200]!r}"
    return chunk


def _readable(wire: socket.socket, *, seconds: float) -> list[Any]:
    return select.select([wire], [], [], seconds)[0]
