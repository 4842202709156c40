"""Text to people as it is sampled, over a Redis stream.

The stream is a courtesy: with the broker away, sampling goes on and the result is told by other means.
Entries are {"index", "text"}; the last is {"done"} or {"error"}. The stream expires by itself.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Collection
from typing import Any

import redis
from transformers import PreTrainedTokenizerBase

from language.stop_ids import decode_text

EXPIRE_SECONDS = 600
# To an eye this flows; and a GPU's hundred tokens a second cost twenty round trips, not a hundred.
FLUSH_SECONDS = 0.05

logger = logging.getLogger(__name__)


class Stream:
    """One run's Redis stream. Text is sent in batches, what belongs to one completion joined."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        self._client, self._key = client, key
        self._pending: defaultdict[int, str] = defaultdict(str)
        self._due = 0.0
        self._away = False

    def write(self, index: int, text: str) -> None:
        """Send the next text of a completion, now or with what comes in a moment."""
        if text:
            self._pending[index] += text
        if self._pending and time.monotonic() >= self._due:
            self._flush()
            self._due = time.monotonic() + FLUSH_SECONDS

    def finish(self, *, error: str | None = None) -> None:
        """Send the rest and the last entry."""
        self._flush({"error": error} if error else {"done": "1"})

    def _flush(self, last: dict[Any, Any] | None = None) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for index, text in self._pending.items():
            pipeline.xadd(self._key, {"index": index, "text": text})
        if last:
            pipeline.xadd(self._key, last)
        pipeline.expire(self._key, EXPIRE_SECONDS)
        self._pending.clear()
        try:
            pipeline.execute()
        except redis.RedisError as error:
            if not self._away:
                logger.warning("the broker is away, so text cannot be shown as it comes: %s", error)
            self._away = True


class TextSoFar:
    """The text of one completion as its tokens come: says what is new, in whole characters."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop_ids: Collection[int]) -> None:
        self._tokenizer, self._stop_ids = tokenizer, stop_ids
        self._ids: list[int] = []
        self._said = ""

    def add(self, ids: list[int]) -> str:
        """The text that these tokens add; the beginning of a character is held back until its last byte."""
        self._ids += ids
        return self._say(decode_text(self._tokenizer, self._ids, self._stop_ids).rstrip("\ufffd"))

    def rest(self) -> str:
        """What was held back, now that no more tokens come."""
        return self._say(decode_text(self._tokenizer, self._ids, self._stop_ids))

    def _say(self, text: str) -> str:
        if not text.startswith(self._said):
            return ""
        new, self._said = text[len(self._said) :], text
        return new
