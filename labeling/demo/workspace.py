"""The demo's own folder: servers, database and model store of its own, emptied at the start of every run.

The platform of this machine runs on other servers and is never touched. The result can be opened as a platform:
PARLEY_VAR=var/demo make run.
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

_STORE_BEFORE = "PARLEY_DEMO_STORE"  # the store of the platform that started the demo


def environment_of_demo() -> dict[str, str]:
    """The environment variables with which a process works in the demo's folder."""
    var = Path(settings.PARLEY_VAR) / "demo"
    return {
        "PARLEY_VAR": str(var),
        "PARLEY_STORE": str(var / "store"),
        "PARLEY_ENV": "development",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        # Threads that wait for each other sleep. By default they spin, and when other processes use the cores
        # too, the spinning ones keep the last thread from its core: measured, twenty times slower.
        "OMP_WAIT_POLICY": environment.text("OMP_WAIT_POLICY", default="passive"),
        _STORE_BEFORE: str(settings.PARLEY_STORE),
    }


def is_entered() -> bool:
    """Whether this process works in the demo's folder."""
    return bool(environment.text(_STORE_BEFORE))


def demo_folder() -> Path:
    """The folder that this process works in."""
    assert is_entered(), "outside, this would be the platform's own folder"
    return Path(settings.PARLEY_VAR)


@contextmanager
def exclusive_lock() -> Iterator[None]:
    """Lock the folder: one demo at a time, and no platform on it, since `manage.py run` takes the same lock."""
    environment.make_var_directory(settings.PARLEY_VAR)
    with open(settings.PARLEY_VAR / "run.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepFailed(f"Another demo, or a platform, runs on {settings.PARLEY_VAR}. Stop it first.") from None
        yield


def reset() -> None:
    """Start the servers and delete what the last run left: database, messages, store and report."""
    embedded.ensure()
    _make_database()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
    shutil.rmtree(settings.PARLEY_STORE, ignore_errors=True)
    settings.PARLEY_STORE.mkdir(parents=True)
    for name in (JSON_FILE, PAGE_FILE):
        (settings.PARLEY_VAR / name).unlink(missing_ok=True)


def install_policy(directory: Path | None) -> str:
    """Put the starting policy, by default the bundled one, into the demo's store; returns its path in the store.

    Raises StepFailed where the directory holds no usable model.
    """
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
    """The bundled policy in the platform's store; converted there once, by a process of its own, since labeling may not
    import model libraries. Raises StepFailed.
    """
    store = environment.text(_STORE_BEFORE)
    command = [sys.executable, "-m", "language.bundled", "--store", store]
    done = subprocess.run(command, check=False, cwd=environment.CHECKOUT, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise StepFailed("The bundled model could not be made; the lines above say why.")
    return Path(store) / "policies" / BUNDLED


def _link(source: Path, target: Path) -> None:
    """A hard link, since published files never change; a copy where the store is on another disk."""
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
