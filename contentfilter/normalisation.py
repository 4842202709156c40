"""A text as the filter reads it: what looks the same is the same, and what cannot be seen is not there."""

import re
import unicodedata

# Characters without width, as ranges: with one between two letters, a word is another to a machine and the same to a
# person. Soft hyphen, joiners, fillers, marks of direction, variation selectors, tags.
_INVISIBLE_RANGES = (
    ("\u00ad", "\u00ad"), ("\u034f", "\u034f"), ("\u061c", "\u061c"), ("\u115f", "\u1160"), ("\u17b4", "\u17b5"),
    ("\u180b", "\u180f"), ("\u200b", "\u200f"), ("\u202a", "\u202e"), ("\u2060", "\u206f"), ("\u3164", "\u3164"),
    ("\ufe00", "\ufe0f"), ("\ufeff", "\ufeff"), ("\uffa0", "\uffa0"), ("\U000e0000", "\U000e0fff"),
)  # fmt: skip
_INVISIBLE = re.compile("[" + "".join(f"{first}-{last}" for first, last in _INVISIBLE_RANGES) + "]")
_BLANKS = re.compile(r"\s+")


def normalised(text: str) -> str:
    """Compatibility forms folded (NFKC), invisible characters dropped, runs of blanks one space."""
    folded = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return _BLANKS.sub(" ", _INVISIBLE.sub("", folded)).strip()
