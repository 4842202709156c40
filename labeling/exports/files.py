"""The files of a finished export, as its manifest lists them. Downloads serve these names and no others."""

from pathlib import Path
from typing import Any

from labeling.exports.requests import exports_folder
from labeling.models import Export
from records import ManifestError, read_manifest
from records.manifest import MANIFEST


def directory_of(export: Export) -> Path:
    return exports_folder() / str(export.id)


def files_of(export: Export) -> list[dict[str, Any]]:
    """Name, size in bytes and SHA-256 of each file; none for an export that is unfinished or gone from the store."""
    if export.state != Export.State.DONE:
        return []
    try:
        listed = read_manifest(directory_of(export))["files"]
    except ManifestError:
        return []
    size = (directory_of(export) / MANIFEST).stat().st_size
    manifest = {"name": MANIFEST, "size": size, "sha256": export.manifest_sha256}
    return [{"name": name, **facts} for name, facts in sorted(listed.items())] + [manifest]
