"""The embedded servers after real signals: found dead or dying, started again, with every row."""

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import redis

from labeling import embedded
from labeling.embedded import EngineError, postgresql, processes
from labeling.embedded.paths import Places
from tests.labeling.embedded.servers import (
    pids,
    read_rows,
    read_rows_after,
    servers_of,
    wait,
    write_row,
)


@pytest.mark.parametrize("name", ["postgresql", "valkey"])
def test_a_killed_server_is_started_again_with_its_rows(var: Path, name: str) -> None:
    urls = embedded.start(var)
    write_row(urls.database)
    killed = pids(var)[name]
    os.kill(killed, signal.SIGKILL)
    wait(lambda: not processes.is_alive(killed))
    assert embedded.start(var) == urls
    assert pids(var)[name] != killed
    assert read_rows(urls.database) == [(1,)]
    assert redis.Redis.from_url(urls.redis).ping()
    embedded.stop(var)


def test_a_server_killed_under_a_parent_that_never_collects_it_is_started_again(
    var: Path, user_of: Callable[..., subprocess.Popen[str]]
) -> None:
    """It stays a zombie, whose id still answers: PostgreSQL alone would take its lock file for a live server's."""
    parent = user_of(var)
    killed = pids(var)
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    wait(lambda: all(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in killed.values()))
    urls = embedded.start(var)
    assert parent.poll() is None
    assert not set(pids(var).values()) & set(killed.values())
    write_row(urls.database)
    embedded.stop(var)


def test_every_process_killed_at_once_loses_no_row(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    user = user_of(var)
    write_row(postgresql.url(Places(var)))
    for server in servers_of(Places(var)):
        server.kill()
    user.kill()
    user.wait()
    urls = embedded.start(var)
    assert read_rows(urls.database) == [(1,)]
    embedded.stop(var)


def test_a_server_that_dies_while_it_is_found_is_not_taken_for_ready(
    var: Path, user_of: Callable[..., subprocess.Popen[str]]
) -> None:
    """Frozen it looks as one does that was killed a moment ago: alive, its files in order, and deaf."""
    user_of(var)
    write_row(postgresql.url(Places(var)))
    dying = psutil.Process(pids(var)["postgresql"])
    dying.suspend()
    end = threading.Timer(1.0, dying.kill)
    end.start()
    urls = embedded.start(var)
    assert read_rows(urls.database) == [(1,)]
    assert pids(var)["postgresql"] != dying.pid
    embedded.stop(var)


def test_a_server_that_is_deaf_for_good_is_named(
    var: Path, user_of: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_of(var)
    monkeypatch.setattr(postgresql, "_ANSWER_SECONDS", 1.0)
    deaf = psutil.Process(pids(var)["postgresql"])
    deaf.suspend()
    try:
        with pytest.raises(EngineError, match=rf"process {deaf.pid}\) runs and does not answer"):
            embedded.start(var)
    finally:
        deaf.resume()
    assert embedded.start(var)
    embedded.stop(var)


def test_stale_files_that_name_another_process_are_seen_through(var: Path) -> None:
    """After a restart of the machine the old ids belong to whomever; here, to this very test."""
    places = Places(var)
    urls = embedded.start(var)
    write_row(urls.database)
    lines = (places.database / "postmaster.pid").read_text().splitlines()
    embedded.stop(var)
    stale = "\n".join([str(os.getpid()), *lines[1:]]) + "\n"
    (places.database / "postmaster.pid").write_text(stale)
    (places.valkey / "valkey.pid").write_text(f"{os.getpid()}\n")
    places.make()
    (places.database_sockets / ".s.PGSQL.5432.lock").write_text(stale)
    for name in (places.database_sockets / ".s.PGSQL.5432", places.valkey_socket):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(name))
    assert embedded.start(var) == urls
    assert read_rows(urls.database) == [(1,)]
    embedded.stop(var)


def test_sockets_that_a_cleaner_of_tmp_removed_come_back(var: Path) -> None:
    urls = embedded.start(var)
    write_row(urls.database)
    shutil.rmtree(Places(var).runtime)
    assert embedded.start(var) == urls
    assert read_rows(urls.database) == [(1,)]
    assert redis.Redis.from_url(urls.redis).ping()
    embedded.stop(var)


def test_a_start_killed_while_it_makes_the_database_leaves_nothing_in_the_way(
    var: Path, user_of: Callable[..., subprocess.Popen[str]]
) -> None:
    user = user_of(var, wait=False)
    wait(lambda: var.exists() and any(var.glob(".new-postgresql-*/base")))
    user.kill()
    user.wait()
    urls = embedded.start(var)
    assert read_rows_after(urls.database) == 1
    embedded.stop(var)


def test_a_damaged_log_of_the_broker_is_moved_aside(var: Path, capfd: pytest.CaptureFixture[str]) -> None:
    urls = embedded.start(var)
    redis.Redis.from_url(urls.redis).set("hint", "look")
    embedded.stop(var)
    log = next(Places(var).valkey.glob("appendonlydir/*.incr.aof"))
    log.write_bytes(b"\x00 this was never a log \r\n" * 50)
    embedded.start(var)
    assert redis.Redis.from_url(urls.redis).get("hint") is None
    assert "could not read its log" in capfd.readouterr().err
    assert list(Places(var).valkey.glob("damaged-*"))
    embedded.stop(var)
