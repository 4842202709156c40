"""The folders of the servers: data under var/, sockets in a folder of their own with a short path.

PostgreSQL refuses to run as root, so a root's database belongs to the system user `pgserver`; where
that user cannot enter the checkout, its data and a copy of the programs live under /var/lib/parley.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from labeling import environment

SYSTEM_USER = "pgserver"
REACHABLE = Path("/var/lib/parley")
_NOT_NEEDED = shutil.ignore_patterns("pginstall", "include", "__pycache__")  # pginstall is PostgreSQL 16
_MAX_SOCKET_PATH = 100  # bytes; the kernel's limit is 108 on Linux, 104 on macOS


class EngineError(RuntimeError):
    """A server that cannot be started: which, why, what to do."""


@dataclass(frozen=True)
class Places:
    """The folders of one set of engines, all derived from its var folder and the user's id."""

    var: Path

    @cached_property
    def runtime(self) -> Path:
        """The folder of the sockets. Not under var: a socket's path must be short."""
        key = hashlib.sha256(f"{self.var.resolve()}\0{os.getuid()}".encode()).hexdigest()[:12]
        base = Path("/tmp")  # noqa: S108 (not $TMPDIR, which may differ between two terminals; _claim guards it)
        return (base if base.is_dir() else Path(tempfile.gettempdir())) / f"parley-{key}"

    @property
    def database(self) -> Path:
        return self.var / "postgresql"

    @property
    def database_sockets(self) -> Path:
        return self.runtime / "pg"

    @property
    def valkey(self) -> Path:
        return self.var / "valkey"

    @property
    def valkey_socket(self) -> Path:
        return self.runtime / "valkey.sock"

    def log(self, name: str) -> Path:
        return self.var / "log" / f"{name}.log"

    def make_var(self) -> None:
        environment.make_var_directory(self.var)
        (self.var / "log").mkdir(exist_ok=True)

    def make(self) -> None:
        """Create the folders of the sockets. Raises EngineError where one is someone else's."""
        longest = os.fsencode(self.database_sockets / ".s.PGSQL.5432.lock")
        if len(longest) > _MAX_SOCKET_PATH:
            raise EngineError(f"{self.runtime}: too long a path for a socket. Set DATABASE_URL and REDIS_URL.")
        account = database_account()
        _claim(self.runtime, mode=0o711 if account else 0o700)
        _claim(self.database_sockets, mode=0o700, account=account)


def database_account() -> pwd.struct_passwd | None:
    """The system user that PostgreSQL runs as; None where we are not root and need none."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(
            f"PostgreSQL refuses to run as root, and the system user {SYSTEM_USER} cannot be made ({error}). "
            "Run Parley as a plain user, or set DATABASE_URL to a PostgreSQL of your own."
        ) from error
    return pwd.getpwnam(SYSTEM_USER)


def package_folder(package: str, *, variable: str) -> Path:
    """The folder of an installed wheel, found without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise EngineError(
            f"The package {package} is not installed (it has no wheel for every platform). "
            f"Install it, or set {variable} to a server of your own."
        )
    return Path(spec.origin).parent


def reachable_database(places: Places, account: pwd.struct_passwd | None) -> Path:
    """The data folder's real path; made under /var/lib/parley where `account` cannot enter var/."""
    if account and not places.database.exists() and not _may_enter(places.var, account):
        REACHABLE.mkdir(mode=0o755, parents=True, exist_ok=True)
        elsewhere = Path(tempfile.mkdtemp(prefix="postgresql-", dir=REACHABLE))
        elsewhere.chmod(0o711)
        places.database.unlink(missing_ok=True)
        places.database.symlink_to(elsewhere / "data")
        _say(f"user {SYSTEM_USER} cannot enter {places.var}: the database lives in {elsewhere}")
    return Path(os.path.realpath(places.database))


def reachable_programs(package: Path, account: pwd.struct_passwd | None) -> Path:
    """The wheel's folder, or a copy of it that `account` can enter. Programs find their libraries beside them."""
    if account is None or _may_enter(package, account):
        return package
    version = hashlib.sha256(f"{package}\0{package.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    copy = REACHABLE / f"programs-{version}"
    if not copy.exists():
        REACHABLE.mkdir(mode=0o755, parents=True, exist_ok=True)
        _say(f"user {SYSTEM_USER} cannot enter {package}: copying PostgreSQL's programs to {copy}")
        staging = Path(tempfile.mkdtemp(prefix="programs-", dir=REACHABLE))
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.exists():
                shutil.copytree(source, staging / source.name, symlinks=True, ignore=_NOT_NEEDED)
        for found in [staging, *staging.rglob("*")]:
            if not found.is_symlink():
                found.chmod(found.stat().st_mode | (0o555 if found.is_dir() else 0o444))
        staging.rename(copy)
    return copy / package.name


def _claim(folder: Path, *, mode: int, account: pwd.struct_passwd | None = None) -> None:
    """Make `folder` ours alone. /tmp is everyone's: a folder that another user put there is refused."""
    owner = account.pw_uid if account else os.geteuid()
    folder.mkdir(mode=mode, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid not in (owner, os.geteuid()):
        raise EngineError(f"{folder} belongs to another user. Remove it, or set PARLEY_VAR to another folder.")
    if account and status.st_uid != owner:
        os.chown(folder, owner, account.pw_gid)
    folder.chmod(mode)


def _may_enter(folder: Path, account: pwd.struct_passwd) -> bool:
    """Whether `account` may pass through every folder down to and including this one."""
    folder = folder.resolve()
    return all(_has_search_bit(step.stat(), account) for step in (folder, *folder.parents))


def _has_search_bit(status: os.stat_result, account: pwd.struct_passwd) -> bool:
    if status.st_uid == account.pw_uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.pw_gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def _say(line: str) -> None:
    print(f"parley: {line}", file=sys.stderr, flush=True)
