"""Files of an export onto a disk: resumed where a download broke off, whole or not there, and what they claim to be.

And files on a disk as a request carries them.
"""

import gzip
import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import httpx2

from parley.connection import PASSING, TRIES, Connection, ParleyError


def download(connection: Connection, path: str, file: dict[str, Any], folder: Path) -> Path:
    """Fetch one file into the folder under its own name. Raises ParleyError where its bytes are not those promised."""
    name, sha256 = str(file["name"]), str(file["sha256"])
    if Path(name).name != name or name in ("", ".."):
        raise ParleyError(0, "files", f"The platform names a file {name!r}, which is no plain name.")
    target = folder / name
    if target.is_file() and _hash_of(target) == sha256:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    _fetch(connection, path, part, size=file["size"])
    if _hash_of(part) != sha256:
        part.unlink()
        raise ParleyError(0, name, "The bytes that came are not those of the manifest.", "Download it again.")
    part.replace(target)
    return target


def packed(path: Path) -> tuple[str, str]:
    """The name and the content of a file to be imported: compressed, in base64."""
    content = path.read_bytes()
    is_packed = path.suffix in (".gz", ".parquet")
    name = path.name if is_packed else f"{path.name}.gz"
    return name, b64encode(content if is_packed else gzip.compress(content, mtime=0)).decode()


def _fetch(connection: Connection, path: str, part: Path, *, size: int) -> None:
    """Write until it is all there; every attempt goes on where the one before it stopped."""
    for attempt in range(1, TRIES + 1):
        try:
            _go_on(connection, path, part)
            return
        except (httpx2.TransportError, ParleyError) as error:
            if isinstance(error, ParleyError) and error.status not in PASSING:
                raise
            if attempt == TRIES:
                done = part.stat().st_size if part.exists() else 0
                what = f"The download broke off at {done} of {size} bytes: {error}"
                raise ParleyError(0, path, what, "The same command goes on from there.") from error
            connection.wait(attempt)


def _go_on(connection: Connection, path: str, part: Path) -> None:
    start = part.stat().st_size if part.exists() else 0
    try:
        with connection.stream(path, start=start) as (begins, pieces), part.open("r+b" if begins else "wb") as out:
            out.seek(begins)
            for piece in pieces:
                out.write(piece)
    except ParleyError as error:
        if error.status != 416:  # it asked for what comes after the end: it is all there
            raise


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
