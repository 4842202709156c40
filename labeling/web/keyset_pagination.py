"""Keyset pagination: a page begins after the last row of the page before it, which the cursor names.

Unlike with OFFSET, every page costs the same, and rows that are added or removed in the meantime neither repeat nor
hide others.
"""

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field as Column
from django.db.models import Q, QuerySet

from labeling.web.storable import read_json

_LONGEST = 1000  # characters of a cursor
_YEARS = range(1970, 3000)  # of a time in a cursor: what overflows in no time zone


class CursorError(ValueError):
    """A cursor that was not made for this list."""


def rows_of_page(
    rows: QuerySet[Any], *, order: tuple[str, ...], cursor: str | None, limit: int
) -> tuple[list[Any], str | None]:
    """The rows after the cursor, and the cursor of the next page, None on the last one. Raises CursorError.

    All columns of `order` must have the same direction, none may be null, and together they must be unique.
    """
    columns = [name.lstrip("-") for name in order]
    if cursor is not None:
        direction = "lt" if order[0][0] == "-" else "gt"
        rows = rows.filter(_after(columns, _decode_cursor(rows, columns, cursor), direction))
    found = list(rows.order_by(*order)[: limit + 1])
    shown = found[:limit]
    return shown, _encode_cursor(shown[-1], columns) if len(found) > limit else None


def _after(columns: list[str], values: list[Any], direction: str) -> Q:
    """The row comparison (a, b) < (x, y), which the ORM has no form for: a < x, or a = x and b < y."""
    wanted = Q()
    for num, (column, value) in enumerate(zip(columns, values, strict=True)):
        same = dict(zip(columns[:num], values[:num], strict=True))
        wanted |= Q(**same, **{f"{column}__{direction}": value})
    return wanted


def _encode_cursor(row: Any, columns: list[str]) -> str:
    text = json.dumps([str(getattr(row, column)) for column in columns], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode_cursor(rows: QuerySet[Any], columns: list[str], cursor: str) -> list[Any]:
    try:
        if len(cursor) > _LONGEST:
            raise ValueError("too long for a cursor")
        values = read_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fields = [rows.model._meta.get_field(column) for column in columns]
        return [_value(field, text) for field, text in zip(fields, values, strict=True)]
    except (binascii.Error, ValueError, TypeError, ValidationError) as error:
        raise CursorError("this is no cursor of this list") from error


def _value(field: Any, text: Any) -> Any:
    assert isinstance(field, Column)
    if not isinstance(text, str):
        raise TypeError("a cursor holds texts")
    value = field.to_python(text)
    if isinstance(value, datetime) and (value.tzinfo is None or value.year not in _YEARS):
        raise ValueError("no time of a row")
    return value
