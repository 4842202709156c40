"""Records to and from JSON Lines. Every complaint names the file, the line and the field.

Reading is strict: an unknown field, a missing one or a wrong type is refused. Unset fields
(None, and empty optional containers) are not written, so that files stay small and diffs readable.
"""

import dataclasses
import gzip
import io
import json
import os
import types
import typing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

Record = TypeVar("Record")


class RecordError(ValueError):
    """A record that cannot be read: where, what."""


def encode(record: Any) -> dict[str, Any]:
    """The record as JSON-ready values, unset fields left out."""
    values: dict[str, Any] = {}
    for spec in dataclasses.fields(record):
        value = getattr(record, spec.name)
        if value is None or (value in ((), {}) and spec.default is not dataclasses.MISSING):
            continue
        if value == {} and spec.default_factory is not dataclasses.MISSING:
            continue
        values[spec.name] = _encode_value(value)
    return values


def decode(cls: type[Record], values: Any, *, where: str = "record") -> Record:
    """Build `cls` from JSON values. Raises RecordError that names `where` and the field."""
    if not isinstance(values, dict):
        raise RecordError(f"{where}: expected a JSON object, found {_kind(values)}")
    hints = _hints(cls)
    name = cls.__name__.lower()
    label = f"{where}: {name} {values['id']}" if isinstance(values.get("id"), str) else f"{where}: {name}"
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise RecordError(f'{label}: unknown field "{unknown[0]}"; known are {", ".join(hints)}')
    arguments = {}
    for spec in dataclasses.fields(cls):  # type: ignore[arg-type]
        if spec.name in values:
            arguments[spec.name] = _decode_value(hints[spec.name], values[spec.name], f'{label}: "{spec.name}"')
        elif spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING:
            raise RecordError(f'{label}: "{spec.name}" is missing')
    try:
        return cls(**arguments)
    except ValueError as error:
        raise RecordError(f"{label}: {error}") from error


def read_jsonl(path: str | os.PathLike[str], cls: type[Record]) -> Iterator[Record]:
    """Yield one `cls` per line of a .jsonl or .jsonl.gz file; blank lines are passed over."""
    path = Path(path)
    for number, values in read_json_lines(path):
        yield decode(cls, values, where=f"{path.name}:{number}")


def read_json_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, Any]]:
    """Yield (line number, JSON value) of a .jsonl or .jsonl.gz file in bounded memory."""
    path = Path(path)
    number = 0
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    yield number, json.loads(line)
                except json.JSONDecodeError as error:
                    raise RecordError(f"{path.name}:{number}: not JSON at column {error.colno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path.name}:{number + 1}: not UTF-8: {error.reason}") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise RecordError(f"{path.name}:{number + 1}: damaged gzip file: {error}") from error


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
    return json.dumps(encode(record), ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a plain or gzip text file for reading, by its first two bytes."""
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        binary: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
        yield io.TextIOWrapper(binary, encoding="utf-8-sig")


def _encode_value(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return encode(value)
    if isinstance(value, tuple | list):
        return [_encode_value(member) for member in value]
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _decode_value(hint: Any, value: Any, label: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (hint,) = (argument for argument in arguments if argument is not type(None))
        return _decode_value(hint, value, label)
    if origin is Literal:
        if value not in arguments:
            raise RecordError(f"{label} must be one of {', '.join(map(str, arguments))}, not {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise RecordError(f"{label} must be a list, not {_kind(value)}")
        return tuple(_decode_value(arguments[0], member, f"{label}[{i}]") for i, member in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise RecordError(f"{label} must be an object, not {_kind(value)}")
        return {key: _decode_value(arguments[1], member, f"{label}.{key}") for key, member in value.items()}
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(type, hint), value, where=label)
    return _decode_scalar(hint, value, label)


def _decode_scalar(hint: Any, value: Any, label: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise RecordError(f"{label} must be {_NAMES[hint]}, not {_kind(value)}")
    if hint is str and "\x00" in value:
        raise RecordError(f"{label} contains a NUL character")
    return value


_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {dict: "an object", list: "a list", bool: "true or false", str: "text", int: "a whole number"}.get(
        type(value), "a number"
    )
