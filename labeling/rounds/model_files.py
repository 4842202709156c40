"""What the platform reads of a model's directory in the store; loads no model, and trusts no size.

A directory may be missing or half there where the store is not shared: then there is nothing to read.
"""

import json
from pathlib import Path
from typing import Any

from django.conf import settings

from labeling.models import Policy, RewardModel

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
