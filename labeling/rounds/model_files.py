"""What the platform reads of a model's directory in the store; loads no model, and trusts no size.

A directory may be missing or half there where the store is not shared: then there is nothing to read.
"""

import json
from pathlib import Path
from typing import Any

from django.conf import settings

from labeling.models import Policy, RewardModel
from labeling.web.tar_stream import TarMember
from records import ManifestError, read_manifest
from records.manifest import MANIFEST

CARD = "card.md"
_MOST_BYTES = 2**20  # of a file that is read whole


def directory_of(model: Policy | RewardModel) -> Path | None:
    """The model's directory, if it has one inside the store."""
    store = Path(settings.PARLEY_STORE).resolve()
    directory = (store / model.store_path).resolve()
    is_inside = model.store_path and directory.is_relative_to(store) and directory != store
    return directory if is_inside and directory.is_dir() else None


def context_of(model: Policy | RewardModel) -> int | None:
    """How many tokens the model was made for, as its config.json says; None where that cannot be read."""
    values = _json(model, "config.json")
    inner = values.get("text_config")
    context = (inner if isinstance(inner, dict) else values).get("max_position_embeddings")
    return context if isinstance(context, int) and context > 0 else None


def card_of(model: Policy | RewardModel) -> str:
    """The model's card as Markdown, without its title; empty where it has none."""
    return _text(model, CARD).partition("\n")[2]


def members_of(model: Policy | RewardModel) -> list[TarMember]:
    """What a download of the model holds: the files of its manifest as published, and the manifest.

    None where the directory is gone, or is not what its manifest says.
    """
    directory = directory_of(model)
    if directory is None:
        return []
    try:
        listed = read_manifest(directory)["files"]
        found = [(name, directory / name, facts["size"]) for name, facts in sorted(listed.items())]
        found.append((MANIFEST, directory / MANIFEST, (directory / MANIFEST).stat().st_size))
        is_whole = all(path.is_file() and path.stat().st_size == size for _, path, size in found)
    except (ManifestError, OSError, KeyError, TypeError):
        return []
    return [TarMember(name=f"{model.name}/{name}", path=path, size=size) for name, path, size in found if is_whole]


def _json(model: Policy | RewardModel, name: str) -> dict[str, Any]:
    try:
        values = json.loads(_text(model, name))
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _text(model: Policy | RewardModel, name: str) -> str:
    """A file of the model's directory, at most a mebibyte of it; empty where there is none."""
    directory = directory_of(model)
    if directory is None:
        return ""
    try:
        with open(directory / name, "rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
