"""ShareGPT: {"conversations": [{"from": "human" or "gpt", "value": text}]}, a "system" beside them goes before them."""

from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.chat import dialogue_or_prompt, with_system
from labeling.imports.formats.keys import keys
from labeling.imports.formats.verdicts import MESSAGE_KEYS, require_learnable_message
from labeling.imports.messages import FormatError, json_type_of, list_of, merge_consecutive, role_of, text_without_media
from labeling.imports.reader import Entry
from records import Message

TURN = keys(f"from value {MESSAGE_KEYS}")
KEYS = keys("system system_prompt topic category source", inside={"conversations": TURN})


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    messages = read_turns(entry.value.get("conversations"), "conversations")
    yield dialogue_or_prompt(with_system(entry.value, messages), row=entry.value)


def read_turns(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a list of {"from", "value"}."""
    return merge_consecutive(_message(turn, f"{name}[{index}]") for index, turn in enumerate(list_of(value, name)))


def _message(value: Any, name: str) -> Message:
    if not isinstance(value, dict):
        raise FormatError(f'"{name}" must be an object, not {json_type_of(value)}')
    role = role_of(value.get("from"), f"{name}.from")
    if role == "assistant":
        require_learnable_message(value, name)
    return Message(role=role, content=text_without_media(value.get("value"), f"{name}.value"))


FORMAT = Format(
    name="sharegpt",
    label="ShareGPT conversations",
    recognises=lambda entry: has_keys(entry.value, "conversations"),
    keys=KEYS,
    dialogues=dialogues,
)
