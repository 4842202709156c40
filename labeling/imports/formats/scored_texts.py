"""Whole dialogues as texts beside a list of scores, {"text": [...], "score": [...]}, as in the DSP data sets (Cheng et
al. 2023). The texts part in their last answer only; they are turns of Human and Assistant, with or without "##".
"""

import re
from collections.abc import Iterator

from labeling.imports.formats import Format, has_keys
from labeling.imports.formats.hh import parse_transcript, role_and_content
from labeling.imports.formats.keys import keys
from labeling.imports.formats.ranking_tiers import number_of, ranking_of
from labeling.imports.messages import FormatError, list_of, text_of
from labeling.imports.reader import Entry
from records import Completion, Message, Ranking

KEYS = keys("text score")
_MARKED = re.compile(r"(?:^|(?:\r?\n)+)## (Human|Assistant):\r?\n")


def rankings(entry: Entry) -> Iterator[Ranking]:
    texts, scores = list_of(entry.value["text"], "text"), list_of(entry.value["score"], "score")
    if len(texts) != len(scores):
        raise FormatError(f'"score" has {len(scores)} numbers for {len(texts)} texts')
    said = [_messages_of(text, f"text[{index}]") for index, text in enumerate(texts)]
    for index, messages in enumerate(said):
        if messages[-1].role != "assistant":
            raise FormatError(f'"text[{index}]" does not end with an answer')
        if list(map(role_and_content, messages[:-1])) != list(map(role_and_content, said[0][:-1])):
            raise FormatError("its texts part before their last answer, so they answer different prompts")
    placed = [
        (Completion(id=str(index), content=messages[-1].content), -number_of(score, "score"))
        for index, (messages, score) in enumerate(zip(said, scores, strict=True))
    ]
    yield ranking_of(said[0][:-1] if said else (), placed)


def _messages_of(value: object, name: str) -> tuple[Message, ...]:
    text = text_of(value, name)
    return parse_transcript(_MARKED.sub(lambda match: f"\n\n{match[1]}:", text) if "## Human:" in text else text, name)


FORMAT = Format(
    name="scored-texts",
    label="texts with scores, as in the DSP data sets",
    recognises=lambda entry: has_keys(entry.value, "text", "score") and isinstance(entry.value["text"], list),
    keys=KEYS,
    rankings=rankings,
)
