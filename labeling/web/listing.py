"""Long lists with a search, filters, a choice of order and pages.

All of it is in the URL's query, so that a list can be linked to. Invalid parameters are ignored: an old link shows
the first page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling.web.keyset_pagination import CursorError, rows_of_page

PAGE = 25  # rows
LONGEST_WORDS = 200  # characters of a search
Words = str | Promise  # a text, or one that is translated when it is shown


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """An order to choose; `columns` must satisfy labeling.web.keyset_pagination.rows_of_page."""

    name: str
    label: Words
    columns: tuple[str, ...]


NEWEST, OLDEST = (
    Order(name="newest", label=gettext_lazy("newest first"), columns=("-created_at", "-id")),
    Order(name="oldest", label=gettext_lazy("oldest first"), columns=("created_at", "id")),
)


DAYS = (
    ("1", gettext_lazy("today")),
    ("7", gettext_lazy("the last seven days")),
    ("30", gettext_lazy("the last thirty days")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ListFilter:
    """A filter with a fixed set of choices; without a choice, all rows are shown."""

    name: str
    label: Words
    choices: Sequence[tuple[str, Words]]
    apply: Callable[[QuerySet[Any], str], QuerySet[Any]]


def by_column(name: str, label: Words, choices: Any) -> ListFilter:
    """The filter for rows whose column `name` has the chosen value."""
    return ListFilter(name=name, label=label, choices=choices, apply=lambda rows, value: rows.filter(**{name: value}))


def by_days(column: str) -> ListFilter:
    """The filter for rows whose time `column` lies in the last days, of which today is the last."""
    return ListFilter(
        name="days",
        label=gettext_lazy("When"),
        choices=DAYS,
        apply=lambda rows, days: rows.filter(**{f"{column}__gte": _days_ago(int(days))}),
    )


def _days_ago(days: int) -> datetime:
    """The midnight with which the last `days` days begin in the zone of the account, today being the last."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """A filter, or the choice of order, as the form shows it; an option is (value, label, whether it is chosen)."""

    name: str
    label: Words
    options: list[tuple[str, Words, bool]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    rows: list[Any]
    controls: list[Control]
    words: str | None  # the search; None if the list cannot be searched
    next_query: str  # query string of the next page; empty on the last one
    first_query: str  # query string of the first page of the same list
    is_first: bool
    is_narrowed: bool


def listing(
    given: Mapping[str, str],
    rows: QuerySet[Any],
    *,
    orders: Sequence[Order],
    filters: Sequence[ListFilter] = (),
    search: Callable[[QuerySet[Any], str], QuerySet[Any]] | None = None,
) -> Listing:
    """The page that `given`, the parameters of the URL's query, asks for. The first order is the default."""
    rows, asked = narrowed(given, rows, filters=filters, search=search)
    is_narrowed = bool(asked)
    order = next((one for one in orders if one.name == given.get("order")), orders[0])
    if order is not orders[0]:
        asked["order"] = order.name
    cursor = given.get("after")
    try:
        shown, after = rows_of_page(rows, order=order.columns, cursor=cursor, limit=PAGE)
    except CursorError:
        cursor = None
        shown, after = rows_of_page(rows, order=order.columns, cursor=None, limit=PAGE)
    return Listing(
        rows=shown,
        controls=[*(_control(one, asked) for one in filters), *_order_control(orders, order)],
        words=asked.get("q", "") if search is not None else None,
        next_query="?" + urlencode({**asked, "after": after}) if after else "",
        first_query="?" + urlencode(asked),
        is_first=cursor is None,
        is_narrowed=is_narrowed,
    )


def narrowed(
    given: Mapping[str, str],
    rows: QuerySet[Any],
    *,
    filters: Sequence[ListFilter] = (),
    search: Callable[[QuerySet[Any], str], QuerySet[Any]] | None = None,
) -> tuple[QuerySet[Any], dict[str, str]]:
    """The rows that fit what `given` chooses, on all pages, and those of its parameters that were understood."""
    asked: dict[str, str] = {}
    words = given.get("q", "").strip()[:LONGEST_WORDS]
    if search is not None and words:
        rows, asked["q"] = search(rows, words), words
    for one in filters:
        if (value := given.get(one.name, "")) in dict(one.choices):
            rows, asked[one.name] = one.apply(rows, value), value
    return rows, asked


def _control(one: ListFilter, asked: Mapping[str, str]) -> Control:
    chosen = asked.get(one.name, "")
    options = [("", _("all"), not chosen), *((value, label, value == chosen) for value, label in one.choices)]
    return Control(name=one.name, label=one.label, options=options)


def _order_control(orders: Sequence[Order], chosen: Order) -> list[Control]:
    options = [(one.name, one.label, one is chosen) for one in orders]
    return [Control(name="order", label=_("Sorted by"), options=options)] if len(orders) > 1 else []
