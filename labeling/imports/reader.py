"""A file as a stream of JSON values, each with the line on which it starts, in bounded memory.

Reads JSON Lines, one JSON list, one JSON object of many values, CSV or TSV, plain or gzipped, and Parquet, detected by
content, tables of text by their ending. What cannot be read becomes a Refusal with its line, never an exception. Knows
no format.
"""

import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, Never

import orjson

from labeling.imports import tables
from labeling.imports.json_stream import Document, DocumentError

Shape = Literal["lines", "document", "delimited", "parquet"]
LONGEST_VALUE = 16 * 2**20  # bytes of one line or one value; memory stays a small multiple of it
MOST_REFUSALS_IN_A_ROW = 10_000  # after so many the file is taken not to be JSON values at all
_HEAD = 2**20  # bytes read to tell JSON Lines from one document
_BOMB_SIZE, _BOMB_RATIO = 64 * 2**20, 200  # bytes, ratio: gzip shrinks real JSON about tenfold, a bomb a thousandfold
_MAYBE_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_BOM = b"\xef\xbb\xbf"


class FileRefused(ValueError):
    """A file that cannot be imported at all. The message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One JSON value and its size in characters. `key` is its name where the file is one object of many values."""

    line: int
    value: Any
    key: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that is not imported: its line, and why."""

    line: int
    reason: str


class EntryReader:
    """Iterates over the entries and refusals of one file; `fraction` is the share of the file that is read.

    `columns` renames keys of the entries, those to "" are passed over: what a person said that the file's names mean.
    """

    def __init__(self, path: Path, *, columns: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._columns = columns or {}
        try:
            self._size = max(path.stat().st_size, 1)
            self.shape = _shape_of(path)
        except OSError as error:
            raise FileRefused(f"{path}: cannot be read: {error.strerror}") from error
        self._raw: IO[bytes] | None = None
        self._fraction_of_rows: float | None = None

    @property
    def fraction(self) -> float:
        if self._fraction_of_rows is not None:
            return self._fraction_of_rows
        return min(self._raw.tell() / self._size, 1.0) if self._raw and not self._raw.closed else 1.0

    @property
    def num_bytes_read(self) -> int:
        """Of the file as it lies there, so packed where it is packed; 0 of Parquet, which is read in any order."""
        return self._raw.tell() if self._raw and not self._raw.closed else 0

    def __iter__(self) -> Iterator[Entry | Refusal]:
        renames = bool(self._columns) and self.shape != "delimited"  # there the header is renamed, once
        for entry in self._entries():
            yield self._renamed(entry) if renames and isinstance(entry, Entry) else entry

    def _entries(self) -> Iterator[Entry | Refusal]:
        if self.shape == "parquet":
            yield from _guarded(self._entries_of_parquet())
            return
        with open_bytes(self.path) as (raw, stream):
            self._raw = raw
            if self.shape == "delimited":
                yield from _guarded(_entries_of_table(stream, self.path, self._columns))
            else:
                yield from _guarded(
                    _entries_of_lines(stream) if self.shape == "lines" else _entries_of_document(stream)
                )

    def _entries_of_parquet(self) -> Iterator[Entry | Refusal]:
        number = 0
        try:
            for number, fraction, row in tables.parquet_rows(self.path):
                self._fraction_of_rows = fraction
                yield _entry_of_row(number, row)
        except tables.TableError as error:
            yield Refusal(number + 1, str(error))

    def _renamed(self, entry: Entry) -> Entry:
        if not isinstance(entry.value, dict):
            return entry
        names = {key: self._columns.get(key, key) for key in entry.value}
        return replace(entry, value={names[key]: value for key, value in entry.value.items() if names[key]})


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The raw file and the stream of its content, decompressed where the first two bytes are gzip's."""
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream: Any = _BoundedGzipFile(raw) if zipped else raw
        yield raw, stream


class _BoundedGzipFile(gzip.GzipFile):
    """A gzip file that refuses a decompression bomb."""

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._compressed, self._given = raw, 0

    def readline(self, size: int | None = -1) -> bytes:
        return self._counted(super().readline(size))

    def read(self, size: int | None = -1) -> bytes:
        return self._counted(super().read(size))

    def _counted(self, content: bytes) -> bytes:
        self._given += len(content)
        if self._given > _BOMB_SIZE and self._given > _BOMB_RATIO * self._compressed.tell():
            raise gzip.BadGzipFile("it unpacks to far more than text does; unpack and check it yourself")
        return content


def _guarded(entries: Iterator[Entry | Refusal]) -> Iterator[Entry | Refusal]:
    """The entries; damage to the file itself becomes the last refusal."""
    line, num_refused_in_a_row = 0, 0
    try:
        for entry in entries:
            line = entry.line
            num_refused_in_a_row = num_refused_in_a_row + 1 if isinstance(entry, Refusal) else 0
            yield entry
            if num_refused_in_a_row >= MOST_REFUSALS_IN_A_ROW:
                yield Refusal(line + 1, f"{num_refused_in_a_row:,} lines in a row cannot be read; the rest is left")
                return
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        yield Refusal(line + 1, f"damaged gzip file, the rest cannot be read: {error}")


