"""A text as the filter reads it: what looks the same is the same, and what cannot be seen is not there."""

import re
import unicodedata

# Characters without width, as ranges: with one between two letters, a word is another to a machine and the same to a
# person. Soft hyphen, joiners, fillers, marks of direction, variation selectors, tags.
_INVISIBLE_RANGES = (
    ("\u00ad", "\u00ad"), ("\u034f", "\u034f"), ("\u061c", "\u061c"), ("\u115f", "\u1160"), ("\u17b4", "\u17b5"),
    ("\u180b", "\u180f"), ("\u200b", "\u200f"), ("\u202a", "\u202e"), ("\u2060", "\u206f"), ("\u3164", "\u3164"),
    ("\ufe00", "\ufe0f"), ("\ufeff", "\ufeff"), ("\uffa0", "\uffa0"), ("\ufff9", "\ufffb"),
    ("\U0001d173", "\U0001d17a"), ("\U000e0000", "\U000e0fff"),
)  # fmt: skip
_INVISIBLE = re.compile("[" + "".join(f"{first}-{last}" for first, last in _INVISIBLE_RANGES) + "]")
# Controls that are no blanks are drawn as nothing, or not at all.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_BLANKS = re.compile(r"\s+")

# Letters of other scripts that are drawn as Latin ones (of Unicode's confusables those that fonts draw alike).
_ALIKE = str.maketrans(
    "аеорсухіјѕһԁԛԝӏАВЕКМНОРСТУХІЈЅԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαινυɡıⅼ",
    "aeopcyxijshdqwlABEKMHOPCTYXIJSGQWABEZHIKMNOPTYXoaivugil",
)
_WORD = re.compile(r"\w+")
_LATIN = re.compile("[A-Za-z]")


def normalised(text: str) -> str:
    """Compatibility forms folded (NFKC), invisible characters dropped, runs of blanks one space; in words with Latin
    letters, those of other scripts that look Latin too."""
    folded = visible(unicodedata.normalize("NFKC", visible(text)))
    return _BLANKS.sub(" ", _WORD.sub(_in_one_script, folded)).strip()


def visible(text: str) -> str:
    """Without the characters that nobody sees."""
    return _CONTROLS.sub("", _INVISIBLE.sub("", text))


def _in_one_script(word: re.Match[str]) -> str:
    """A word as it looks. One that is wholly of another script is left: it may be a word of that language."""
    found = word.group()
    if found.isascii() or not _LATIN.search(found):
        return found
    return found.translate(_ALIKE)
