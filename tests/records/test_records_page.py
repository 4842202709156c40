"""docs/records.md is whole: every record, field and format is on it."""

import dataclasses
import re
from pathlib import Path

from records import screening, types

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
NAMED = (vars(types) | vars(screening)).values()
RECORDS = [one for one in NAMED if isinstance(one, type) and dataclasses.is_dataclass(one)]


def section(name: str) -> str:
    """The part of the page under the heading of this name."""
    found = re.search(rf"^###? {name}\n(.*?)(?=^##)", PAGE + "\n## ", re.MULTILINE | re.DOTALL)
    assert found, f"docs/records.md has no section {name}"
    return found.group(1)


def first_cells(text: str) -> set[str]:
    """The words in backticks in the first cell of every row."""
    return {word for row in re.findall(r"^\|([^|]*)\|", text, re.MULTILINE) for word in re.findall(r"`([^`]+)`", row)}


def test_every_field_of_every_record_has_a_row_and_no_row_is_left_over() -> None:
    assert len(RECORDS) == 26
    for record in RECORDS:
        fields = {field.name for field in dataclasses.fields(record)}
        assert first_cells(section(record.__name__)) == fields, record.__name__


def test_every_format_has_a_row() -> None:
    from labeling.exports.formats import FORMATS as OUTPUT_FORMATS
    from labeling.imports.detection import ALIASES, FORMATS

    named = first_cells(section("Formats that come in"))
    assert named == {one.name for one in FORMATS} | set(ALIASES)
    assert first_cells(section("Formats that go out")) == {"records", *(one.name for one in OUTPUT_FORMATS)}


def losing(loss: tuple[str, str]) -> str:
    """Which formats cannot hold this, in the words of the page: a whole kind by its name, the others one by one."""
    from labeling.exports.formats import FORMATS

    words = []
    for kind in ("rankings", "demonstrations", "prompts", "thumbs"):
        formats = [one for one in FORMATS if one.kind == kind and one.name != "parquet"]
        names = [one.name for one in formats if loss in [(other.name, other.meaning) for other in one.losses]]
        words += [f"all of {kind}"] if len(names) == len(formats) else [f"`{name}`" for name in names]
    return ", ".join(words)


def test_the_page_says_what_each_format_loses_in_the_words_of_the_card() -> None:
    from labeling.exports.formats import FORMATS

    losses = dict.fromkeys((loss.name, loss.meaning) for one in FORMATS for loss in one.losses)
    rows = [f"| {name} | {meaning} | {losing((name, meaning))} |" for name, meaning in losses]
    _title, _line, *shown = re.findall(r"^\|.*", section("What they cannot hold"), re.MULTILINE)
    assert shown == rows, "\n".join(rows)
    assert len({name for name, _meaning in losses}) == len(losses), "one name, one meaning"
