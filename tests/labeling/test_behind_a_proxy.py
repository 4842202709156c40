"""Sign-in behind a proxy: a real uvicorn, started as Compose starts it, and a real reverse proxy in front.

Every part has a loopback address of its own: the proxy the one that Compose gives the gateway, each client another.
"""

import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from django.conf import settings
from django.db import connection

from labeling.accounts.guessing import FAILURES_PER_ADDRESS
from labeling.embedded.processes import wait_until
from labeling.models import SignInFailures
from tests import compose
from tests.labeling.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db(transaction=True)

NETWORK = "127.0.1"
GATEWAY = "127.0.1.1"  # not one of those that uvicorn believes of itself
GUESSER, ALICE = "127.0.0.11", "127.0.0.12"
ELSEWHERE = ("203.0.113.1", f"203.0.113.2, {GATEWAY}", ALICE, GATEWAY, "127.0.0.1", "::1", "nowhere")


class Proxy(BaseHTTPRequestHandler):
    """Forwards to `upstream`, with the headers that nginx sets by `$proxy_add_x_forwarded_for` and `$scheme`."""

    upstream: int

    def do_POST(self) -> None:
        said = self.headers.get("X-Forwarded-For")
        client = self.client_address[0]
        forwarded = {"X-Forwarded-For": f"{said}, {client}" if said else client, "X-Forwarded-Proto": "https"}
        body = self.rfile.read(int(self.headers["Content-Length"]))
        wire = HTTPConnection("127.0.0.1", self.upstream, timeout=60, source_address=(GATEWAY, 0))
        wire.request("POST", self.path, body, dict(self.headers) | forwarded)
        answer = wire.getresponse()
        self.send_response(answer.status)
        self.end_headers()
        self.wfile.write(answer.read())
        wire.close()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(static: Path, **variables: str) -> Iterator[int]:
    """The web service of docker-compose.yml with these variables, on the tests' database; gives its port.

    Dozens of wrong passwords are tried here: quick_settings hashes them quickly.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    service = compose.read("docker-compose.yml", **variables)["services"]["web"]
    values = connection.settings_dict
    ours = {
        "PARLEY_SECRET_KEY": secrets.token_urlsafe(64),
        "DATABASE_URL": f"postgresql://parley@/{values['NAME']}?host={quote(str(values['HOST']), safe='/')}",
        "REDIS_URL": settings.REDIS_URL,
        "PARLEY_STATIC": str(static),
        "DJANGO_SETTINGS_MODULE": "tests.labeling.quick_settings",
    }
    inherited = {name: value for name, value in os.environ.items() if name != "FORWARDED_ALLOW_IPS"}
    environment = inherited | service["environment"] | ours
    if not static.exists():
        collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
        subprocess.run(collect, cwd=compose.CHECKOUT, env=environment, check=True)
    command = service["command"].replace("0.0.0.0", "127.0.0.1").replace("8000", str(port)).split()
    server = subprocess.Popen([sys.executable, *command[1:]], cwd=compose.CHECKOUT, env=environment)
    try:
        assert wait_until(lambda: _answers(port) or server.poll() is not None, seconds=60)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first server collects what every one serves."""
    return tmp_path_factory.mktemp("served") / "static"


@pytest.fixture(scope="module")
def direct(django_db_setup: None, django_db_blocker: object, static: Path) -> Iterator[int]:
    """The port of the web server itself."""
    with served(static, PARLEY_ACCESS_NETWORK=NETWORK) as port:
        yield port


@pytest.fixture(scope="module")
def proxied(direct: int) -> Iterator[int]:
    """The port of the proxy in front of it."""
    handler = type("ProxyOfThisServer", (Proxy,), {"upstream": direct})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        yield proxy.server_address[1]
        proxy.shutdown()


@pytest.fixture(autouse=True)
def _alice(quick_passwords: None) -> None:
    make_user(username="alice", password=PASSWORD)


def sign_in(port: int, *, client: str, username: str, password: str = "wrong", claiming: str = "") -> int:
    """The status of an answer to `client`, who may claim to be somebody else."""
    token = secrets.token_hex(16)
    body = urlencode({"username": username, "password": password, "csrfmiddlewaretoken": token})
    headers = {
        "Host": "localhost",
        "Origin": "https://localhost",
        "Cookie": f"__Host-csrftoken={token}",
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-Proto": "https",
    }
    wire = HTTPConnection("127.0.0.1", port, timeout=60, source_address=(client, 0))
    wire.request("POST", "/sign-in/", body, headers | ({"X-Forwarded-For": claiming} if claiming else {}))
    status = wire.getresponse().status
    wire.close()
    return status


def guess(port: int, *, claiming: Sequence[str] = ("",)) -> list[int]:
    """As many wrong passwords as an address has and one more, each for another name."""
    return [
        sign_in(port, client=GUESSER, username=f"somebody-{number}", claiming=claiming[number % len(claiming)])
        for number in range(FAILURES_PER_ADDRESS + 1)
    ]


def failures() -> dict[str, int]:
    found = SignInFailures.objects.filter(key__startswith="address:").values_list("key", "num_failures")
    return {key.removeprefix("address:"): number for key, number in found}


SHUT_OUT_AT_LAST = [*[422] * FAILURES_PER_ADDRESS, 429]


def test_who_guesses_through_the_proxy_shuts_out_nobody_else(proxied: int) -> None:
    assert guess(proxied) == SHUT_OUT_AT_LAST
    assert failures() == {GUESSER: FAILURES_PER_ADDRESS}
    assert sign_in(proxied, client=ALICE, username="alice", password=PASSWORD) == 302


def test_who_claims_other_addresses_through_the_proxy_is_counted_under_their_own(proxied: int) -> None:
    assert guess(proxied, claiming=ELSEWHERE) == SHUT_OUT_AT_LAST
    assert failures() == {GUESSER: FAILURES_PER_ADDRESS}
    assert sign_in(proxied, client=ALICE, username="alice", password=PASSWORD) == 302


def test_who_does_not_come_through_the_proxy_can_claim_no_address(direct: int) -> None:
    for number, claim in enumerate(ELSEWHERE):
        sign_in(direct, client="127.0.0.1", username=f"somebody-{number}", claiming=claim)
    assert failures() == {"127.0.0.1": len(ELSEWHERE)}


def test_where_no_proxy_is_named_nobody_can_claim_an_address(static: Path) -> None:
    """As docker-compose.open.yml has it without a proxy: not even by the gateway, by which strangers may come in."""
    with served(static, PARLEY_ACCESS_NETWORK=NETWORK, FORWARDED_ALLOW_IPS="") as port:
        for client in (GATEWAY, "127.0.0.1"):
            sign_in(port, client=client, username="somebody", claiming="203.0.113.1")
    assert failures() == {GATEWAY: 1, "127.0.0.1": 1}


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
