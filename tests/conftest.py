"""What every package's tests share: engines of their own, a tiny policy, and no skip where all is required.

Tests never touch the servers or the files of the checkout: PARLEY_VAR is a temporary folder.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers
from jaxtyping import install_import_hook

# Shapes written in signatures are checked on every call. Before any of these packages is imported.
install_import_hook(["language", "rewardmodel", "contentfilter", "policy"], "beartype.beartype")

# The same examples in every run: who changes a line learns of that line only. `make fuzz` looks for other examples.
# A busy machine is slow to draw an example; that says nothing of the test.
hypothesis.settings.register_profile(
    "parley", derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.register_profile(
    "fuzz", hypothesis.settings.get_profile("parley"), derandomize=False, max_examples=1000
)
hypothesis.settings.load_profile("parley")

_made_var: Path | None = None
if find_spec("django"):
    # Before Django's settings are read. A worker of pytest-xdist finds the folder that the first process made.
    for _name in ("DATABASE_URL", "REDIS_URL", "PARLEY_ENV", "PARLEY_STORE", "PARLEY_STATIC", "PARLEY_VAR"):
        os.environ.pop(_name, None)
    if "PARLEY_TEST_VAR" not in os.environ:
        _made_var = Path(tempfile.mkdtemp(prefix="parley-test-"))
        _made_var.chmod(0o711)  # PostgreSQL's own user must pass where the tests run as root
        os.environ["PARLEY_TEST_VAR"] = str(_made_var)
    os.environ["PARLEY_VAR"] = os.environ["PARLEY_TEST_VAR"]
    os.environ["DJANGO_SETTINGS_MODULE"] = "labeling.settings"
    # Each worker's own: one may collect its static files, or empty its store, while another's pages read theirs.
    _worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _name, _folder in {"PARLEY_STATIC": "static", "PARLEY_STORE": "store"}.items():
        _own = Path(os.environ["PARLEY_VAR"]) / f"{_folder}-{_worker}"
        _own.mkdir(exist_ok=True)
        os.environ[_name] = str(_own)

    from django.conf import settings

    from labeling.celery import app
    from labeling.embedded import Urls, paths, start, stop, valkey
    from records.broker import broker_url

    # A worker has inherited the settings module and read it by now, with the store and broker of the first process.
    settings.PARLEY_STORE = Path(os.environ["PARLEY_STORE"])
    settings.REDIS_URL = os.environ["REDIS_URL"] = valkey.url(paths.Places(settings.PARLEY_VAR), db=_worker)
    app.conf.broker_url = broker_url(settings.REDIS_URL)
    settings.STORAGES = settings.STORAGES | {
        # No hashed names: a test of a page should not need collectstatic first.
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }

    @pytest.fixture(autouse=True)
    def _platform_sends() -> None:
        """The model side's Celery apps, which other tests import into this process, would else be current."""
        app.set_current()


def pytest_unconfigure() -> None:
    """Stop the servers, and remove them if this process made them. Many sessions in turn may share some that stay."""
    if find_spec("django") and os.environ.get("PARLEY_TEST_SERVERS_STAY") != "1":
        stop(settings.PARLEY_VAR)
    if _made_var:
        shutil.rmtree(_made_var, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Hypothesis mixes in the constants of every module of ours that is loaded: the examples of a test would depend on
    which others ran before it. Where it explores, that is welcome.
    """
    if hypothesis.settings.get_current_profile_name() == "parley":
        providers.is_local_module_file = lambda path: False  # type: ignore[assignment, attr-defined]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of GPUs are no part of the suite where there are none: a skip would be a failure of CI."""
    needing = [item for item in items if item.get_closest_marker("cuda")]
    if needing and not _has_two_gpus():
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]


def _has_two_gpus() -> bool:
    import torch

    return torch.cuda.device_count() >= 2


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """With PARLEY_REQUIRE_ALL=1 a skipped test is a failed one: CI must not grow blind."""
    outcome = yield
    _fail_if_skipped(outcome.get_result())  # type: ignore[attr-defined]


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """A file may also be skipped as a whole, while it is read."""
    outcome = yield
    _fail_if_skipped(outcome.get_result())  # type: ignore[attr-defined]


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Data sets of others, which PARLEY_TEST_DATA names, cannot be required: they are not in the repository."""
    if not report.skipped or hasattr(report, "wasxfail") or "PARLEY_TEST_DATA" in str(report.longrepr):
        return
    if os.environ.get("PARLEY_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, but PARLEY_REQUIRE_ALL=1 lets nothing be skipped: {report.longrepr}"


@pytest.fixture(scope="session")
def engines() -> "Urls":
    """PostgreSQL and Valkey of the tests' own, started once a session and shared by its workers."""
    return start(settings.PARLEY_VAR)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(engines: "Urls", django_db_modify_db_settings_parallel_suffix: None) -> None:
    """pytest-django asks for this before it makes its database: the moment to have a server."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Tests with transactions of their own empty every table at their end, which the audit refuses elsewhere."""
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {connection.settings_dict['NAME']} SET parley.audit_maintenance = 'truncate'")
        connection.close()  # the next one has the setting


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published tiny policy; read-only, since all tests of a session share it."""
    from tests.tiny import build_tiny_policy

    return build_tiny_policy(tmp_path_factory.mktemp("store") / "tiny")


@pytest.fixture(scope="session")
def bundled_policy() -> Path:
    """The real 135M policy, converted once a machine: PARLEY_TEST_STORE, or var/store of the checkout."""
    from language.bundled import ensure_bundled_policy

    store = Path(os.environ.get("PARLEY_TEST_STORE") or Path(__file__).parents[1] / "var" / "store")
    return ensure_bundled_policy(store)[0]
