"""An order as files give it, by numbers or by position, as the tiers of a ranking. Equal numbers are a tie."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from labeling.imports.messages import FormatError, json_type_of, text_of
from records import Completion, Message, Ranking

Placed = tuple[Completion, float]

_LARGEST = 1e15  # beyond, a float cannot tell neighbouring integers apart, and a mean may overflow
_LONGEST_SECONDS = 366 * 24 * 3600  # a year; a longer time was not spent ranking


def ranking_of(prompt: tuple[Message, ...], placed: Sequence[Placed], **fields: Any) -> Ranking:
    """The ranking of completions by their numbers, the smallest best. Raises FormatError for fewer than two."""
    if len(placed) < 2:
        raise FormatError(f"orders {len(placed)} answers; a ranking needs at least 2")
    require_different(completion.content for completion, _ in placed)
    tiers: dict[float, list[str]] = {}
    for completion, number in placed:
        tiers.setdefault(number, []).append(completion.id)
    return Ranking(
        **{"id": "", "comparison_id": "", **fields},
        messages=prompt,
        completions=tuple(completion for completion, _ in placed),
        tiers=tuple(tuple(tiers[number]) for number in sorted(tiers)),
    )


def require_different(contents: Iterable[str]) -> None:
    """Raise FormatError where two answers are the same text: an order between them says nothing about the text."""
    seen: set[str] = set()
    for content in contents:
        if content in seen:
            raise FormatError("has the same answer twice")
        seen.add(content)


def number_of(value: Any, name: str) -> float:
    """The value as a number; texts of numbers are read. Raises FormatError."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise FormatError(f'"{name}" must be a number, not {value[:40]!r}') from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise FormatError(f'"{name}" must be a number, not {json_type_of(value)}')
    if abs(value) > _LARGEST:
        raise FormatError(f'"{name}" is too large a number; at most {_LARGEST:g} can be kept')
    return float(value)


def seconds_of(value: Any, name: str) -> float | None:
    """How long the ranking took in seconds; None where the file does not say. Raises FormatError."""
    if value is None:
        return None
    seconds = number_of(value, name)
    if not 0 <= seconds <= _LONGEST_SECONDS:
        raise FormatError(f'"{name}" must lie between 0 and {_LONGEST_SECONDS:,} seconds, a year, not {seconds:g}')
    return seconds


def trainer_name(value: Any) -> str | None:
    """A name for whoever ranked; None where the file has none. An e-mail address is not kept: a hash of it stands for
    the person, so that two of them stay two.
    """
    if isinstance(value, dict):
        value = next((value[key] for key in ("id", "username", "email") if value.get(key) is not None), None)
    if value is None or isinstance(value, bool | float | list | dict):
        return None
    name = str(value).strip()
    if "@" in name:
        return f"mail-{hashlib.sha256(name.lower().encode()).hexdigest()[:12]}"
    return text_of(name, "user")[:80] if name else None
