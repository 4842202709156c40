"""Pages of long lists, by labeling.web.keyset_pagination: the schema of a page and the cursor of the next one."""

from typing import Any, Generic, TypeVar

from django.db.models import QuerySet
from ninja import Field, Schema

from labeling.api.errors import ApiError
from labeling.web.keyset_pagination import CursorError, rows_of_page

Row = TypeVar("Row")

NEWEST_FIRST = ("-created_at", "-id")
BY_ID = ("id",)  # for tables with millions of rows: uses the index of the primary key


class Page(Schema, Generic[Row]):
    """One page of a list; `next` is the cursor of the following page, None on the last."""

    results: list[Row]
    next: str | None


class Place(Schema):
    """Which page of a list is requested."""

    cursor: str | None = Field(None, max_length=400, description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200, description="rows of a page")


def page_of(rows: QuerySet[Any], place: Place, *, order: tuple[str, ...] = BY_ID) -> dict[str, Any]:
    """The rows after the cursor in the given order. Raises ApiError 422 for a cursor of another list."""
    try:
        shown, after = rows_of_page(rows, order=order, cursor=place.cursor, limit=place.limit)
    except CursorError as error:
        raise ApiError(
            422,
            where="query.cursor",
            what="This is no cursor of this list.",
            what_to_do="Send “next” of the page before as it came, or leave it out to begin.",
        ) from error
    return {"results": shown, "next": after}
