"""Anthropic HH: two whole transcripts of "\\n\\nHuman:" and "\\n\\nAssistant:", which differ in their last answer.

labeling.imports.formats.hh reads them back. It strips each text, so two texts that differ in space alone are one.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from labeling.exports.formats.losses import SYSTEM_MESSAGES, Loss
from labeling.exports.formats.pairs import EMPTY_PAIRS, EQUAL_PAIRS, OF_PAIRS, Pair, has_empty_text, pairs_of
from records import Completion, Message, Ranking

_MARKS = {"user": "\n\nHuman:", "assistant": "\n\nAssistant:"}
_HOLDS_MARK = re.compile(r"(?:(?:\r?\n){2}|\r\r|^)(?:Human|Assistant):")  # with any line ends


def hh_lines(ranking: Ranking) -> Iterator[dict[str, Any]]:
    for pair in pairs_of(ranking):
        if _why_left_out(ranking, pair) is None:
            yield {"chosen": _transcript(ranking, pair.chosen), "rejected": _transcript(ranking, pair.rejected)}


def _why_left_out(ranking: Ranking, pair: Pair) -> Loss | None:
    """The loss that this pair counts as; None for a pair that two transcripts can hold."""
    if pair.chosen.content.strip() == pair.rejected.content.strip():
        return _EQUAL
    if has_empty_text(pair):
        return _EMPTY
    texts = (pair.chosen.content, pair.rejected.content, *(message.content for message in _spoken(ranking)))
    return _MARKED if any(_HOLDS_MARK.search(text) for text in texts) else None


def _num_left_out(ranking: Ranking, why: Loss) -> int:
    return sum(_why_left_out(ranking, pair) is why for pair in pairs_of(ranking))


def _transcript(ranking: Ranking, completion: Completion) -> str:
    before = "".join(f"{_MARKS[message.role]} {message.content}" for message in _spoken(ranking))
    return f"{before}{_MARKS['assistant']} {completion.content}"


def _spoken(ranking: Ranking) -> list[Message]:
    return [message for message in ranking.messages if message.role != "system"]


_EQUAL: Loss = replace(EQUAL_PAIRS, count=lambda ranking: _num_left_out(ranking, _EQUAL))
_EMPTY: Loss = replace(EMPTY_PAIRS, count=lambda ranking: _num_left_out(ranking, _EMPTY))
_MARKED: Loss = Loss(
    name="pairs that hold a speaker's mark",
    meaning="they would read as another turn; left out",
    count=lambda ranking: _num_left_out(ranking, _MARKED),
)
LOST = (*(loss for loss in OF_PAIRS if loss is not EQUAL_PAIRS), SYSTEM_MESSAGES, _EQUAL, _EMPTY, _MARKED)
