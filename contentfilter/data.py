"""Texts with people's labels, and texts that are known to be harmless, from JSON lines (plain or gzip).

A labelled row has its text under `prompt` or `text` and 0 or 1 under the names of categories; a category that a row
does not name is unknown, not "no". An export of labels (a directory) has its texts in `labels.jsonl`, the
categories under `labels` and its split with each. Rows of other shapes are texts without labels: a question, a list of
turns, an instruction with its instances, a tree of messages.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from contentfilter.categories import CATEGORIES
from contentfilter.normalisation import normalised
from records.names import LABELS_FILE

_TEXT_KEYS = ("prompt", "text")
# Where rows of other shapes have what people or models said.
_SAID = ("prompt", "text", "instruction", "input", "output", "content", "completion", "turns", "messages", "instances")
_DEEPER = ("replies", "prompter", "assistant")


class DataError(ValueError):
    """A file that cannot be used: where, what, what to do."""


@dataclass(frozen=True)
class LabelledText:
    """`labels` has 0 or 1 for each category that somebody judged; others are unknown."""

    text: str
    labels: dict[str, int]

    @property
    def key(self) -> str:
        """The same for texts that look the same: they must not be on both sides of a split."""
        return sha256(normalised(self.text).lower().encode()).hexdigest()


def labels_file(path: Path) -> Path:
    """The file of labelled texts: the path itself, or that of an export's directory."""
    return path / LABELS_FILE if path.is_dir() else path


def read_labelled(path: Path, *, is_held_out: bool = False) -> list[LabelledText]:
    """The rows of a file, those with the same text once: what any of them labels, a yes before a no.

    Where rows name their split, those of the test split alone are read with `is_held_out`, and the others without.
    Raises DataError with the line where something is not as it must be.
    """
    path = labels_file(path)
    found: dict[str, LabelledText] = {}
    for place, row in _rows(path):
        if row.get("split") and (row["split"] == "test") != is_held_out:
            continue
        text = next((row[key] for key in _TEXT_KEYS if isinstance(row.get(key), str)), None)
        if text is None:
            raise DataError(f'{place}: no text; give it as "prompt" or "text"')
        given = row.get("labels", row)
        if not isinstance(given, dict):
            raise DataError(f'{place}: "labels" must be an object of categories, not {given!r}')
        one = LabelledText(text, _labels(place, given))
        before = found.get(one.key)
        if before is not None:
            labels = {
                name: max(before.labels.get(name, 0), one.labels.get(name, 0))
                for name in CATEGORIES
                if name in before.labels or name in one.labels
            }
            one = LabelledText(before.text, labels)
        found[one.key] = one
    if not found:
        raise DataError(f"{path}: no text in it")
    return list(found.values())


def read_harmless(paths: Sequence[Path]) -> list[LabelledText]:
    """What was said in these files, each text once, with "no" for every category."""
    texts = {
        one.key: one
        for path in paths
        for _, row in _rows(path)
        for text in _said(row)
        if (one := LabelledText(text, dict.fromkeys(CATEGORIES, 0))).text.strip()
    }
    return list(texts.values())


def label_matrix(texts: Sequence[LabelledText]) -> Float[Tensor, "texts categories"]:
    """The labels in the order of CATEGORIES; NaN where unknown."""
    rows = [[float(one.labels[name]) if name in one.labels else torch.nan for name in CATEGORIES] for one in texts]
    return torch.tensor(rows, dtype=torch.float64).reshape(len(texts), len(CATEGORIES))


def fold_of(text: LabelledText, *, num_folds: int, seed: int) -> int:
    """The part of a cross-validation that a text is held out in: by a hash of its looks: copies stay together."""
    return int(sha256(f"{seed} {text.key}".encode()).hexdigest(), 16) % num_folds


def _labels(place: str, row: dict[str, Any]) -> dict[str, int]:
    labels = {}
    for name in CATEGORIES:
        if name not in row or row[name] is None:
            continue
        if row[name] not in (0, 1):  # True and 1.0 are 1
            raise DataError(f'{place}: "{name}" must be 0 or 1, not {row[name]!r}; leave it out if unknown')
        labels[name] = int(row[name])
    return labels


def _said(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _said(one)
    elif isinstance(value, dict):
        for key in (*_SAID, *_DEEPER):
            if key in value:
                yield from _said(value[key])


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    read = gzip.open if path.suffix == ".gz" else open
    try:
        with read(path, "rt", encoding="utf-8") as file:
            yield from _parsed(path, file)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}") from error


def _parsed(path: Path, lines: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}:{number}: no JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: a row must be an object")
        yield f"{path}:{number}", row
