"""Anthropic HH: pairs of whole dialogues, "\\n\\nHuman: … \\n\\nAssistant: …", one chosen and one rejected.

The last answer is the completion, all before it the prompt. A pair that parts earlier is refused: its two
last answers answer different prompts.
"""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import Format, Said, has_keys
from labeling.imports.formats.verdicts import require_learnable
from labeling.imports.messages import FormatError, system_of, take_turns, text_of
from labeling.imports.reader import Entry
from records import Completion, Demonstration, Message, Ranking
from records.types import Role

_SPEAKER = re.compile(r"(?:(?:\r?\n){2}|\r\r)(Human|Assistant):")
_LINE_ENDS = "\r\n"
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


def rankings(entry: Entry) -> Iterator[Ranking]:
    chosen = parse_transcript(entry.value["chosen"], "chosen")
    rejected = parse_transcript(entry.value["rejected"], "rejected")
    system = system_of(entry.value)
    yield pair((*system, *chosen), (*system, *rejected))


def dialogues(entry: Entry) -> Iterator[Said]:
    """The dialogue that was chosen."""
    require_learnable(entry.value)
    chosen = parse_transcript(entry.value["chosen"], "chosen")
    yield Demonstration(id="", messages=(*system_of(entry.value), *chosen))


def parse_transcript(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a transcript."""
    before, *parts = _SPEAKER.split("\n\n" + text_of(value, name).lstrip(_LINE_ENDS))
    if before.strip():
        raise FormatError(f'"{name}" must begin with "\\n\\nHuman:"')
    spoken = [
        Message(role=_ROLES[speaker], content=content.strip())
        for speaker, content in zip(parts[::2], parts[1::2], strict=True)
    ]
    if any(not message.content for message in spoken):
        raise FormatError(f'"{name}" has an empty message')
    return take_turns(spoken)


def pair(chosen: tuple[Message, ...], rejected: tuple[Message, ...]) -> Ranking:
    """The ranking that two dialogues stand for, which must differ in their last answer alone."""
    for name, messages in (("chosen", chosen), ("rejected", rejected)):
        if not messages or messages[-1].role != "assistant":
            raise FormatError(f'"{name}" does not end with an answer')
    if [spoken(message) for message in chosen[:-1]] != [spoken(message) for message in rejected[:-1]]:
        raise FormatError("chosen and rejected part before their last answer, so they answer different prompts")
    return ranking_of_pair(chosen[:-1], chosen[-1].content, rejected[-1].content)


def ranking_of_pair(prompt: tuple[Message, ...], chosen: str, rejected: str) -> Ranking:
    if chosen == rejected:
        raise FormatError("chosen and rejected are the same text")
    completions = (Completion(id="chosen", content=chosen), Completion(id="rejected", content=rejected))
    return Ranking(
        id="", comparison_id="", messages=prompt, completions=completions, tiers=(("chosen",), ("rejected",))
    )


def spoken(message: Message) -> tuple[str, str]:
    return message.role, message.content


def is_transcript(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip(_LINE_ENDS).startswith(("Human:", "Assistant:"))


FORMAT = Format(
    name="hh",
    label="Anthropic HH pairs",
    recognises=lambda entry: has_keys(entry.value, "chosen", "rejected") and is_transcript(entry.value["chosen"]),
    dialogues=dialogues,
    rankings=rankings,
)
