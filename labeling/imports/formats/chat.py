"""Chat messages: OpenAI's {"messages": [{"role", "content"}]}, and the same as ChatML transcripts.

A "system" beside the messages goes before them. Reasoning, under any of three names, is kept apart from the answer.
"""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.keys import keys
from labeling.imports.formats.verdicts import MESSAGE_KEYS, require_learnable, require_learnable_message
from labeling.imports.messages import (
    FormatError,
    json_type_of,
    label_of,
    list_of,
    merge_consecutive,
    optional_text,
    role_of,
    system_of,
    text_of,
    text_without_media,
)
from labeling.imports.reader import Entry
from records import Demonstration, Message, Prompt

_TURN = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>\n?", re.DOTALL)

_MESSAGE = f"role content {MESSAGE_KEYS}"
MESSAGE = keys(_MESSAGE, passed_over="name")
_REASONING = ("reasoning_content", "reasoning", "thinking")
_LABELS = "system system_prompt topic category source"
KEYS = keys(_LABELS, inside={"messages": keys(f"{_MESSAGE} {' '.join(_REASONING)}", passed_over="name")})
_CHATML_KEYS = keys(f"text {_LABELS}")


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    yield dialogue_or_prompt(with_system(entry.value, _messages_of(entry.value)), row=entry.value)


def dialogue_or_prompt(messages: tuple[Message, ...], *, row: Any, identifier: str = "") -> DialogueOrPrompt:
    """A demonstration where there is an answer, else a prompt. Raises FormatError where the row marks it as bad."""
    topic = label_of(row.get("topic") or row.get("category"), "topic")
    source = label_of(row.get("source"), "source")
    if any(message.role == "assistant" for message in messages):
        require_learnable(row)
        return Demonstration(id=identifier, messages=messages, topic=topic, source=source)
    return Prompt(id=identifier, messages=messages, topic=topic, source=source)


def with_system(row: Any, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages after the system message that stands beside them. Raises FormatError where there are two."""
    return after_system(system_of(row), messages)


def after_system(system: tuple[Message, ...], messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if not system or (messages and messages[0].role == "system" and messages[0].content == system[0].content):
        return messages
    if messages and messages[0].role == "system":
        raise FormatError('"system" and the first message are two system messages; leave one')
    return (*system, *messages)


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
    content = _content(value.get("content"), f"{name}.content")
    return Message(role=role, content=content, reasoning=_reasoning_in(value, name))


def _reasoning_in(message: dict[str, Any], name: str) -> str | None:
    for key in _REASONING:
        if reasoning := optional_text(message.get(key), f"{name}.{key}"):
            return reasoning
    return None


def _content(value: Any, name: str) -> str:
    """Text, or OpenAI's list of parts where all of them are text."""
    if not isinstance(value, list):
        return text_without_media(value, name)
    if not all(isinstance(part, dict) and part.get("type") == "text" for part in value):
        raise FormatError(f'"{name}" has parts that are not text')
    return text_without_media("\n\n".join(text_of(part.get("text"), name) for part in value), name)


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
