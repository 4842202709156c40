"""Long lists in pages. A cursor names the last row that was seen, so a page costs the same wherever it is,
and rows that come or go in the meantime neither repeat nor hide others.
"""

import base64
import binascii
import json
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Field as Column
from django.db.models import Q, QuerySet
from ninja import Field, Schema

from labeling.api.errors import ApiError

Shape = TypeVar("Shape")

NEWEST_FIRST = ("-created_at", "-id")
BY_ID = ("id",)  # of tables with millions of rows: the primary key's own index


class Page(Schema, Generic[Shape]):
    """One page of a list; `next` is the cursor of the one after it, None at the end."""

    results: list[Shape]
    next: str | None


class Place(Schema):
    """Where in a list to go on."""

    cursor: str | None = Field(None, max_length=400, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200, description="rows of a page")


def page_of(rows: QuerySet[Any], place: Place, *, order: tuple[str, ...] = BY_ID) -> dict[str, Any]:
    """The rows after the cursor. All columns of `order` run in one direction, and together no two rows share them."""
    columns = [name.lstrip("-") for name in order]
    if place.cursor is not None:
        rows = rows.filter(_after(columns, _read(rows, columns, place.cursor), "lt" if order[0][0] == "-" else "gt"))
    found = list(rows.order_by(*order)[: place.limit + 1])
    shown = found[: place.limit]
    return {"results": shown, "next": _written(shown[-1], columns) if len(found) > place.limit else None}


def _after(columns: list[str], values: list[Any], direction: str) -> Q:
    """(a, b) < (x, y) in words that the ORM has: a < x, or a = x and b < y."""
    wanted = Q()
    for num, (column, value) in enumerate(zip(columns, values, strict=True)):
        same = dict(zip(columns[:num], values[:num], strict=True))
        wanted |= Q(**same, **{f"{column}__{direction}": value})
    return wanted


def _written(row: Any, columns: list[str]) -> str:
    text = json.dumps([str(getattr(row, column)) for column in columns], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(rows: QuerySet[Any], columns: list[str], cursor: str) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fields = [rows.model._meta.get_field(column) for column in columns]
        return [_value(field, text) for field, text in zip(fields, values, strict=True)]
    except (binascii.Error, ValueError, TypeError, ValidationError) as error:
        raise ApiError(
            422,
            where="query.cursor",
            what="This is no cursor of this list.",
            what_to_do="Send “next” of the page before as it came, or leave it out to begin.",
        ) from error


def _value(field: Any, text: Any) -> Any:
    assert isinstance(field, Column)
    if not isinstance(text, str):
        raise TypeError("a cursor holds texts")
    return field.to_python(text)
