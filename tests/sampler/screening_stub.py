"""A content filter that is an input of tests: one word is what it blocks, and it can be told to fail."""

from collections.abc import Mapping, Sequence

from contentfilter.content_filter import Thresholds
from records import Screen
from sampler.screening.seeing import FilterAway, Seen

SCREEN = Screen(filter="stub", rules_version=0)
CLOSED = Screen(filter="stub", rules_version=0, needs_filter=True)


class TriggerFilter:
    """Blocks as sexual whatever holds its trigger, warns of what holds its hint; fails after `fails_at` looks.
    It reads the last so many characters of a text."""

    def __init__(
        self,
        trigger: str,
        *,
        hint: str = "",
        reads: int = 10_000,
        fails_at: int | None = None,
        failure: Exception | None = None,
    ) -> None:
        self.trigger, self.hint, self._reads = trigger, hint, reads
        self.looks: list[str] = []
        self._fails_at, self._failure = fails_at, failure or FilterAway("told to be away")

    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        return {"S": Thresholds(0.5, 0.9)}

    def look(self, texts: Sequence[str]) -> list[Seen]:
        if self._fails_at is not None and len(self.looks) + len(texts) > self._fails_at:
            raise self._failure
        self.looks += texts
        return [Seen({"S": self._probability(text[-self._reads :])}) for text in texts]

    def look_through(self, text: str) -> Seen:
        return self.look([text])[0]

    def _probability(self, text: str) -> float:
        if self.trigger in text:
            return 1.0
        return 0.6 if self.hint and self.hint in text else 0.1
