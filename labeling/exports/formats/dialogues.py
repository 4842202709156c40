"""Demonstrations as chat messages, for supervised fine-tuning.

A dialogue may end with a message that nobody answered. It teaches nothing, and OpenAI refuses a line that does not end
with an answer, so such an end is cut off.
"""

from collections.abc import Callable, Iterator
from typing import Any

from labeling.exports.formats.losses import (
    AUTHORSHIP,
    GUIDELINES,
    REASONING,
    RECORD_IDS,
    SOURCES,
    TOPICS,
    TRAINERS,
    Loss,
)
from labeling.exports.formats.pairs import message_dicts
from records import Demonstration, Message

Lines = Iterator[dict[str, Any]]
_CIRCUMSTANCES = (TRAINERS, GUIDELINES, TOPICS, SOURCES, AUTHORSHIP, REASONING, RECORD_IDS)


def openai_chat_lines(demonstration: Demonstration) -> Lines:
    """OpenAI's chat fine-tuning; trl's SFTTrainer reads it too."""
    end = len(demonstration.messages) - _num_after_last(_is_answer, demonstration)
    yield {"messages": message_dicts(demonstration.messages[:end])}


def prompt_completion_lines(demonstration: Demonstration) -> Lines:
    """trl's prompt-completion format, conversational: one line per answer, the loss on the answer only.

    Answers that are wholly a policy's are context and not learnt from, as in policy.sft.
    """
    for place, message in enumerate(demonstration.messages):
        if _is_learnt(message):
            yield {"prompt": message_dicts(demonstration.messages[:place]), "completion": message_dicts((message,))}


def _is_answer(message: Message) -> bool:
    return message.role == "assistant"


def _is_learnt(message: Message) -> bool:
    return message.role == "assistant" and message.authorship != "policy"


def _num_after_last(is_wanted: Callable[[Message], bool], demonstration: Demonstration) -> int:
    """How many messages stand after the last one that is wanted; all of them where none is."""
    for num, message in enumerate(reversed(demonstration.messages)):
        if is_wanted(message):
            return num
    return len(demonstration.messages)


LOST_IN_OPENAI = (
    *_CIRCUMSTANCES,
    Loss(
        name="messages after the last answer",
        meaning="nothing is learnt of them, and readers refuse them; cut off",
        count=lambda demonstration: _num_after_last(_is_answer, demonstration),
    ),
)
LOST_IN_PROMPT_COMPLETION = (
    *_CIRCUMSTANCES,
    Loss(
        name="answers of a policy",
        meaning="they are context, and not learnt from",
        count=lambda demonstration: (
            sum(map(_is_answer, demonstration.messages)) - sum(map(_is_learnt, demonstration.messages))
        ),
    ),
    Loss(
        name="messages after the last answer that is learnt",
        meaning="no line holds them",
        count=lambda demonstration: _num_after_last(_is_learnt, demonstration),
    ),
)
