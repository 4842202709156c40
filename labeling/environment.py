"""Typed readers of environment variables, and the folder that PARLEY_VAR names with the secret key in it.

An unset or empty variable gives the default. Every error names the variable, its value and what is wanted.
PARLEY_VAR is the only setting whose meaning is known here, because labeling.embedded needs it before
settings.py can be read; all others are in labeling.settings.
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

CHECKOUT = Path(__file__).resolve().parent.parent
_FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def text(name: str, *, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def choice(name: str, *, default: str, choices: tuple[str, ...]) -> str:
    value = text(name, default=default)
    _require_choice(name, value, choices)
    return value


def flag(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value not in _FLAGS:
        raise ImproperlyConfigured(f"{name}={value!r}: must be 1 or 0 (or true, false, yes, no, on, off).")
    return _FLAGS[value]


def integer(name: str, *, default: int, low: int = 0, high: int = 2**31 - 1) -> int:
    value = text(name, default=str(default))
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r}: must be a whole number.") from None
    if not low <= number <= high:
        raise ImproperlyConfigured(f"{name}={value}: must lie between {low} and {high}.")
    return number


def names(name: str, *, default: tuple[str, ...] = (), choices: tuple[str, ...] = ()) -> list[str]:
    """A list separated by commas or spaces; with `choices`, of nothing but these."""
    found = text(name).replace(",", " ").split() or list(default)
    for value in found if choices else ():
        _require_choice(name, value, choices)
    return found


def listed(name: str) -> list[str]:
    """A list separated by commas alone, for names that may have spaces."""
    return [part.strip() for part in text(name).split(",") if part.strip()]


def pairs(name: str, *, choices: tuple[str, ...]) -> dict[str, str]:
    """What a list separated by commas says of each name, which may have spaces: `people ops=admin, leads=reviewer`."""
    found: dict[str, str] = {}
    for entry in listed(name):
        key, equals, value = (part.strip() for part in entry.rpartition("="))
        if not (key and equals and value):
            raise ImproperlyConfigured(f"{name}: {entry!r} must be written name=value, separated by commas.")
        _require_choice(name, value, choices)
        found[key] = value
    return found


def days(name: str, *, least: dict[str, int]) -> dict[str, int]:
    """Numbers of days by kind, `drafts=365, visits=90`. `least` has every kind, and the fewest days of each."""
    found: dict[str, int] = {}
    for entry in listed(name):
        kind, _equals, value = (part.strip() for part in entry.partition("="))
        _require_choice(name, kind, tuple(least))
        if not value.isdecimal() or int(value) < least[kind]:
            raise ImproperlyConfigured(f"{name}: {entry!r} must be written {kind}=DAYS, of {least[kind]} days or more.")
        found[kind] = int(value)
    return found


def path(name: str, *, default: Path) -> Path:
    """An absolute path; a relative one is relative to the checkout."""
    return (CHECKOUT / Path(text(name, default=str(default))).expanduser()).resolve()


def database(url: str) -> dict[str, Any]:
    """The Django database settings for `postgresql://user:password@host:port/name?option=value`.

    `host` may also be given in the query, which is how the folder of a Unix socket is written; all other
    options in the query are passed to the driver (`sslmode=require`).
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(
            f"DATABASE_URL begins with {parts.scheme!r}: must be postgresql://user:password@host:port/name."
        )
    options = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ImproperlyConfigured("DATABASE_URL names no database: must end with /name.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


def var_directory() -> Path:
    """PARLEY_VAR: the folder of everything that Parley writes, unless another setting says otherwise."""
    return path("PARLEY_VAR", default=CHECKOUT / "var")


def make_var_directory(var: Path) -> None:
    """Create the var folder, private to us. As root others may pass through it: PostgreSQL runs as another user."""
    if not var.exists():
        var.mkdir(parents=True, exist_ok=True)
        var.chmod(0o711 if os.geteuid() == 0 else 0o700)


def development_secret_key(var: Path) -> str:
    """Read var/secret_key, making it first if it is missing. Two processes that both make it get the same key."""
    path = var / "secret_key"
    if not path.exists():
        make_var_directory(var)
        _write_new_file(path, secrets.token_urlsafe(64))
    return path.read_text().strip()


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: must be one of {', '.join(choices)}.")


def _write_new_file(path: Path, key: str) -> None:
    """Write the key to a file beside `path`, readable by us alone, and link it to `path` unless that exists by now.

    A link, unlike a rename, never replaces the key of another process, and no reader sees a half-written file.
    """
    staging = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        file.write(key + "\n")
    try:
        os.link(staging, path)
    except FileExistsError:
        pass
    finally:
        staging.unlink()
