"""Splits English text into words, sentences and stems for the gold preference.

Deliberately simple: no dictionary of inflections, no grammar, no other language. The word lists are in vocabulary/.
"""

import re
from functools import cache
from pathlib import Path

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE_BREAK = re.compile(r"(?<=[.!?…])\s+|\n+")
_ENDINGS = ("ing", "ed", "es", "s", "ly", "e")


def words_of(text: str) -> list[str]:
    """The words of a text, case-folded. Apostrophes within a word are kept; a number counts as a word."""
    return [word.replace("’", "'").casefold() for word in _WORD.findall(text)]


def sentences_of(text: str) -> list[str]:
    """Split a text into approximate sentences: after final marks and at line ends. Blank parts are dropped."""
    return [part for part in _SENTENCE_BREAK.split(text) if part.strip()]


def content_words(text: str) -> set[str]:
    """The stems of the words that carry the topic: at least three characters long and not function words."""
    function = _listed("function.txt")
    return {stem(word) for word in words_of(text) if len(word) > 2 and word not in function}


def stem(word: str) -> str:
    """Strip one English ending by rule: trains, trained and training become "train", stops and stopped "stop"."""
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
    """Whether the word, or another word with the same stem, is in vocabulary/plain.txt. Numbers count as plain."""
    return word.isdecimal() or word in _listed("plain.txt") or stem(word) in _plain_stems()


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset((Path(__file__).parent / "vocabulary" / name).read_text(encoding="utf-8").split())


@cache
def _plain_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in _listed("plain.txt"))
