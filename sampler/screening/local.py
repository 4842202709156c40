"""A filter of the model store, or the one that is bundled, as this worker asks it. It has learned from English."""

from collections.abc import Mapping, Sequence

from contentfilter.categories import CATEGORIES
from contentfilter.content_filter import ContentFilter, Thresholds
from contentfilter.features import LONGEST
from contentfilter.normalisation import normalised
from language.embedding import WINDOW
from sampler.screening.readable import unreadable
from sampler.screening.seeing import Seen, worst

# Of a text that are read for its last word pieces: many times what so many pieces of language take.
_ENDING_CHARACTERS = 4000


class LocalFilter:
    """Reads as many word pieces at once as the filter has learned from."""

    def __init__(self, content_filter: ContentFilter) -> None:
        self._filter = content_filter

    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """As its manifest says."""
        return self._filter.thresholds

    def look(self, texts: Sequence[str]) -> list[Seen]:
        """As TextFilter.look."""
        read = [self._ending(normalised(text)) for text in texts]
        return self._seen(texts, read)

    def look_through(self, text: str) -> Seen:
        """As TextFilter.look_through."""
        plain = normalised(text)
        parts = self._parts(plain[:LONGEST])
        seen = worst(self._seen([text] * len(parts), parts))
        if len(plain) <= LONGEST:
            return seen
        return Seen(seen.probabilities, reason=seen.reason, unread=f"it is longer than {LONGEST} characters")

    def _seen(self, texts: Sequence[str], read: Sequence[str]) -> list[Seen]:
        rows = self._filter.probabilities(read).tolist()
        return [
            Seen(dict(zip(CATEGORIES, row, strict=True)), frozenset(), *unreadable(text, normalised=part))
            for row, text, part in zip(rows, texts, read, strict=True)
        ]

    def _ending(self, text: str) -> str:
        ending = text[-_ENDING_CHARACTERS:]
        if len(ending) <= WINDOW:  # no piece is shorter than a character
            return ending
        pieces = self._filter.embedder.pieces(ending)[-WINDOW:]
        return ending[pieces[0][0] :] if pieces else ending

    def _parts(self, text: str) -> list[str]:
        if len(text) <= WINDOW:
            return [text]
        begins = [start for start, _ in self._filter.embedder.pieces(text)][::WINDOW]
        return [text[one:other] for one, other in zip(begins, [*begins[1:], len(text)], strict=True)] or [text]
