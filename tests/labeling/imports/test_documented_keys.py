"""docs/records.md has one table of what becomes of each key in each format; it says what the formats declare."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labeling.imports.detection import FORMATS
from labeling.imports.formats import Format
from labeling.imports.formats.chat import MESSAGE
from labeling.imports.formats.keys import _CHANGES, ALWAYS_PASSED_OVER, Keys
from tests.labeling.imports.files import assistant, user

PAGE = Path(__file__).resolve().parents[3] / "docs" / "records.md"
# Columns of two answers are lettered or numbered: response_a, response_B, response_0, response1.
_SIDE = re.compile(r"(?<=[a-z])(?:_?[012]|_[abAB])$")
BEGINNING = "| format | kept | passed over |"
# Rows of formats whose keys depend on the row: those of its shapes together are the format's.
SHAPES: dict[str, list[dict[str, Any]]] = {
    "kto": [{"messages": [user("Q")], "label": True}, {"prompt": "Q", "completion": "A", "label": True}],
    "openai": [{"messages": [user("Q")]}, {"text": "<|im_start|>"}],
    "alpaca": [
        {"instruction": "Q", "output": "A"},
        {"instruction": "Q", "instances": []},
        {"prompt": "Q", "completion": "A"},
    ],
    "trl": [
        {"prompt": "Q", "chosen": "A", "rejected": "B"},
        {"input": {}, "preferred_output": [], "non_preferred_output": []},
        {"messages": [user("Q")], "chosen": assistant("A"), "rejected": assistant("B")},
    ],
    "label-studio": [{"data": {"prompt": "Q"}, "annotations": []}, {"annotation_id": 1}],
    "argilla": [{"fields": {"prompt": "Q"}, "responses": {}}],
}


def test_the_table_says_what_each_format_declares() -> None:
    page = PAGE.read_text()
    expected = "\n".join(table())
    assert BEGINNING in page
    assert expected in page, f"docs/records.md must have this table:\n{expected}"


def test_the_page_names_every_key_that_refuses_a_row() -> None:
    page = PAGE.read_text()
    missing = [name for names in _CHANGES.values() for name in names.split() if f"`{name}`" not in page]
    assert not missing, missing


def table() -> Iterator[str]:
    yield BEGINNING
    yield "|---|---|---|"
    yield f"| every format | | {_listed(ALWAYS_PASSED_OVER)} |"
    yield f"| every message | {_listed(MESSAGE.kept)} | {_listed(MESSAGE.passed_over)} |"
    for known in FORMATS:
        declared = list(_declared(known))
        kept = {name for one in declared for name in _names(one, "kept")}
        passed_over = {name for one in declared for name in _names(one, "passed_over")} - kept
        yield f"| {known.name} | {_listed(kept)} | {_listed(passed_over)} |"


def _declared(known: Format) -> Iterator[Keys]:
    if isinstance(known.keys, Keys):
        yield known.keys
    else:
        assert SHAPES[known.name]
        yield from map(known.keys, SHAPES[known.name])


def _names(declared: Keys, which: str, where: str = "") -> Iterator[str]:
    """The names, those of sides as "response⟨side⟩", and those inside but for what every message has."""
    yield from (f"{where}{_SIDE.sub('⟨side⟩', name)}" for name in getattr(declared, which))
    for name, inside in declared.inside.items():
        nested = _names(inside, which, f"{where}{name}.")
        usual = {f"{where}{name}.{usual}" for usual in MESSAGE.known}
        yield from (one for one in nested if one not in usual)
    if declared.each is not None:
        yield from _names(declared.each, which, f"{where}*.")


def _listed(names: Any) -> str:
    return " ".join(f"`{name}`" for name in sorted(names))
