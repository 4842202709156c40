"""trl's unpaired preference format, made of thumbs."""

from collections.abc import Iterator
from typing import Any

from labeling.exports.formats.losses import (
    AUTHORSHIP,
    REASONING,
    RECORD_IDS,
    SOURCES,
    TOPICS,
    TRAINERS,
    Loss,
)
from labeling.exports.formats.pairs import assistant_message, message_dicts
from records import Thumb


def kto_lines(thumb: Thumb) -> Iterator[dict[str, Any]]:
    """Conversational; for KTOTrainer."""
    completion = [assistant_message(thumb.completion)]
    yield {"prompt": message_dicts(thumb.messages), "completion": completion, "label": thumb.up}


LOST = (
    TRAINERS,
    TOPICS,
    SOURCES,
    AUTHORSHIP,
    REASONING,
    RECORD_IDS,
    Loss(name="reasons", meaning="why a thumb was given", count=lambda thumb: thumb.reason is not None),
    Loss(name="times of thumbs", meaning="when a thumb was given", count=lambda thumb: thumb.given_at is not None),
    Loss(
        name="origins of answers",
        meaning="the model that wrote an answer, and how it was sampled",
        count=lambda thumb: any(
            getattr(thumb.completion, name) is not None
            for name in ("policy", "sampling", "finish_reason", "num_tokens", "logprob")
        ),
    ),
)
