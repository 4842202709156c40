"""Near-duplicate texts: those that share most of their runs of words, found without comparing all with all.

Likeness is the Jaccard index of their shingles, Broder's resemblance (1997, §2). The search is exact, unlike
MinHash: it misses nothing, and does not depend on luck or seed (prefix filtering: Chaudhuri, Ganti and
Kaushik 2006, Lemma 1; Bayardo, Ma and Srikant 2007). It knows neither records nor splits.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

SHINGLE_WORDS = 3

# From here on two texts are taken for one. Of 1,500 HH prompts it joins those cut from one dialogue and no others;
# 0.5 would join "Where can I find mushrooms?" with whatever else can be found.
LIKE = 0.8

# Thai to Khmer, Kana and Han put no spaces between words: there each letter counts as one.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")

Shingles = frozenset[tuple[str, ...]]


def shingles(text: str) -> Shingles:
    """Every run of SHINGLE_WORDS words; the whole text where it is shorter. Punctuation makes no difference."""
    words = _WORD.findall(text) or [text]
    count = max(1, len(words) - SHINGLE_WORDS + 1)
    return frozenset(tuple(words[start : start + SHINGLE_WORDS]) for start in range(count))


def likeness(one: Shingles, other: Shingles) -> float:
    """Shared shingles over all shingles of the two: 1 for the same words, 0 for nothing in common."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


class LikeTexts:
    """Texts that can be asked for one like another."""

    def __init__(self, texts: Sequence[str], *, threshold: float = LIKE) -> None:
        self._threshold = threshold
        self._known = [shingles(text) for text in texts]
        self._num_texts = Counter(shingle for known in self._known for shingle in known)
        self._places: dict[tuple[str, ...], list[int]] = {}
        for place, known in enumerate(self._known):
            for shingle in self._rarest(known):
                self._places.setdefault(shingle, []).append(place)

    def find(self, text: str) -> int | None:
        """The place of the first text at least as like as the threshold; None where there is none."""
        asked = shingles(text)
        places = {place for shingle in self._rarest(asked) for place in self._places.get(shingle, ())}
        return next((place for place in sorted(places) if self._is_like(asked, self._known[place])), None)

    def _is_like(self, one: Shingles, other: Shingles) -> bool:
        return likeness(one, other) >= self._threshold

    def _rarest(self, asked: Shingles) -> list[tuple[str, ...]]:
        """So many of its rarest that a text as like as the threshold has one of its own rarest among them.

        Two sets of likeness t share at least t of the larger one's members, so at most n − ⌈t·n⌉ of the n in
        one are not shared; of one more, in an order that is the same for all sets, the first shared one is in both.
        """
        length = len(asked) - math.ceil(self._threshold * len(asked) - 1e-9) + 1
        return sorted(asked, key=lambda shingle: (self._num_texts.get(shingle, 0), shingle))[:length]
