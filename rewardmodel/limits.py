"""At most so many records, for a first try or for a curve over sizes: which ones is a matter of their ids alone.

By the hashes of the ids the choice is the same whatever the order of the file and the seed, and a smaller one is part
of a larger one. What is held out is never cut: figures of several models stay comparable.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

Member = TypeVar("Member")

BEYOND = "beyond_max_records"  # what was left out is counted by this name
LIMITS = ("max_records", "max_steps")


def at_most(members: Sequence[Member], most: int, *, id_of: Callable[[Member], str]) -> tuple[Member, ...]:
    """`most` of the members in their order; all of them where `most` is 0."""
    if not most or len(members) <= most:
        return tuple(members)
    chosen = set(sorted(map(id_of, members), key=_place)[:most])
    return tuple(member for member in members if id_of(member) in chosen)


def set_limits(options: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The options that tell one run from another: without limits that are not set, as runs before there were any."""
    return {name: value for name, value in options if name not in LIMITS or value}


def _place(identifier: str) -> bytes:
    return hashlib.sha256(identifier.encode()).digest()
