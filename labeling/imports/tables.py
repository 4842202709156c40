"""Rows of a table as JSON objects: CSV and TSV by their header, Parquet by its schema. Blank cells are left out.

A cell of text is text, but for what cannot be one: a list of messages as JSON, a verdict written true or false.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import orjson

DELIMITERS = {".csv": ",;\t", ".tsv": "\t"}  # by the file's ending; of several, the one that the header has most
PARQUET_MARK = b"PAR1"
_ROWS_AT_ONCE = 64  # of Parquet; one row may be megabytes
_LISTS = frozenset(
    "messages conversations completions responses answers scores ratings ranks tiers turns history annotations".split()  # noqa: SIM905
)
_TRUTH = {"true": True, "false": False}
# Where true and false are a verdict. Elsewhere they are words: "True" may be the answer.
_VERDICTS = re.compile(
    r"(?:is|has|winner|kto)_\w+|label|thumbs?_?(?:up|down)?|tie|tied|accepted|approved|deleted|weight|train"
)


class TableError(ValueError):
    """A table that cannot be read at all."""


class RowError(ValueError):
    """A row that is refused; the text says why."""


def is_delimited(path: Path) -> bool:
    return _ending(path) in DELIMITERS


def delimited_rows(
    stream: IO[bytes], path: Path, *, columns: Mapping[str, str], longest: int
) -> Iterator[tuple[int, dict[str, Any] | RowError]]:
    """(line, row) for every row below the header; a RowError for one that does not fit it. `columns` renames the
    header's names. Raises TableError.
    """
    csv.field_size_limit(longest)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        first = text.readline(longest)
        header = next(csv.reader([first], delimiter=(delimiter := _delimiter_of(first, path)), strict=True), [])
        header = [columns.get(name, name) for name in header]
        _require_header(header)
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        line = 2
        for cells in reader:
            if cells:
                yield line, _row_of(header, cells)
            line = reader.line_num + 2
    except UnicodeDecodeError as error:
        raise TableError(f"is not UTF-8 at byte {error.start + 1}; save it as UTF-8") from error
    except csv.Error as error:
        raise TableError(f"cannot be read as a table: {error}") from error


def parquet_rows(path: Path) -> Iterator[tuple[int, float, dict[str, Any] | RowError]]:
    """(number of the row, share of the file that is read, row). Raises TableError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            total, number = max(file.metadata.num_rows, 1), 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield number, number / total, _plain_row(row)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"is no Parquet file that can be read: {error}") from error


def _ending(path: Path) -> str:
    """The last ending but .gz."""
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    return endings[-1] if endings else ""


def _delimiter_of(header: str, path: Path) -> str:
    return max(DELIMITERS[_ending(path)], key=header.count)


def _require_header(names: list[str]) -> None:
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise TableError(f'has two columns called "{sorted(twice)[0]}"; give each a name of its own')
    if not any(name.strip() for name in names):
        raise TableError("has no header; its first line must name the columns")


def _row_of(header: list[str], cells: list[str]) -> dict[str, Any] | RowError:
    if len(cells) != len(header):
        return RowError(f"has {len(cells)} cells, and the header has {len(header)}")
    try:
        return {name: _value_of(name, cell) for name, cell in zip(header, cells, strict=True) if cell and name}
    except RowError as error:
        return error


def _value_of(name: str, cell: str) -> Any:
    if _VERDICTS.fullmatch(name.lower()) and cell.strip().lower() in _TRUTH:
        return _TRUTH[cell.strip().lower()]
    if cell[0] not in "[{" or not (name in _LISTS or _looks_like_messages(cell)):
        return cell
    try:
        return orjson.loads(cell)
    except ValueError as error:
        raise RowError(f'"{name}" begins as a list does and is not JSON ({error}); write it as JSON') from error


def _looks_like_messages(cell: str) -> bool:
    """Whether a cell is a list of messages, in JSON or as Python prints it, which nobody else writes into an answer."""
    return cell.startswith(('[{"role"', "[{'role'", '[{"content"', "[{'content'", '[{"from"', "[{'from'"))


def _plain_row(row: dict[str, Any]) -> dict[str, Any] | RowError:
    """A row of Parquet as JSON values: times as text, columns without a value left out."""
    filled = {name: value for name, value in row.items() if value is not None}
    try:
        plain: dict[str, Any] = orjson.loads(orjson.dumps(filled, default=_as_text, option=orjson.OPT_NON_STR_KEYS))
    except (TypeError, ValueError) as error:
        return RowError(f"has a value that is neither text, a number, true or false, nor a list of them: {error}")
    return plain


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        raise TypeError("bytes")
    return str(value)
