"""Where in an answer the filter looks. The places follow from the text alone, never from the pieces in which it comes;
only a text that stands still is looked at earlier.
"""

import re

FEWEST_CHARACTERS = 20  # between looks: one at each item of a list of words would cost more than sampling it
MANY_CHARACTERS = 160  # a sentence without an end is looked at here, at the next blank
MOST_CHARACTERS = 320  # … or here, in the midst of what has no blanks
# A place is known to be one when the character after it is there.
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s)|[。！？｡](?=.)|\n(?=.)", re.DOTALL)
_WORD_END = re.compile(r"(?=\s)|(?<=[\u2e80-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff])(?=.)", re.DOTALL)


def look_positions(text: str, start: int) -> list[int]:
    """The places after `start`, itself one or the beginning, that can be told from the text as far as it has come."""
    found = []
    while (end := _next(text, start)) is not None:
        found.append(end)
        start = end
    return found


def last_word_end(text: str, start: int) -> int | None:
    """The last place after `start` that cuts no word in two; None where there is none."""
    ends = [match.end() for match in _WORD_END.finditer(text, start + 1)]
    return ends[-1] if ends else None


def _next(text: str, start: int) -> int | None:
    for match in _SENTENCE_END.finditer(text, start, start + MANY_CHARACTERS + 1):
        if match.end() - start >= FEWEST_CHARACTERS:
            return match.end()
    word = _WORD_END.search(text, start + MANY_CHARACTERS, start + MOST_CHARACTERS)
    if word:
        return word.end()
    return start + MOST_CHARACTERS if len(text) > start + MOST_CHARACTERS else None
