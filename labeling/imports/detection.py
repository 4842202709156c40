"""Detection of a file's format from the first entry that any format recognises. Raises FileRefused where none does."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from labeling.imports.formats import (
    Format,
    argilla,
    chat,
    chat_products,
    chitchat,
    helpsteer,
    hh,
    instructions,
    judged_pairs,
    kto,
    label_studio,
    oasst,
    open_webui,
    parley_records,
    preference,
    questions,
    rated,
    scored_texts,
    sharegpt,
    votes,
)
from labeling.imports.messages import json_type_of
from labeling.imports.reader import Entry, EntryReader, FileRefused, Refusal

Kind = Literal["dialogues", "rankings", "thumbs"]
Columns = Mapping[str, str] | None  # what a person said that the file's names mean (EntryReader)

# More specific formats come first: a preference pair has a prompt too, so it would match `questions`.
FORMATS = (
    parley_records.RANKINGS,
    parley_records.THUMBS,
    parley_records.DIALOGUES,
    oasst.TREES,
    oasst.MESSAGES,
    hh.FORMAT,
    votes.FORMAT,
    judged_pairs.FORMAT,
    scored_texts.FORMAT,
    helpsteer.FORMAT,
    preference.FORMAT,
    label_studio.FORMAT,
    argilla.FORMAT,
    rated.FORMAT,
    open_webui.FORMAT,
    kto.FORMAT,
    chitchat.FORMAT,
    chat_products.OPEN_WEBUI,
    chat_products.CHAT_UI,
    chat.FORMAT,
    sharegpt.FORMAT,
    instructions.DOLLY,
    instructions.ALPACA,
    instructions.ANSWERED,
    questions.FORMAT,
)
ALIASES = {
    "chatml": "openai",
    "instruction": "alpaca",
    "mt_bench": "questions",
    "nectar": "rated",
    "arena": "judged-pairs",
    "shp": "judged-pairs",
    "webgpt": "judged-pairs",
    "pku-saferlhf": "judged-pairs",
    "helpsteer3": "judged-pairs",
    "llmfao": "votes",
    "dsp": "scored-texts",
    "ultrafeedback": "rated",
    "openai-dpo": "trl",
}
_MOST_COLUMNS = 60  # that a person is asked about; a file whose keys are values has as many as rows
_LOOKED_AT = 50  # entries; the first recognised one of them decides, so that a bad first line refuses no file


def detect(path: Path, *, kind: Kind, columns: Columns = None) -> Format:
    """The format of the file. Raises FileRefused where none holds `kind`; the message says what was found."""
    first: Entry | None = None
    unreadable = "holds no values"
    for entry in islice(EntryReader(path, columns=columns), _LOOKED_AT):
        if isinstance(entry, Refusal):
            unreadable = f"line {entry.line}: {entry.reason}"
            continue
        first = first or entry
        matching = [known for known in FORMATS if known.recognises(entry)]
        if matching:
            return _first_that_holds(kind, matching, path)
    if first is None:
        raise FileRefused(f"{path.name}: nothing in its beginning can be read; {unreadable}")
    raise FileRefused(
        f"{path.name}: its first entry, line {first.line}, is {_shape_of(first)}; no known format looks like that. "
        f"Known for {kind}: {', '.join(names_of(kind))}"
    )


def columns_of(path: Path) -> dict[str, Any]:
    """The names that the first entries use, in their order, as the file has them, each with its first value.

    Raises FileRefused.
    """
    first: dict[str, Any] = {}
    for entry in islice(EntryReader(path), _LOOKED_AT):
        if isinstance(entry, Entry) and isinstance(entry.value, dict):
            first = {**entry.value, **first}
    return dict(islice(first.items(), _MOST_COLUMNS))


def find_format(name: str, *, kind: Kind, path: Path, columns: Columns = None) -> Format:
    """The format of this name; for "auto" the detected one. Raises FileRefused."""
    if name == "auto":
        return detect(path, kind=kind, columns=columns)
    wanted = ALIASES.get(name, name)
    for known in FORMATS:
        if known.name == wanted and _can_read(known, kind):
            return known
    raise FileRefused(f'no format "{name}" for {kind}; known are auto, {", ".join(names_of(kind))}')


def names_of(kind: Kind) -> list[str]:
    """Names of the formats that hold this kind of record."""
    return [known.name for known in FORMATS if _can_read(known, kind)]


def _first_that_holds(kind: Kind, matching: list[Format], path: Path) -> Format:
    for known in matching:
        if _can_read(known, kind):
            return known
    held = " or ".join(other for other in get_args(Kind) if _can_read(matching[0], other))
    raise FileRefused(f"{path.name}: looks like {matching[0].label}, which holds no {kind}; import it as {held}")


def _can_read(known: Format, kind: Kind) -> bool:
    return getattr(known, kind) is not None


def _shape_of(entry: Entry) -> str:
    if not isinstance(entry.value, dict):
        return json_type_of(entry.value)
    return f"an object with the keys {', '.join(sorted(map(str, entry.value))[:12])}"
