"""What can be stored of the texts and the JSON that requests bring, checked once. Knows no view and no row.

PostgreSQL stores no NUL, and its driver no half of a surrogate pair. JSON can also be nested so deeply, or name numbers
so large, that Python or the database fails on it.
"""

import json
import math
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

DEEPEST = 30  # levels of JSON; what Parley reads has at most six
LARGEST_NUMBER = 2.0**53  # beyond it, JavaScript and JSON no longer tell whole numbers apart
_MOST_DIGITS = 400  # of a whole number that is read at all: Python is slow with long ones, and refuses the longest


class InputRefused(ValueError):
    """Input that cannot be stored. `where` is the field, as its sender knows it; the message is a sentence for them."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(what)
        self.where = where


class NotJson(InputRefused):
    """A body that is no JSON at all."""


def require_storable(text: str, where: str) -> None:
    """Raises InputRefused."""
    if "\0" in text:
        raise InputRefused(where, _("There is a NUL character in it, which cannot be stored."))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputRefused(where, _("There is half of a surrogate pair in it, which cannot be stored.")) from error


def require_storable_address(request: HttpRequest) -> None:
    """Check the path and the query of a request. Raises InputRefused."""
    require_storable(request.path, "path")
    for name, values in request.GET.lists():
        require_storable(name, "query")
        for value in values:
            require_storable(value, f"query.{name}")


def require_storable_form(request: HttpRequest) -> None:
    """Check the fields of a form; files are not read. Raises InputRefused."""
    for name, values in request.POST.lists():
        require_storable(name, "form")
        for value in values:
            require_storable(value, name)


def read_json(body: str | bytes, *, where: str = "body") -> Any:
    """The value of a JSON text, with finite numbers and storable texts only. Raises InputRefused."""
    try:
        value = json.loads(body, parse_int=_whole_number)
    except RecursionError as error:
        raise _too_deep(where) from error
    except ValueError as error:
        raise NotJson(where, _("This is not JSON in UTF-8.")) from error
    _require_storable_value(value, where, depth=0)
    return value


def _whole_number(digits: str) -> float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _require_storable_value(value: Any, where: str, *, depth: int) -> None:
    if depth > DEEPEST:
        raise _too_deep(where)
    if isinstance(value, str):
        require_storable(value, where)
    elif isinstance(value, dict):
        for key, part in value.items():
            require_storable(key, where)
            _require_storable_value(part, f"{where}.{key}", depth=depth + 1)
    elif isinstance(value, list):
        for place, part in enumerate(value):
            _require_storable_value(part, f"{where}[{place}]", depth=depth + 1)
    elif isinstance(value, int | float) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:  # also refuses NaN
        raise InputRefused(where, _("This number is not finite, or too large to be stored."))


def _too_deep(where: str) -> InputRefused:
    return InputRefused(where[:200], _("This is nested too deeply."))
