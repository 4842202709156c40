"""Parquet: records nested as they are, under a schema made from their classes. Loses nothing.

The yes/no flags of a rating are a list of name and value, since each project names its own. pyarrow is imported only
once a Parquet export is written.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from records import Demonstration, LabelledText, Prompt, Ranking, Thumb, encode

ROW_GROUP_SIZE = 1_000  # rows; a reader loads a group at a time, and a group is held in memory here

CLASSES: Mapping[str, type] = {
    "rankings": Ranking,
    "demonstrations": Demonstration,
    "prompts": Prompt,
    "thumbs": Thumb,
    "labels": LabelledText,
}


def row_of(record: Any) -> dict[str, Any]:
    """A record as a row of its table."""
    row = encode(record)
    for rating in row.get("ratings", ()):
        rating["flags"] = [{"name": name, "value": given} for name, given in sorted(rating.get("flags", {}).items())]
    if isinstance(record, LabelledText):
        row["labels"] = [{"name": name, "value": answer} for name, answer in sorted(record.labels.items())]
    return row


class ParquetFile:
    """A table of one kind of record, written one row group at a time."""

    def __init__(self, path: Path, kind: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._table = pa.Table
        self._schema = pa.schema([(name, _type(hint)) for name, hint in _hints(CLASSES[kind])])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        if len(self._rows) >= ROW_GROUP_SIZE:
            self._flush()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def _hints(cls: type) -> list[tuple[str, Any]]:
    hints = typing.get_type_hints(cls)
    return [(spec.name, hints[spec.name]) for spec in dataclasses.fields(cls)]


def _type(hint: Any) -> Any:
    """The Arrow type of a record's field."""
    import pyarrow as pa

    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (hint,) = (argument for argument in arguments if argument is not type(None))
        return _type(hint)
    if origin is typing.Literal:
        return pa.string()
    if origin is tuple:
        return pa.list_(_type(arguments[0]))
    if origin is dict:
        return pa.list_(pa.struct([("name", pa.string()), ("value", _type(arguments[1]))]))
    if dataclasses.is_dataclass(hint):
        return pa.struct([(name, _type(inner)) for name, inner in _hints(typing.cast(type, hint))])
    return {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}[hint]
