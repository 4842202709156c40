"""What a file says, as messages that Parley can keep: text checked, one role at a time.

Every complaint is a sentence of a FormatError; the line number is added by whoever reads the file.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from labeling.dialogues.rules import LONGEST_TEXT
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
    """A value that is not what its format says; the text completes "line 7: …"."""


def text_of(value: Any, name: str, *, may_be_empty: bool = False) -> str:
    """The value, which must be text of a length that can be kept."""
    if not isinstance(value, str):
        raise FormatError(f'"{name}" must be text, not {kind_of(value)}')
    if not may_be_empty and (not value or value.isspace()):
        raise FormatError(f'"{name}" is empty')
    if len(value) > LONGEST_TEXT:
        raise FormatError(f'"{name}" has {len(value):,} characters; at most {LONGEST_TEXT:,} can be kept')
    return value


def optional_text(value: Any, name: str) -> str | None:
    """None for a missing or empty value, else text."""
    return text_of(value, name) if value else None


def list_of(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise FormatError(f'"{name}" must be a list, not {kind_of(value)}')
    return value


def role_of(value: Any, name: str) -> Role:
    role = _ROLES.get(value.lower()) if isinstance(value, str) else None
    if role is None:
        raise FormatError(f'"{name}" is {value!r}; only user, assistant and system (and their kin) can be kept')
    return role


def system_of(fields: Mapping[str, Any]) -> tuple[Message, ...]:
    """The system message that stands in a field of its own beside what is said; empty where there is none."""
    for name in ("system", "system_prompt"):
        if content := optional_text(fields.get(name), name):
            return (Message(role="system", content=content),)
    return ()


def take_turns(messages: Iterable[Message], *, joint: str = "\n\n") -> tuple[Message, ...]:
    """Neighbours of one role joined into one message; then a system message at most, and the user first."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            last = joined.pop()
            message = Message(role=last.role, content=f"{last.content}{joint}{message.content}", policy=last.policy)
        joined.append(message)
    _require_order(joined)
    return tuple(joined)


def require_turns(messages: Sequence[Message]) -> None:
    """Raise FormatError unless user and assistant take turns, the user first, after a system message at most."""
    if any(message.role == before.role for before, message in pairwise(messages)):
        raise FormatError("user and assistant do not take turns")
    _require_order(messages)


def kind_of(value: Any) -> str:
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
