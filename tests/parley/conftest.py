"""A platform that programs talk to over a real socket, and a bad line in front of it."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from parley import Client
from tests.labeling.conftest import broker, store
from tests.parley.bad_line import BadLine

if TYPE_CHECKING:
    from labeling.models import Project, User

__all__ = ["broker", "store"]  # fixtures that are the platform's tests', too


@pytest.fixture
def project(transactional_db: None) -> "Project":
    from tests.labeling.factories import make_project  # Django is not set up yet when this file is read

    return make_project(slug="ours")


@pytest.fixture
def erin(project: "Project") -> "User":
    from tests.labeling.factories import make_user

    return make_user(username="erin", projects=[project])


@pytest.fixture
def token(erin: "User") -> str:
    from labeling.accounts.api_tokens import make_token
    from labeling.models import ApiToken

    return make_token(owner=erin, name="test", scopes=ApiToken.Scope.values, life=timedelta(days=1))[1]


@pytest.fixture
def line(live_server: Any) -> Iterator[BadLine]:
    server = BadLine(live_server.url)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(line: BadLine, token: str) -> Iterator[Client]:
    with Client(line.url, token, first_pause=0.01) as opened:
        yield opened
