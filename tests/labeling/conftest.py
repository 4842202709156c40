"""A project, people in it and their browsers, a store and the broker. A file that wants others has its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    import redis
    from django.test import Client

    from labeling.models import Lease, Project, User
    from tests.labeling.webhooks.listener import Listener


@pytest.fixture
def project() -> "Project":
    from tests.labeling.factories import make_project

    return make_project()


@pytest.fixture
def alice(project: "Project") -> "User":
    from tests.labeling.factories import make_user

    return make_user(username="alice", projects=[project])


@pytest.fixture
def bob(project: "Project") -> "User":
    from tests.labeling.factories import make_user

    return make_user(username="bob", projects=[project])


@pytest.fixture
def rita(project: "Project") -> "User":
    from tests.labeling.factories import make_user

    return make_user(username="rita", projects=[project])


@pytest.fixture
def erin(project: "Project") -> "User":
    from tests.labeling.factories import make_user

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
def store(tmp_path: Path, settings: Any) -> Path:
    """A model store of the test's own, empty."""
    settings.PARLEY_STORE = tmp_path / "store"
    settings.PARLEY_STORE.mkdir()
    return settings.PARLEY_STORE  # type: ignore[no-any-return]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """What is dispatched, as (task, arguments), instead of going to the broker."""
    calls: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        "labeling.jobs.dispatch.send_task", lambda task, **arguments: calls.append((task, arguments)) or True
    )
    return calls


@pytest.fixture
def listener(settings: Any) -> Iterator["Listener"]:
    """Somebody's server outside, which webhooks may call."""
    from tests.labeling.webhooks.listener import Listener

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


@pytest.fixture
def quick_passwords(settings: Any) -> None:
    """Argon2 is slow on purpose; a test of a page need not be."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def erins_browser(erin: "User") -> "Client":
    from tests.labeling.signed_in import as_user

    return as_user(erin)


@pytest.fixture
def held(project: "Project", alice: "User") -> "Lease":
    """Alice's place in a comparison."""
    from labeling.models import Lease
    from labeling.rankings import assignment
    from tests.labeling.factories import make_comparison

    make_comparison(project=project)
    claimed = assignment.claim(project, by=alice)
    assert isinstance(claimed, Lease)
    return claimed
