"""The demo's own folder: servers, database and model store of its own, empty at the start of every run.

What people did on this machine's platform is in other servers and is never touched. The run can be looked
at afterwards as a platform of its own: PARLEY_VAR=var/demo make run.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import redis
from django.conf import settings
from psycopg2 import sql

from labeling import embedded, environment
from labeling.demo.polling import StepFailed
from labeling.demo.report_page import JSON_FILE, PAGE_FILE
from labeling.sampling.policies import BUNDLED
from records import ManifestError, publish_directory, verify_directory
from records.manifest import MANIFEST

_STORE_BEFORE = "PARLEY_DEMO_STORE"  # the store of the platform from which the demo was called


def environment_of_demo() -> dict[str, str]:
    """What a process must find in its environment to work in the demo's folder."""
    var = Path(settings.PARLEY_VAR) / "demo"
    return {
        "PARLEY_VAR": str(var),
        "PARLEY_STORE": str(var / "store"),
        "PARLEY_ENV": "development",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        # Threads of one operation wait for one another asleep. By default they spin, and where another process
        # wants the cores as well the one that all wait for does not get one: twenty times slower, measured.
        "OMP_WAIT_POLICY": environment.text("OMP_WAIT_POLICY", default="passive"),
        _STORE_BEFORE: str(settings.PARLEY_STORE),
    }


def is_entered() -> bool:
    """Whether this process works in the demo's folder already."""
    return bool(environment.text(_STORE_BEFORE))


def demo_folder() -> Path:
    """Where this process works."""
    assert is_entered(), "outside, this would be the platform's own folder"
    return Path(settings.PARLEY_VAR)


@contextmanager
def alone() -> Iterator[None]:
    """One run to a folder, and no platform on it meanwhile: `manage.py run` holds the same lock."""
    environment.make_var_directory(settings.PARLEY_VAR)
    with open(settings.PARLEY_VAR / "run.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepFailed(f"Another demo, or a platform, runs on {settings.PARLEY_VAR}. Stop it first.") from None
        yield


def empty() -> None:
    """Start the servers and remove what the last run left: database, messages, store, logs of workers, report."""
    embedded.ensure()
    _make_database()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
    shutil.rmtree(settings.PARLEY_STORE, ignore_errors=True)
    settings.PARLEY_STORE.mkdir(parents=True)
    for name in (JSON_FILE, PAGE_FILE):
        (settings.PARLEY_VAR / name).unlink(missing_ok=True)


def bring_policy(directory: Path | None) -> str:
    """Put the policy to begin with into the demo's store; returns its path in it. Bundled unless one is given."""
    source = directory or _bundled_policy()
    if not (source / "config.json").is_file():
        raise StepFailed(f"{source} holds no model: a directory with config.json, *.safetensors and a tokenizer.")
    target = Path(settings.PARLEY_STORE) / "policies" / source.name.lower()
    staging = target.with_name(f".bringing-{target.name}")
    staging.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.is_file():
            _link(path.resolve(), staging / path.name)
    try:
        if (staging / MANIFEST).exists():
            staging.rename(target)
            verify_directory(target)
        else:
            publish_directory(staging, target, kind="policy", name=target.name)
    except ManifestError as error:
        raise StepFailed(f"The policy cannot be used: {error}") from error
    return f"policies/{target.name}"


def _bundled_policy() -> Path:
    """Converted once, in the store of the platform, in a process of its own: this side imports no model library."""
    store = environment.text(_STORE_BEFORE)
    command = [sys.executable, "-m", "language.bundled", "--store", store]
    done = subprocess.run(command, check=False, cwd=environment.CHECKOUT, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise StepFailed("The bundled model could not be made; the lines above say why.")
    return Path(store) / "policies" / BUNDLED


def _link(source: Path, target: Path) -> None:
    """A second name for the same bytes, which nobody changes; a copy where the store is on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _make_database() -> None:
    values = settings.DATABASES["default"]
    name = sql.Identifier(values["NAME"])
    server = psycopg2.connect(host=values["HOST"], user=values["USER"], dbname="postgres")
    try:
        server.autocommit = True
        with server.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(name))
    finally:
        server.close()
