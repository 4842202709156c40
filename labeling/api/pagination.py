"""Long lists in pages by labeling.web.keyset_pagination: the form of a page, and the cursor that asks for the next."""

from typing import Any, Generic, TypeVar

from django.db.models import QuerySet
from ninja import Field, Schema

from labeling.api.errors import ApiError
from labeling.web.keyset_pagination import CursorError, rows_of_page

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
    """The rows after the cursor, in an order as labeling.web.keyset_pagination takes it."""
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
