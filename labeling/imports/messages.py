"""Values of a file as messages that Parley can store: checked texts and roles, in order.

Every error is a FormatError whose text completes a sentence; the reader of the file adds the line number.
"""

import re
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


# As LLaVA, Qwen-VL and LLaMA-Factory mark where a picture belongs: at the beginning or the end of a line.
_PLACEHOLDER = re.compile(r"(?m)^<(?:image|video|audio)>|<(?:image|video|audio)>$")


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
    """The text, or None where the value is missing, empty or blank."""
    is_blank = isinstance(value, str) and value.isspace()
    return text_of(value, name) if value and not is_blank else None


def label_of(value: Any, name: str) -> str | None:
    """A topic or source as text: a number as it is written, a list of texts joined. None where there is none."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ", ".join(one for one in value if one)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return optional_text(value, name)


def text_without_media(value: Any, name: str) -> str:
    """text_of, where a text that stands for a picture or a sound is refused: what it stands for is not there."""
    text = text_of(value, name)
    if found := _PLACEHOLDER.search(text):
        raise FormatError(
            f'"{name}" has {found[0].strip()}, in place of something that is no text; only text can be kept'
        )
    return text


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
            message = _joined(last, message, joint)
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


def _joined(first: Message, second: Message, joint: str) -> Message:
    thoughts = joint.join(filter(None, (first.reasoning, second.reasoning)))
    return Message(
        role=first.role,
        content=f"{first.content}{joint}{second.content}",
        policy=first.policy,
        reasoning=thoughts or None,
    )


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
