"""Records to and from JSON Lines. Every complaint names the file, the line and the field.

Reading is strict: an unknown field, a missing one or a wrong type is refused. Unset fields
(None, and empty optional containers) are not written, so that files stay small and diffs readable.
"""

import gzip
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from records.coding import RecordError, decode, encode
from records.names import ERASED_FILE

__all__ = [
    "RecordError",
    "decode",
    "encode",
    "erased_ids",
    "open_text",
    "read_json_lines",
    "read_jsonl",
    "to_line",
    "write_jsonl",
]

Record = TypeVar("Record")
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def read_jsonl(path: str | os.PathLike[str], cls: type[Record]) -> Iterator[Record]:
    """Yield one `cls` per line of a .jsonl or .jsonl.gz file; blank lines are passed over."""
    path = Path(path)
    for number, values in read_json_lines(path):
        yield decode(cls, values, where=f"{path.name}:{number}")


def read_json_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, Any]]:
    """Yield (line number, JSON value) of a .jsonl or .jsonl.gz file in bounded memory.

    Records that were erased since the file was frozen are passed over.
    """
    path = Path(path)
    erased = erased_ids(path.parent)
    number = 0
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except json.JSONDecodeError as error:
                    raise RecordError(f"{path.name}:{number}: not JSON at column {error.colno}: {error.msg}") from error
                if not (erased and isinstance(value, dict) and value.get("id") in erased):
                    yield number, value
    except UnicodeDecodeError as error:
        raise RecordError(f"{path.name}:{number + 1}: not UTF-8: {error.reason}") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise RecordError(f"{path.name}:{number + 1}: damaged gzip file: {error}") from error


def erased_ids(directory: str | os.PathLike[str]) -> frozenset[str]:
    """The ids of records of a frozen export that were erased since; empty where there are none."""
    path = Path(directory) / ERASED_FILE
    if not path.is_file():
        return frozenset()
    return frozenset(json.loads(line)["id"] for line in path.read_text(encoding="utf-8").splitlines() if line)


def write_jsonl(path: str | os.PathLike[str], records: Iterable[Any]) -> int:
    """Write records, one a line, flushed to disk; returns how many."""
    count = 0
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(to_line(record))
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def to_line(record: Any) -> str:
    """One record as its line: canonical JSON (sorted keys, no spaces) and a newline."""
    return _CANONICAL.encode(encode(record)) + "\n"


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a plain or gzip text file for reading, by its first two bytes."""
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        binary: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
        yield io.TextIOWrapper(binary, encoding="utf-8-sig")
