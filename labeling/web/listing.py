"""A long list as a page shows it: narrowed by words and choices, in one of several orders, a page at a time.

What is asked for stands in the address, so that a list can be sent to somebody. What makes no sense there is left
out: an old link shows the beginning.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labeling.web.keyset_pagination import CursorError, rows_of_page

PAGE = 25
LONGEST_WORDS = 200
Words = str | Promise


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """An order that a person may choose; `columns` as labeling.web.keyset_pagination wants them."""

    name: str
    label: Words
    columns: tuple[str, ...]


NEWEST, OLDEST = (
    Order(name="newest", label=gettext_lazy("newest first"), columns=("-created_at", "-id")),
    Order(name="oldest", label=gettext_lazy("oldest first"), columns=("created_at", "id")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Narrowing:
    """A choice that leaves out rows; where none is made, all are shown."""

    name: str
    label: Words
    choices: Sequence[tuple[str, Words]]
    narrow: Callable[[QuerySet[Any], str], QuerySet[Any]]


def by_column(name: str, label: Words, choices: Any) -> Narrowing:
    """Rows whose column of this name has the chosen value."""
    return Narrowing(name=name, label=label, choices=choices, narrow=lambda rows, value: rows.filter(**{name: value}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """A choice as the form shows it: (value, label, whether it is chosen)."""

    name: str
    label: Words
    options: list[tuple[str, Words, bool]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    rows: list[Any]
    controls: list[Control]
    words: str | None  # None where the list is not searched
    next_query: str  # of the page after this one; empty at the end
    first_query: str  # of the first page of the same list
    is_first: bool
    is_narrowed: bool


def listing(
    given: Mapping[str, str],
    rows: QuerySet[Any],
    *,
    orders: Sequence[Order],
    narrowings: Sequence[Narrowing] = (),
    search: Callable[[QuerySet[Any], str], QuerySet[Any]] | None = None,
) -> Listing:
    """The page that `given`, an address's parameters, asks for."""
    asked: dict[str, str] = {}
    words = given.get("q", "").strip()[:LONGEST_WORDS].replace("\0", "")
    if search is not None and words:
        rows, asked["q"] = search(rows, words), words
    for one in narrowings:
        if (value := given.get(one.name, "")) in dict(one.choices):
            rows, asked[one.name] = one.narrow(rows, value), value
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
        controls=[*(_control(one, asked) for one in narrowings), *_order_control(orders, order)],
        words=words if search is not None else None,
        next_query="?" + urlencode({**asked, "after": after}) if after else "",
        first_query="?" + urlencode(asked),
        is_first=cursor is None,
        is_narrowed=is_narrowed,
    )


def _control(one: Narrowing, asked: Mapping[str, str]) -> Control:
    chosen = asked.get(one.name, "")
    options = [("", _("all"), not chosen), *((value, label, value == chosen) for value, label in one.choices)]
    return Control(name=one.name, label=one.label, options=options)


def _order_control(orders: Sequence[Order], chosen: Order) -> list[Control]:
    options = [(one.name, one.label, one is chosen) for one in orders]
    return [Control(name="order", label=_("Sorted by"), options=options)] if len(orders) > 1 else []
