"""docs/records.md is whole: every record, field and format is on it."""

import dataclasses
import re
from pathlib import Path

from records import types

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
RECORDS = [one for one in vars(types).values() if isinstance(one, type) and dataclasses.is_dataclass(one)]


def section(name: str) -> str:
    """The part of the page under the heading of this name."""
    found = re.search(rf"^###? {name}\n(.*?)(?=^##)", PAGE + "\n## ", re.MULTILINE | re.DOTALL)
    assert found, f"docs/records.md has no section {name}"
    return found.group(1)


def first_cells(text: str) -> set[str]:
    """The words in backticks in the first cell of every row."""
    return {word for row in re.findall(r"^\|([^|]*)\|", text, re.MULTILINE) for word in re.findall(r"`([^`]+)`", row)}


def test_every_field_of_every_record_has_a_row_and_no_row_is_left_over() -> None:
    assert len(RECORDS) == 18
    for record in RECORDS:
        fields = {field.name for field in dataclasses.fields(record)}
        assert first_cells(section(record.__name__)) == fields, record.__name__


def test_every_format_has_a_row() -> None:
    from labeling.exports.formats import FORMATS as OUTPUT_FORMATS
    from labeling.imports.detection import ALIASES, FORMATS

    named = first_cells(section("Formats that come in"))
    assert named == {one.name for one in FORMATS} | set(ALIASES)
    assert first_cells(section("Formats that go out")) == {"records", *(one.name for one in OUTPUT_FORMATS)}
