"""Words, sentences and stems of English text, as far as the gold preference needs them.

Crude on purpose: no dictionary of forms, no grammar, no other language. The word lists are in vocabulary/.
"""

import re
from functools import cache
from pathlib import Path

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE_BREAK = re.compile(r"(?<=[.!?…])\s+|\n+")
_ENDINGS = ("ing", "ed", "es", "s", "ly", "e")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; apostrophes within them are kept, a number is a word."""
    return [word.replace("’", "'").casefold() for word in _WORD.findall(text)]


def sentences_of(text: str) -> list[str]:
    """Rough sentences: split after final marks and at line ends."""
    return [part for part in _SENTENCE_BREAK.split(text) if part.strip()]


def content_words(text: str) -> set[str]:
    """The stems of the words that carry a topic: three letters or more, and not function words."""
    function = _listed("function.txt")
    return {stem(word) for word in words_of(text) if len(word) > 2 and word not in function}


def stem(word: str) -> str:
    """Strip one English ending, crudely: trains, trained and training meet in "train", stops and stopped in "stop"."""
    word = word.removesuffix("'s")
    if not word.endswith("ss"):
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word.removesuffix(ending)
                break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word[:-1] + "y" if word.endswith("i") else word


def is_plain(word: str) -> bool:
    """Whether the word, or another with the same stem, is in vocabulary/plain.txt. Numbers are plain."""
    return word.isdecimal() or word in _listed("plain.txt") or stem(word) in _plain_stems()


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset((Path(__file__).parent / "vocabulary" / name).read_text(encoding="utf-8").split())


@cache
def _plain_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in _listed("plain.txt"))
