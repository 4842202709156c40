"""What a row asks, under the names that tools use, as messages: its prompt, what stands below it and before it.

Nothing is guessed: a row without any of these names has no prompt, and two that do not say in what order they belong
together are refused by name.
"""

import re
from collections.abc import Mapping
from typing import Any

from labeling.imports.formats.chat import read_messages
from labeling.imports.formats.hh import is_transcript, parse_transcript
from labeling.imports.messages import (
    FormatError,
    json_type_of,
    list_of,
    merge_consecutive,
    optional_text,
    system_of,
    text_of,
    text_without_media,
)
from records import Message

ASKED = ("instruction", "question", "query")  # the prompt where there is no "prompt"
BELOW = ("input", "context")  # after a blank line below the instruction, as in Alpaca and Dolly
HISTORY = "history"  # LLaMA-Factory's earlier turns
_ALONE = ("text", "messages")  # the prompt where there is nothing else
NAMES = ("prompt", *ASKED, *BELOW, *_ALONE)
_OPEN_END = re.compile(r"(?:(?:\r?\n){2}|\r\r)Assistant:\s*\Z")
KEPT = f"{' '.join(NAMES)} system system_prompt {HISTORY}"  # as words, for keys.py
NO_PROMPT = (
    'nothing says what was asked: there must be a "prompt" (or one of instruction, question, query, input), '
    'turns of "\\n\\nHuman:" and "\\n\\nAssistant:" in both texts, or both as lists of messages'
)


def read_prompt(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a prompt, which must end with the user's. Raises FormatError."""
    if isinstance(value, list):
        messages = read_messages(value, name)
    elif is_transcript(value):
        messages = parse_transcript(_without_open_end(value), name)
    else:
        messages = merge_consecutive((Message(role="user", content=text_without_media(value, name)),))
    if messages[-1].role != "user":
        raise FormatError(f'"{name}" must end with the user')
    return messages


def prompt_of(row: Mapping[str, Any]) -> tuple[Message, ...]:
    """All that a row asks, from its system message to its last question. Raises FormatError."""
    messages = prompt_messages_of(row)
    if not any(isinstance(one, dict) and one.get("role") != "system" for one in messages):
        alone = [name for name in _ALONE if row.get(name)]
        if len(alone) != 1:
            raise FormatError(f"has no prompt: none of its fields is called {', '.join(NAMES)}")
        messages = [*messages, *_messages_of(row[alone[0]], alone[0])]
    return read_prompt(messages, "prompt")


def prompt_messages_of(row: Mapping[str, Any]) -> list[Any]:
    """The messages before the answers, not yet checked; empty where only the answers could contain them."""
    prompt = row.get("prompt")
    asked = _prompt_in_columns(row) if prompt is None else _messages_of(prompt, "prompt")
    if prompt is not None:
        _require_repeated(row, asked)
    return _with_system(row, [*_plain(turns_before(row)), *asked])


def turns_before(row: Mapping[str, Any]) -> list[Message]:
    """The earlier turns of "history": [[what was asked, the answer], …], oldest first. Raises FormatError."""
    turns: list[Message] = []
    for index, turn in enumerate(list_of(row.get(HISTORY) or [], HISTORY)):
        name = f"{HISTORY}[{index}]"
        if not isinstance(turn, list) or len(turn) != 2:
            raise FormatError(f'"{name}" must be a list of two texts, what was asked and the answer')
        turns += (
            Message(role="user", content=text_of(turn[0], f"{name}[0]")),
            Message(role="assistant", content=text_of(turn[1], f"{name}[1]")),
        )
    return turns


def _prompt_in_columns(row: Mapping[str, Any]) -> list[Any]:
    asks = [name for name in ASKED if row.get(name)]
    below = [name for name in BELOW if not _is_blank(row.get(name))]
    if not asks and below == ["input"]:
        asks, below = below, []
    if not asks and not below:
        return []
    if len(asks) != 1 or len(below) > 1:
        names = ", ".join(f'"{name}"' for name in (*asks, *below))
        raise FormatError(f'{names} do not say which is the prompt and in what order; write the whole as "prompt"')
    if not below:
        return _messages_of(row[asks[0]], asks[0])
    texts = (text_of(row[name], name) for name in (asks[0], below[0]))
    return [{"role": "user", "content": "\n\n".join(texts)}]


def _is_blank(value: Any) -> bool:
    return not value or (isinstance(value, str) and optional_text(value, "") is None)


def _messages_of(prompt: Any, name: str) -> list[Any]:
    if isinstance(prompt, list):
        return prompt  # checked together with the answers: alone it may be no valid dialogue
    return _plain(read_prompt(prompt, name))


def _plain(messages: tuple[Message, ...] | list[Message]) -> list[Any]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _require_repeated(row: Mapping[str, Any], asked: list[Any]) -> None:
    """Beside a prompt, the other columns may repeat parts of it and contain nothing else."""
    said = [message.get("content") for message in asked if isinstance(message, dict)]
    for name in (*ASKED, *BELOW):
        more = row.get(name)
        if _is_blank(more) or more == row["prompt"]:
            continue
        if not isinstance(more, str):
            raise FormatError(
                f'"{name}" stands beside "prompt" and is {json_type_of(more)}; write all that was asked there'
            )
        if not any(isinstance(content, str) and more.strip() in content for content in said):
            raise FormatError(f'"{name}" is not part of "prompt" and would be lost; write all that was asked there')


def _with_system(row: Mapping[str, Any], asked: list[Any]) -> list[Any]:
    system = [{"role": message.role, "content": message.content} for message in system_of(row)]
    if system and asked and isinstance(asked[0], dict) and asked[0].get("role") == "system":
        if asked[0].get("content") != system[0]["content"]:
            raise FormatError('"system" and the first message of "prompt" are two system messages; leave one')
        return asked
    return [*system, *asked]


def _without_open_end(transcript: str) -> str:
    """A transcript without the final "Assistant:" that asks for the answer."""
    return _OPEN_END.sub("", transcript)
