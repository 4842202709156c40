"""Whether a text can be judged at all by a filter that has learned from English: what is not English, holds no words
or hides them is not judged, which is another thing than that it passed.
"""

import re
import threading
import unicodedata
from functools import cache
from typing import NamedTuple

from py3langid.langid import MODEL_FILE, LanguageIdentifier

_ENCODED = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_BACKWARDS = "\u202e"  # from here on letters are drawn from right to left: what is read is not what is written

# Set on short messages and on the evaluation set of the bundled filter: a greeting of one word is no language to it,
# and nothing English was called foreign.
_FOREIGN_FROM, _ENGLISH_BELOW, _NO_LANGUAGE_FROM = 0.4, 0.1, 0.8
_ENGLISH = ("en", "pcm")  # and Nigerian Pidgin, for which plain short English is taken
_NO_LANGUAGE = "zxx"

_loading = threading.Lock()


class Unreadable(NamedTuple):
    """Why nothing of a text can be judged, and what part of it cannot; None where there is no such reason."""

    reason: str | None
    unread: str | None


def unreadable(text: str, *, normalised: str) -> Unreadable:
    """What keeps a text from being judged by what it says; `normalised` is the text as the filter reads it."""
    if not any(character.isprintable() and not character.isspace() for character in normalised):
        return Unreadable("it holds no text", None)
    hidden = hides(text, normalised=normalised)
    words = _ENCODED.sub(lambda run: "" if _is_encoded(run.group()) else run.group(), normalised).strip()
    if not words:
        return Unreadable(hidden, None)
    return Unreadable(_foreign(words), hidden)


def hides(text: str, *, normalised: str) -> str | None:
    """Why what a text says may not be what it shows."""
    if any(_is_encoded(run) for run in _ENCODED.findall(normalised)):
        return "part of it looks encoded"
    if _BACKWARDS in text:
        return "part of it is written backwards"
    return None


def _foreign(text: str) -> str | None:
    letters = [character for character in text if character.isalpha()]
    latin = sum(unicodedata.name(character, "").startswith("LATIN") for character in letters)
    if letters and 2 * latin < len(letters):
        return "it is not in English"
    language = dict(_identifier().rank(text))
    likeliest = max(language, key=language.__getitem__)
    if likeliest == _NO_LANGUAGE and language[likeliest] >= _NO_LANGUAGE_FROM:
        return "it is in no language"
    if likeliest in (*_ENGLISH, _NO_LANGUAGE) or language["en"] >= _ENGLISH_BELOW:
        return None
    return "it is not in English" if language[likeliest] >= _FOREIGN_FROM else None


def _is_encoded(run: str) -> bool:
    """Base64, which mixes cases and digits as words do not, or the digits of hexadecimals."""
    kinds = [any(map(kind, run)) for kind in (str.isupper, str.islower, str.isdigit)]
    return all(kinds) or (kinds[2] and all(character in "0123456789abcdefABCDEF" for character in run))


def _identifier() -> LanguageIdentifier:
    with _loading:  # first texts come together
        return _load_once()


@cache
def _load_once() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
