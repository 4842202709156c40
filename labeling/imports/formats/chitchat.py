"""The chitchat data set: conversations of two people, each a list of turns of messages with their sender.

The first speaker becomes the user, the other the assistant; consecutive messages of one are merged. The wheel
`chitchat-dataset` contains the file.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.chat import dialogue_or_prompt
from labeling.imports.formats.keys import keys
from labeling.imports.messages import FormatError, json_type_of, list_of, merge_consecutive, text_of
from labeling.imports.reader import Entry
from records import Message

# "prompt" suggested to both what to talk about; neither said it.
KEYS = keys("messages", passed_over="prompt start end ratings")


def dataset_path() -> Path | None:
    """The file inside the installed wheel, found without importing it; None where it is not installed."""
    found = importlib.util.find_spec("chitchat_dataset")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).with_name("dataset.json")
    return path if path.is_file() else None


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    spoken = list(_spoken(entry.value))
    senders = list(dict.fromkeys(sender for sender, _ in spoken))
    if len(senders) != 2:
        raise FormatError(f"has {len(senders)} speakers; a dialogue has two")
    messages = [Message(role="user" if sender == senders[0] else "assistant", content=text) for sender, text in spoken]
    yield dialogue_or_prompt(merge_consecutive(messages, joint="\n"), row=entry.value, identifier=entry.key or "")


def _spoken(value: Any) -> Iterator[tuple[str, str]]:
    for turn in list_of(value.get("messages"), "messages"):
        for message in list_of(turn, "messages[]"):
            if not isinstance(message, dict):
                raise FormatError(f'"messages[][]" must be an object, not {json_type_of(message)}')
            text = text_of(message.get("text"), "text", may_be_empty=True)
            if text.strip():
                yield text_of(message.get("sender"), "sender"), text


def _recognises(entry: Entry) -> bool:
    turns = entry.value.get("messages") if has_keys(entry.value, "messages") else None
    if not isinstance(turns, list) or not turns:
        return False
    return isinstance(turns[0], list) and bool(turns[0]) and has_keys(turns[0][0], "text", "sender")


FORMAT = Format(
    name="chitchat",
    label="chitchat conversations of two people",
    recognises=_recognises,
    keys=KEYS,
    dialogues=dialogues,
)
