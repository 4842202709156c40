"""Directories that appear whole or not at all, with a SHA-256 for every file in them.

Exports and checkpoints are published alike: written under a temporary name on the same
file system, hashed, flushed, and renamed once. A reader that verifies a manifest knows
that it sees everything that the writer meant.
"""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from records.names import ERASED_FILE

MANIFEST = "manifest.json"
_SAFE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,200}$")


class ManifestError(ValueError):
    """A directory that is not what its manifest says: where, what, what to do."""


def publish_directory(staging: str | os.PathLike[str], target: str | os.PathLike[str], **facts: Any) -> str:
    """Hash and flush every file of `staging`, write its manifest, and rename it to `target`.

    `facts` go into the manifest beside the file list. An existing `target` is moved aside first and
    removed afterwards. Returns the SHA-256 of the manifest. Raises OSError (disk full, no permission)
    with nothing published.
    """
    staging, target = Path(staging), Path(target)
    files = {}
    for path in sorted(staging.iterdir()):
        if path.name == MANIFEST:
            continue
        _require_plain(path)
        flush(path)
        files[path.name] = {"sha256": sha256_of(path), "size": path.stat().st_size}
    text = json.dumps({**facts, "files": files}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    manifest = staging / MANIFEST
    manifest.write_text(text, encoding="utf-8")
    flush(manifest)
    flush(staging)
    target.parent.mkdir(parents=True, exist_ok=True)
    trash = target.with_name(f"trash-{os.getpid()}-{target.name}")
    if target.exists():
        target.rename(trash)
    staging.rename(target)
    flush(target.parent)
    shutil.rmtree(trash, ignore_errors=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a published directory. Raises ManifestError where there is none."""
    path = Path(directory) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ManifestError(
            f"{directory}: no {MANIFEST}; this is not a published directory, or its writing was cut off"
        ) from None
    except (ValueError, OSError) as error:
        raise ManifestError(f"{path}: unreadable: {error}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ManifestError(f'{path}: has no "files"')
    return manifest


def verify_directory(directory: str | os.PathLike[str], *, expected_sha256: str | None = None) -> dict[str, Any]:
    """Check every file against the manifest and return it.

    Raises ManifestError on a missing, changed or foreign file, on a name that could leave the
    directory, and where the manifest itself is not the one whose hash is `expected_sha256`.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    if expected_sha256 is not None and sha256_of(directory / MANIFEST) != expected_sha256:
        raise ManifestError(f"{directory}: its manifest is not the one on record; restore it or register it anew")
    for name, expected in manifest["files"].items():
        if not _SAFE_NAME.match(name):
            raise ManifestError(f"{directory}: manifest names a file that is not allowed: {name!r}")
        path = directory / name
        if not path.is_file() or path.is_symlink():
            raise ManifestError(f"{directory}: {name} is missing")
        if path.stat().st_size != expected["size"] or sha256_of(path) != expected["sha256"]:
            raise ManifestError(f"{directory}: {name} is damaged (its hash differs from the manifest)")
    present = {path.name for path in directory.iterdir()} - {MANIFEST, ERASED_FILE}
    foreign = sorted(present - set(manifest["files"]))
    if foreign:
        raise ManifestError(f"{directory}: holds {foreign[0]}, which the manifest does not name")
    return manifest


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Have a file's bytes, or a directory's names, on the disk before anything relies on them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _require_plain(path: Path) -> None:
    if not path.is_file() or path.is_symlink() or not _SAFE_NAME.match(path.name):
        raise ManifestError(f"{path}: only plain files with plain names can be published")
