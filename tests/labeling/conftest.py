"""A project and people in it, and the broker. A file that wants others has its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    import redis

    from labeling.models import Project, User
    from tests.labeling.listening import Listener


@pytest.fixture
def project() -> "Project":
    from tests.labeling.cast import make_project

    return make_project()


@pytest.fixture
def alice(project: "Project") -> "User":
    from tests.labeling.cast import make_user

    return make_user(username="alice", projects=[project])


@pytest.fixture
def bob(project: "Project") -> "User":
    from tests.labeling.cast import make_user

    return make_user(username="bob", projects=[project])


@pytest.fixture
def rita(project: "Project") -> "User":
    from tests.labeling.cast import make_user

    return make_user(username="rita", projects=[project])


@pytest.fixture
def erin(project: "Project") -> "User":
    from tests.labeling.cast import make_user

    return make_user(username="erin", role="engineer", projects=[project])


@pytest.fixture
def broker(engines: object) -> Iterator["redis.Redis"]:
    """The tests' broker, empty."""
    import redis
    from django.conf import settings

    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()


@pytest.fixture
def listener(settings: Any) -> Iterator["Listener"]:
    """Somebody's server outside, which webhooks may call."""
    from tests.labeling.listening import Listener

    settings.WEBHOOK_PRIVATE_HOSTS = ["127.0.0.1"]
    server = Listener()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def commits(django_capture_on_commit_callbacks: Any) -> Callable[[], AbstractContextManager[Any]]:
    """`with commits():` runs at its end what waits for a commit, and what that makes wait in turn."""
    return lambda: django_capture_on_commit_callbacks(execute=True)
