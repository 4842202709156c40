"""Requests to addresses outside over TLS: only to who can prove to be the host, wherever its name leads."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from labeling.webhooks import outbound_http
from labeling.webhooks.outbound_http import OutboundError


class _Agreeing(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself; the key is in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine")
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([openssl, *asked.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def port(certificate: Path, settings: Any) -> Iterator[int]:
    settings.WEBHOOK_PRIVATE_HOSTS = ["localhost", "other.example"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Agreeing)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_server_that_dribbles_is_left(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr("labeling.webhooks.outbound_http.LONGEST_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_dribble, args=(door,), daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(OutboundError, match="does not answer"):
            outbound_http.post(f"http://127.0.0.1:{door.getsockname()[1]}/", b"{}", {})
    assert time.monotonic() - begun < 5


def _dribble(door: socket.socket) -> None:
    """The beginning of an answer, a letter at a time, for ten seconds."""
    wire, _peer = door.accept()
    with wire, suppress(OSError):
        for letter in b"HTTP/1.1 200 " + b"O" * 100:
            wire.sendall(bytes([letter]))
            time.sleep(0.1)


def test_a_certificate_that_nobody_vouches_for_is_refused(port: int) -> None:
    with pytest.raises(OutboundError, match="certificate"):
        outbound_http.post(f"https://localhost:{port}/", b"{}", {})


def test_a_host_that_proves_itself_is_told(port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert outbound_http.post(f"https://localhost:{port}/", b"{}", {}) == 200


def test_an_address_that_does_not_answer_gives_way_to_the_next(
    port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    found = [(10, 1, 6, "", ("::1", port, 0, 0)), (2, 1, 6, "", ("127.0.0.1", port))]
    really = socket.getaddrinfo

    def two_addresses(host: str, *rest: Any, **more: Any) -> Any:
        return found if host == "localhost" else really(host, *rest, **more)

    monkeypatch.setattr("labeling.webhooks.outbound_http.socket.getaddrinfo", two_addresses)
    assert outbound_http.post(f"https://localhost:{port}/", b"{}", {}) == 200


def test_a_proof_for_another_name_is_none(port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    really = socket.getaddrinfo

    def leads_here(host: str, *rest: Any, **more: Any) -> Any:
        return really("127.0.0.1" if host == "other.example" else host, *rest, **more)

    monkeypatch.setattr("labeling.webhooks.outbound_http.socket.getaddrinfo", leads_here)
    with pytest.raises(OutboundError, match=r"not valid for|Hostname mismatch"):
        outbound_http.post(f"https://other.example:{port}/", b"{}", {})


def test_it_connects_to_the_address_that_was_judged_whatever_the_name_leads_to_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is resolved once more may lead into our own network the second time."""
    called = []

    def call(address: tuple[str, int], timeout: float) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    found = [(2, 1, 6, "", (f"93.184.216.{number}", 443)) for number in range(9)]
    monkeypatch.setattr("labeling.webhooks.outbound_http.socket.getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr("labeling.webhooks.outbound_http.socket.create_connection", call)
    with pytest.raises(OutboundError, match="does not answer"):
        outbound_http.post("https://rebinding.example/", b"{}", {})
    assert called == [(f"93.184.216.{number}", 443) for number in range(3)]
