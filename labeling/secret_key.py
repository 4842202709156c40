"""The secret key of a development checkout: made once at random, kept under var/, never in the code."""

import os
import secrets
from pathlib import Path

from labeling.environment import make_var_directory


def development_secret_key(var: Path) -> str:
    """Read var/secret_key, making it first if need be; two processes that both make it end with one."""
    path = var / "secret_key"
    if not path.exists():
        make_var_directory(var)
        _place_whole(path, secrets.token_urlsafe(64))
    return path.read_text().strip()


def _place_whole(path: Path, key: str) -> None:
    """Write beside `path`, readable by us alone, and link it in place unless another was faster."""
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
