"""A real browser against a real server: Chromium or Firefox from the PATH, uvicorn in a process of its own.

The server uses the tests' database and broker and the hashed static files of production. Every page
error, console error and violation of the content security policy fails the test that caused it.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

# The browser's event loop runs in this thread; the tests' own queries stand beside it, not inside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

from django.conf import settings
from django.db import connection
from django.test import Client

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from labeling.models import Comparison, Project, User

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 30_000  # milliseconds that a page is waited for; how busy a machine is says nothing of the page
expect.set_options(timeout=PATIENCE)
SCREENSHOTS = Path(os.environ.get("PARLEY_SCREENSHOTS", settings.PARLEY_VAR / "screenshots"))
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
NARROW = {"width": 360, "height": 740}
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("in_both_browsers"):
        metafunc.parametrize("browser", ["chromium", "firefox"], indirect=True)


@pytest.fixture(scope="module")
def playwright_process() -> Iterator[Playwright]:
    """Ended with each file: while it lives, no test of the same process can run an event loop of its own."""
    with sync_playwright() as process:
        yield process


@pytest.fixture(scope="module")
def browsers(playwright_process: Playwright) -> Iterator[Callable[[str], Browser]]:
    """The browser of a name, started when the first test asks for it."""
    started: dict[str, Browser] = {}

    def named(name: str) -> Browser:
        if name not in started:
            started[name] = {"chromium": _chromium, "firefox": _firefox}[name](playwright_process)
        return started[name]

    yield named
    for one in started.values():
        one.close()


@pytest.fixture
def browser(request: pytest.FixtureRequest, browsers: Callable[[str], Browser]) -> Browser:
    """Chromium; in tests marked `in_both_browsers` each of the two in turn."""
    return browsers(getattr(request, "param", "chromium"))


def _chromium(process: Playwright) -> Browser:
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        pytest.skip("no browser: put chromium or google-chrome on the PATH (Debian: apt-get install chromium)")
    return process.chromium.launch(executable_path=executable, args=_FLAGS)


def _firefox(process: Playwright) -> Browser:
    if not any(map(shutil.which, ("firefox-esr", "firefox"))):
        pytest.skip("no second browser: put firefox-esr on the PATH (Debian: apt-get install firefox-esr)")
    stands_between = CHECKOUT / "tests" / "browser" / "stock_firefox.py"
    preferences = {"ui.prefersReducedMotion": 1, "ui.systemUsesDarkTheme": 0}
    return process.firefox.launch(
        channel="moz-firefox",
        executable_path=stands_between,
        firefox_user_prefs=preferences,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def platform_url(django_db_setup: None, django_db_blocker: object) -> Iterator[str]:
    """The address of a web server on the tests' own database."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    values = connection.settings_dict
    host = quote(str(values["HOST"]), safe="/")
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://{values['USER']}@/{values['NAME']}?host={host}",
        "REDIS_URL": settings.REDIS_URL,
        "PARLEY_VAR": str(settings.PARLEY_VAR),
    }
    manage = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
    subprocess.run(manage, cwd=CHECKOUT, env=environment, check=True)
    log = (Path(settings.PARLEY_VAR) / f"browser-tests-{port}.log").open("w")
    command = [sys.executable, "-m", "uvicorn", "labeling.asgi:application", "--port", str(port), "--no-access-log"]
    server = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, server, Path(log.name))
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)
        log.close()


@pytest.fixture
def open_page(browser: Browser, platform_url: str, transactional_db: None) -> Iterator[Callable[..., Page]]:
    """Opens a page as somebody: `open_page("/p/x/rank/", user=alice, viewport=PHONE, colour_scheme="dark")`."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_as(
        path: str, *, user: "User | None" = None, viewport: dict[str, int] = DESKTOP, colour_scheme: str = "light"
    ) -> Page:
        context = browser.new_context(
            viewport=viewport,  # type: ignore[arg-type]
            color_scheme=colour_scheme,  # type: ignore[arg-type]
            has_touch=viewport["width"] < 600,
            base_url=platform_url,
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        if user is not None:
            context.add_cookies([{"name": "sessionid", "value": _session_of(user), "url": platform_url}])
        page = context.new_page()
        page.on("pageerror", lambda error: _note_problem(f"{page.url}: {error}", problems))
        page.on("console", lambda line: line.type == "error" and _note_problem(f"console: {line.text}", problems))
        _press_when_loaded(page)
        page.goto(path)
        return page

    yield open_as
    for context in contexts:
        context.close()
    _wait_until_idle()
    assert not problems, "\n".join(problems)


@pytest.fixture
def project() -> "Project":
    """The one of tests/browser/ranking_page.py; a file that wants another has its own."""
    from tests.labeling.factories import make_project

    return make_project(slug="bread", asks_ratings=False)


@pytest.fixture
def comparison(project: "Project") -> "Comparison":
    from tests.browser.ranking_page import bread_comparison

    return bread_comparison(project)


@pytest.fixture
def alice(project: "Project") -> "User":
    from tests.labeling.factories import make_user

    return make_user(username="alice", projects=[project])


@pytest.fixture
def rita(project: "Project") -> "User":
    from tests.labeling.factories import make_user

    return make_user(username="rita", projects=[project])


@pytest.fixture
def erin(project: "Project") -> "User":
    from tests.labeling.factories import make_user

    return make_user(username="erin", role="engineer", projects=[project])


@pytest.fixture
def store() -> Iterator[Path]:
    """The store that the server of these tests reads too, empty."""
    folder = Path(settings.PARLEY_STORE)
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def keep_screenshot() -> Callable[[Page, str], Path]:
    """Leaves a picture of the page under PARLEY_SCREENSHOTS (var/screenshots of the tests without it)."""

    def keep(page: Page, name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        # Playwright hides the caret by an inline style, and Firefox reports that as a breach of the page's policy.
        if page.context.browser.browser_type.name != "firefox":  # type: ignore[union-attr]
            page.screenshot(path=path)
        return path

    return keep


def _press_when_loaded(page: Page) -> None:
    """Keys wait for the page's scripts, as people do: text is on the screen before anything listens."""
    press = page.keyboard.press

    def press_when_loaded(key: str, **how: float) -> None:
        page.wait_for_load_state()
        press(key, **how)

    page.keyboard.press = press_when_loaded  # type: ignore[assignment, method-assign]


def _session_of(user: "User") -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def _note_problem(text: str, problems: list[str]) -> None:
    # The browser and htmx log every answer of 400 and above, and every lost network, as an error; tests of
    # refusals cause those on purpose. The last line is what Firefox says of an event stream.
    caused = ["Failed to load resource", "Response Status Error Code", "htmx:sendError", "htmx:afterRequest"]
    caused += ["can’t establish a connection to the server at", "was interrupted while the page was loading"]
    if not any(cause in text for cause in caused):
        problems.append(text)


def _wait_until_idle(seconds: float = 10.0) -> None:
    """Until the server has done what the closed pages asked of it: emptying the tables could deadlock with that."""
    deadline = time.monotonic() + seconds
    busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> %s"
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(busy, [connection.connection.info.backend_pid])
            if cursor.fetchone()[0] == 0:
                return
            time.sleep(0.05)


def _wait_until_up(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"the web server ended by itself:\n{log.read_text()[-4000:]}")
        try:
            urllib.request.urlopen(f"{url}/health/live/", timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the web server did not answer within 30 seconds:\n{log.read_text()[-4000:]}")
