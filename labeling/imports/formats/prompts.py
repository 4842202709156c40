"""A prompt as files give it (text, a transcript or messages), and the field names under which it may stand."""

from collections.abc import Mapping
from typing import Any

from labeling.imports.formats.chat import read_messages
from labeling.imports.formats.hh import is_transcript, parse_transcript
from labeling.imports.messages import FormatError, merge_consecutive, text_of
from records import Message

NAMES = ("prompt", "instruction", "question", "query", "input", "context", "text", "messages")


def read_prompt(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a prompt, which must end with the user's. Raises FormatError."""
    if isinstance(value, list):
        messages = read_messages(value, name)
    elif is_transcript(value):
        messages = parse_transcript(_without_open_end(value), name)
    else:
        messages = merge_consecutive((Message(role="user", content=text_of(value, name)),))
    if messages[-1].role != "user":
        raise FormatError(f'"{name}" must end with the user')
    return messages


def prompt_among(fields: Mapping[str, Any]) -> tuple[Message, ...]:
    """The prompt among fields with user-chosen names. Raises FormatError where no name is one of NAMES."""
    for name in NAMES:
        if fields.get(name):
            return read_prompt(fields[name], name)
    raise FormatError(f"has no prompt: none of its fields is called {', '.join(NAMES)}")


def _without_open_end(transcript: str) -> str:
    """A transcript without the final "Assistant:" that asks for the answer."""
    return transcript.rstrip().removesuffix("Assistant:")
