"""Anthropic HH: pairs of whole dialogues, "\\n\\nHuman: … \\n\\nAssistant: …", one chosen and one rejected.

The last answer is the completion, everything before it the prompt; of each text only the blank after the colon is
taken off, since what is indented is meant. A pair that differs earlier is refused: its
two completions answer different prompts.
"""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys, pair_orders
from labeling.imports.formats.keys import keys
from labeling.imports.formats.pair_orders import pair_is_tied, require_better
from labeling.imports.formats.verdicts import require_learnable
from labeling.imports.messages import FormatError, merge_consecutive, system_of, text_of
from labeling.imports.reader import Entry
from records import Completion, Demonstration, Message, Ranking
from records.types import Role

_SPEAKER = re.compile(r"(?:(?:\r?\n){2}|\r\r)(Human|Assistant):")
_LINE_ENDS = "\r\n"
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}

KEYS = keys(f"chosen rejected system system_prompt {pair_orders.KEPT}")


def rankings(entry: Entry) -> Iterator[Ranking]:
    chosen = parse_transcript(entry.value["chosen"], "chosen")
    rejected = parse_transcript(entry.value["rejected"], "rejected")
    system = system_of(entry.value)
    yield pair((*system, *chosen), (*system, *rejected), is_tied=pair_is_tied(entry.value))


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    """The chosen dialogue."""
    require_learnable(entry.value)
    require_better(entry.value)
    chosen = parse_transcript(entry.value["chosen"], "chosen")
    yield Demonstration(id="", messages=(*system_of(entry.value), *chosen))


def parse_transcript(value: Any, name: str) -> tuple[Message, ...]:
    """The messages of a transcript. Raises FormatError."""
    before, *parts = _SPEAKER.split("\n\n" + text_of(value, name).lstrip(_LINE_ENDS))
    if before.strip():
        raise FormatError(f'"{name}" must begin with "\\n\\nHuman:"')
    spoken = [
        Message(role=_ROLES[speaker], content=content.removeprefix(" "))
        for speaker, content in zip(parts[::2], parts[1::2], strict=True)
    ]
    if any(not message.content or message.content.isspace() for message in spoken):
        raise FormatError(f'"{name}" has an empty message')
    return merge_consecutive(spoken)


def pair(chosen: tuple[Message, ...], rejected: tuple[Message, ...], *, is_tied: bool) -> Ranking:
    """The ranking of two dialogues, which may differ only in their last answer. Raises FormatError."""
    for name, messages in (("chosen", chosen), ("rejected", rejected)):
        if not messages or messages[-1].role != "assistant":
            raise FormatError(f'"{name}" does not end with an answer')
    if [role_and_content(message) for message in chosen[:-1]] != [
        role_and_content(message) for message in rejected[:-1]
    ]:
        raise FormatError("chosen and rejected part before their last answer, so they answer different prompts")
    return ranking_of_pair(chosen[:-1], chosen[-1].content, rejected[-1].content, is_tied=is_tied)


def ranking_of_pair(prompt: tuple[Message, ...], chosen: str, rejected: str, *, is_tied: bool) -> Ranking:
    if chosen == rejected:
        raise FormatError("chosen and rejected are the same text")
    completions = (Completion(id="chosen", content=chosen), Completion(id="rejected", content=rejected))
    tiers = (("chosen", "rejected"),) if is_tied else (("chosen",), ("rejected",))
    return Ranking(id="", comparison_id="", messages=prompt, completions=completions, tiers=tiers)


def role_and_content(message: Message) -> tuple[str, str]:
    return message.role, message.content


def is_transcript(value: Any) -> bool:
    """Whether a text is turns of Human and Assistant: it begins with an empty line before its first speaker, or has a
    second one. "Human: a novel by whom?" is neither.
    """
    if not isinstance(value, str) or not value.lstrip(_LINE_ENDS).startswith(("Human:", "Assistant:")):
        return False
    return len(_SPEAKER.findall(value)) >= 1


FORMAT = Format(
    name="hh",
    label="Anthropic HH pairs",
    recognises=lambda entry: has_keys(entry.value, "chosen", "rejected") and is_transcript(entry.value["chosen"]),
    keys=KEYS,
    dialogues=dialogues,
    rankings=rankings,
)