def _entries_of_lines(stream: IO[bytes]) -> Iterator[Entry | Refusal]:
    for number, raw in enumerate(iter(lambda: stream.readline(LONGEST_VALUE + 1), b""), start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if len(raw) > LONGEST_VALUE and not raw.endswith(b"\n"):
            _pass_over_line(stream)
            yield Refusal(number, f"longer than {LONGEST_VALUE // 2**20} MiB")
        elif not line.isspace() and line:
            yield _entry_of_line(number, line)


def _entry_of_line(number: int, line: bytes) -> Entry | Refusal:
    try:
        return Entry(number, _read_ordinary(line), size=len(line))
    except ValueError:
        pass  # not an ordinary line: the standard library decides, and its errors say what is wrong
    try:
        text = line.decode("utf-8").rstrip()
        value = DECODER.decode(text)
        if _MAYBE_UNSTORABLE.search(text):
            _require_storable(value)
    except ValueError as error:
        return Refusal(number, _explain(error, line))
    except RecursionError:
        return Refusal(number, "nested too deeply")
    return Entry(number, value, size=len(text))


def _read_ordinary(line: bytes) -> Any:
    """The value of an ordinary line by orjson, three times as fast as the standard library. Raises ValueError on any
    other.

    Integers beyond 64 bits become floats, which every field for integers refuses.
    """
    if b"\\u" in line:  # the escape may stand for a NUL or half a surrogate pair
        raise ValueError
    return orjson.loads(line)


def _pass_over_line(stream: IO[bytes]) -> None:
    while True:
        rest = stream.readline(2**20)
        if not rest or rest.endswith(b"\n"):
            return


def _entries_of_document(stream: IO[bytes]) -> Iterator[Entry | Refusal]:
    document = Document(stream, DECODER, longest=LONGEST_VALUE)
    try:
        for line, key, value, text in document.values():
            try:
                if _MAYBE_UNSTORABLE.search(text):
                    _require_storable(value)
                yield Entry(line, value, key, len(text))
            except ValueError as error:
                yield Refusal(line, str(error))
    except DocumentError as error:
        yield Refusal(document.line, f"{error}; the rest of the file cannot be read")


def _entries_of_table(stream: IO[bytes], path: Path, columns: Mapping[str, str]) -> Iterator[Entry | Refusal]:
    line = 1  # of the header
    try:
        for line, row in tables.delimited_rows(stream, path, columns=columns, longest=LONGEST_VALUE):
            yield _entry_of_row(line, row)
    except tables.TableError as error:
        yield Refusal(line + 1, str(error))


def _entry_of_row(line: int, row: dict[str, Any] | tables.RowError) -> Entry | Refusal:
    if isinstance(row, tables.RowError):
        return Refusal(line, str(row))
    try:
        text = json.dumps(row, ensure_ascii=False)
        if _MAYBE_UNSTORABLE.search(text) or not text.isprintable():
            _require_storable(row)
    except (ValueError, RecursionError) as error:
        return Refusal(line, str(error))
    return Entry(line, row, size=len(text))


def _require_storable(value: Any) -> None:
    """Raise ValueError where `value` contains a text that PostgreSQL cannot store."""
    text = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("has a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("has half of a surrogate pair, which is no character") from error


def _explain(error: ValueError, line: bytes) -> str:
    if b"\x00" in line[:200]:
        return "has NUL bytes; is the file UTF-16? Save it as UTF-8"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start + 1}: {error.reason}"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at column {error.colno}: {error.msg}"
    return str(error)


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"has {name}, which is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"has {text[:20]}, which is too large a number")
    return number


DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _shape_of(path: Path) -> Shape:
    """How the file holds its values. Raises FileRefused where it is nothing of the kind."""
    head = _head(path)
    beginning = head.removeprefix(_BOM).lstrip()
    if not beginning:
        raise FileRefused(f"{path.name}: is empty")
    if head.startswith(tables.PARQUET_MARK):
        return "parquet"
    if tables.is_delimited(path):
        return "delimited"
    named_lines = ".jsonl" in path.suffixes or ".ndjson" in path.suffixes
    if beginning[:1] not in (b"{", b"["):
        if named_lines:
            return "lines"
        raise FileRefused(
            f"{path.name}: is neither JSON Lines nor JSON; it begins with {_shown(beginning)}. The name of a table "
            "must end in .csv or .tsv"
        )
    first, _, rest = beginning.partition(b"\n")
    if named_lines and beginning[:1] == b"{":
        return "lines"
    return "lines" if rest.strip() and _is_json(first) else "document"


def _head(path: Path) -> bytes:
    head = b""
    try:
        with open_bytes(path) as (_, stream):
            while len(head) < _HEAD and (piece := stream.read1(2**16)):  # type: ignore[attr-defined]
                head += piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        if not head:
            raise FileRefused(f"{path.name}: damaged gzip file: {error}") from error
    return head


def _is_json(line: bytes) -> bool:
    return isinstance(_entry_of_line(1, line), Entry)


def _shown(beginning: bytes) -> str:
    return repr(beginning[:20].decode("utf-8", errors="replace"))
