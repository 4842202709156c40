"""Values of a file as messages that Parley can store: checked texts and roles, in order.

Every error is a FormatError whose text completes a sentence; the reader of the file adds the line number.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from labeling.web.form_fields import LONGEST_TEXT
from records import Message
from records.types import Role

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bard": "assistant",
    "bing": "assistant",
    "model": "assistant",
    "bot": "assistant",
}


class FormatError(ValueError):
    """A value that does not fit its format; the text completes "line 7: …"."""


def text_of(value: Any, name: str, *, may_be_empty: bool = False) -> str:
    """The value, checked to be a text of at most LONGEST_TEXT characters. Raises FormatError."""
    if not isinstance(value, str):
        raise FormatError(f'"{name}" must be text, not {json_type_of(value)}')
    if not may_be_empty and (not value or value.isspace()):
        raise FormatError(f'"{name}" is empty')
    if len(value) > LONGEST_TEXT:
        raise FormatError(f'"{name}" has {len(value):,} characters; at most {LONGEST_TEXT:,} can be kept')
    return value


def optional_text(value: Any, name: str) -> str | None:
    """The text, or None where the value is missing or empty."""
    return text_of(value, name) if value else None


def list_of(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise FormatError(f'"{name}" must be a list, not {json_type_of(value)}')
    return value


def role_of(value: Any, name: str) -> Role:
    role = _ROLES.get(value.lower()) if isinstance(value, str) else None
    if role is None:
        raise FormatError(f'"{name}" is {value!r}; only user, assistant and system (and their kin) can be kept')
    return role


def system_of(fields: Mapping[str, Any]) -> tuple[Message, ...]:
    """The system message that a row has in a field of its own; empty where there is none."""
    for name in ("system", "system_prompt"):
        if content := optional_text(fields.get(name), name):
            return (Message(role="system", content=content),)
    return ()


def merge_consecutive(messages: Iterable[Message], *, joint: str = "\n\n") -> tuple[Message, ...]:
    """Messages with consecutive ones of a role merged into one. Raises FormatError as require_alternating does."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            last = joined.pop()
            message = Message(role=last.role, content=f"{last.content}{joint}{message.content}", policy=last.policy)
        joined.append(message)
    _require_order(joined)
    return tuple(joined)


def require_alternating(messages: Sequence[Message]) -> None:
    """Raise FormatError unless user and assistant alternate, the user first, after at most one system message."""
    if any(message.role == before.role for before, message in pairwise(messages)):
        raise FormatError("user and assistant do not take turns")
    _require_order(messages)


def json_type_of(value: Any) -> str:
    if value is None:
        return "missing"
    names = {dict: "an object", list: "a list", bool: "true or false", str: "text"}
    return names.get(type(value), "a number")


def _require_order(messages: Sequence[Message]) -> None:
    spoken = messages[1:] if messages and messages[0].role == "system" else messages
    if not spoken:
        raise FormatError("has no message of a user")
    if spoken[0].role != "user":
        raise FormatError("begins with the assistant; a dialogue begins with the user")
    if any(message.role == "system" for message in spoken):
        raise FormatError("has a system message in the middle")
    for message in messages:
        text_of(message.content, "content")
