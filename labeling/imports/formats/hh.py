"""Anthropic HH: pairs of whole dialogues, "\\n\\nHuman: … \\n\\nAssistant: …", one chosen and one rejected.

The last answer is the completion, everything before it the prompt. A pair that differs earlier is refused: its
two completions answer different prompts.
"""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.keys import keys
from labeling.imports.formats.verdicts import require_learnable
from labeling.imports.messages import FormatError, merge_consecutive, system_of, text_of
from labeling.imports.reader import Entry
from records import Completion, Demonstration, Message, Ranking
from records.types import Role

_SPEAKER = re.compile(r"(?:(?:\r?\n){2}|\r\r)(Human|Assistant):")
_LINE_ENDS = "\r\n"
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}

KEYS = keys("chosen rejected system system_prompt")


def rankings(entry: Entry) -> Iterator[Ranking]:
    chosen = parse_transcript(entry.value["chosen"], "chosen")
    rejected = parse_transcript(entry.value["rejected"], "rejected")
    system = system_of(entry.value)
    yield pair((*system, *chosen), (*system, *rejected))


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    """The chosen dialogue."""
    require_learnable(entry.value)
    chosen = parse_transcript(entry.value["chosen"], "chosen")
    yield Demonstration(id="", messages=(*system_of(entry.value), *chosen))


def parse_transcript(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a transcript. Raises FormatError."""
    before, *parts = _SPEAKER.split("\n\n" + text_of(value, name).lstrip(_LINE_ENDS))
    if before.strip():
        raise FormatError(f'"{name}" must begin with "\\n\\nHuman:"')
    spoken = [
        Message(role=_ROLES[speaker], content=content.strip())
        for speaker, content in zip(parts[::2], parts[1::2], strict=True)
    ]
    if any(not message.content for message in spoken):
        raise FormatError(f'"{name}" has an empty message')
    return merge_consecutive(spoken)


def pair(chosen: tuple[Message, ...], rejected: tuple[Message, ...]) -> Ranking:
    """The ranking of two dialogues, which may differ only in their last answer. Raises FormatError."""
    for name, messages in (("chosen", chosen), ("rejected", rejected)):
        if not messages or messages[-1].role != "assistant":
            raise FormatError(f'"{name}" does not end with an answer')
    if [role_and_content(message) for message in chosen[:-1]] != [
        role_and_content(message) for message in rejected[:-1]
    ]:
        raise FormatError("chosen and rejected part before their last answer, so they answer different prompts")
    return ranking_of_pair(chosen[:-1], chosen[-1].content, rejected[-1].content)


def ranking_of_pair(prompt: tuple[Message, ...], chosen: str, rejected: str) -> Ranking:
    if chosen == rejected:
        raise FormatError("chosen and rejected are the same text")
    completions = (Completion(id="chosen", content=chosen), Completion(id="rejected", content=rejected))
    return Ranking(
        id="", comparison_id="", messages=prompt, completions=completions, tiers=(("chosen",), ("rejected",))
    )


def role_and_content(message: Message) -> tuple[str, str]:
    return message.role, message.content


def is_transcript(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip(_LINE_ENDS).startswith(("Human:", "Assistant:"))


FORMAT = Format(
    name="hh",
    label="Anthropic HH pairs",
    recognises=lambda entry: has_keys(entry.value, "chosen", "rejected") and is_transcript(entry.value["chosen"]),
    keys=KEYS,
    dialogues=dialogues,
    rankings=rankings,
)
