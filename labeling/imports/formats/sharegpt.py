"""ShareGPT: {"conversations": [{"from": "human" or "gpt", "value": text}]}."""

from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import Format, Said, has_keys
from labeling.imports.formats.chat import said
from labeling.imports.formats.verdicts import require_learnable_message
from labeling.imports.messages import FormatError, kind_of, list_of, role_of, take_turns, text_of
from labeling.imports.reader import Entry
from records import Message


def dialogues(entry: Entry) -> Iterator[Said]:
    turns = list_of(entry.value.get("conversations"), "conversations")
    messages = take_turns(_message(turn, f"conversations[{index}]") for index, turn in enumerate(turns))
    yield said(messages, row=entry.value)


def _message(value: Any, name: str) -> Message:
    if not isinstance(value, dict):
        raise FormatError(f'"{name}" must be an object, not {kind_of(value)}')
    role = role_of(value.get("from"), f"{name}.from")
    if role == "assistant":
        require_learnable_message(value, name)
    return Message(role=role, content=text_of(value.get("value"), f"{name}.value"))


FORMAT = Format(
    name="sharegpt",
    label="ShareGPT conversations",
    recognises=lambda entry: has_keys(entry.value, "conversations"),
    dialogues=dialogues,
)
