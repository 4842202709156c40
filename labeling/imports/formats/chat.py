"""Chat messages: OpenAI's {"messages": [{"role", "content"}]}, and the same as ChatML transcripts."""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.keys import keys
from labeling.imports.formats.verdicts import require_learnable, require_learnable_message
from labeling.imports.messages import FormatError, json_type_of, list_of, merge_consecutive, role_of, text_of
from labeling.imports.reader import Entry
from records import Demonstration, Message, Prompt

_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>\n?", re.DOTALL)

# Whether a message's loss counts is read by verdicts.py.
MESSAGE = keys("role content weight refusal train training trainable learn loss", passed_over="name")
KEYS = keys(inside={"messages": MESSAGE})
_CHATML_KEYS = keys("text")


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    yield dialogue_or_prompt(_messages_of(entry.value), row=entry.value)


def dialogue_or_prompt(
    messages: tuple[Message, ...], *, row: Any, identifier: str = "", topic: str | None = None
) -> DialogueOrPrompt:
    """A demonstration where there is an answer, else a prompt. Raises FormatError where the row marks it as bad."""
    if any(message.role == "assistant" for message in messages):
        require_learnable(row)
        return Demonstration(id=identifier, messages=messages)
    return Prompt(id=identifier, messages=messages, topic=topic)


def read_messages(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a list of {"role", "content"}."""
    return merge_consecutive(_message(spoken, f"{name}[{index}]") for index, spoken in enumerate(list_of(value, name)))


def read_chatml(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a transcript with <|im_start|> and <|im_end|>."""
    text = text_of(value, name)
    if _TURN.sub("", text).strip():
        raise FormatError(f'"{name}" is not ChatML: something stands outside <|im_start|> … <|im_end|>')
    return merge_consecutive(
        Message(role=role_of(role, name), content=text_of(content, name)) for role, content in _TURN.findall(text)
    )


def _messages_of(value: Any) -> tuple[Message, ...]:
    if "messages" in value:
        return read_messages(value["messages"], "messages")
    return read_chatml(value["text"], "text")


def _message(value: Any, name: str) -> Message:
    if not isinstance(value, dict):
        raise FormatError(f'"{name}" must be an object, not {json_type_of(value)}')
    if value.get("tool_calls") or value.get("function_call"):
        raise FormatError(f'"{name}" calls a tool; dialogues of text alone can be kept')
    role = role_of(value.get("role"), f"{name}.role")
    if role == "assistant":
        require_learnable_message(value, name)
    return Message(role=role, content=_content(value.get("content"), f"{name}.content"))


def _content(value: Any, name: str) -> str:
    """Text, or OpenAI's list of parts where all of them are text."""
    if not isinstance(value, list):
        return text_of(value, name)
    if not all(isinstance(part, dict) and part.get("type") == "text" for part in value):
        raise FormatError(f'"{name}" has parts that are not text')
    return text_of("\n\n".join(text_of(part.get("text"), name) for part in value), name)


def _recognises(entry: Entry) -> bool:
    value = entry.value
    if has_keys(value, "messages"):
        first = value["messages"][0] if isinstance(value["messages"], list) and value["messages"] else None
        return has_keys(first, "role", "content")
    return has_keys(value, "text") and isinstance(value["text"], str) and value["text"].startswith("<|im_start|>")


FORMAT = Format(
    name="openai",
    label="OpenAI chat messages or ChatML",
    recognises=_recognises,
    keys=lambda row: KEYS if "messages" in row else _CHATML_KEYS,
    dialogues=dialogues,
)
