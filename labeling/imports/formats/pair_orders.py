"""Which of a pair is better, where a row has more than the words "chosen" and "rejected": scores, a margin, a verdict.

Equal scores are a tie, whatever the columns are called; scores that prefer the rejected one contradict the row.
"""

from collections.abc import Mapping
from typing import Any

from labeling.imports.formats.keys import says_nothing, words
from labeling.imports.formats.ranking_tiers import number_of
from labeling.imports.messages import FormatError

_SCORES = tuple(
    names
    for word in ("score", "rating", "reward", "quality")
    for names in ((f"{word}_chosen", f"{word}_rejected"), (f"chosen_{word}", f"rejected_{word}"))
)
_MARGIN = "margin"
_VERDICTS = ("winner", "preference", "preferred", "verdict", "vote", "judgement", "judgment", "label")
_TIES = ("tie", "tied", "is_tie")
_TIE_WORDS = words(
    "tie tied draw equal same both neither bothbad bothgood tiebothbad tiebothgood bothequal nopreference"
)
_CHOSEN_WORDS = frozenset(("chosen", "true", "1"))
KEPT = " ".join((*(name for names in _SCORES for name in names), _MARGIN, *_VERDICTS, *_TIES))  # as words, for keys.py


def is_tie_word(value: Any) -> bool:
    """Whether a verdict says that two answers are equally good or equally bad."""
    return isinstance(value, str) and "".join(filter(str.isalnum, value.lower())) in _TIE_WORDS


def pair_is_tied(row: Mapping[str, Any]) -> bool:
    """Whether the row says that neither is better. Raises FormatError where it says that the rejected one is."""
    return bool(_keys_that_tie(row))


def require_better(row: Mapping[str, Any]) -> None:
    """Raise FormatError where the chosen answer is not better, and so nothing to learn from."""
    if names := _keys_that_tie(row):
        said = " and ".join(names)
        raise FormatError(
            f"{said}: neither answer is better, a tie, so neither is a demonstration; import it as a ranking"
        )


def _keys_that_tie(row: Mapping[str, Any]) -> list[str]:
    return [f'"{name}"' for name in (*_scores_that_tie(row), *_margin_that_ties(row), *_verdict_that_ties(row))]


def _scores_that_tie(row: Mapping[str, Any]) -> list[str]:
    tied: list[str] = []
    for chosen, rejected in _SCORES:
        if says_nothing(row.get(chosen)) or says_nothing(row.get(rejected)):
            continue
        better, worse = number_of(row[chosen], chosen), number_of(row[rejected], rejected)
        if better < worse:
            raise FormatError(f'"{chosen}" is {better:g} and "{rejected}" is {worse:g}, which prefers the rejected one')
        tied += (chosen, rejected) if better == worse else ()
    return tied


def _margin_that_ties(row: Mapping[str, Any]) -> list[str]:
    if says_nothing(row.get(_MARGIN)):
        return []
    margin = number_of(row[_MARGIN], _MARGIN)
    if margin < 0:
        raise FormatError(f'"{_MARGIN}" is {margin:g}, which prefers the rejected one')
    return [_MARGIN] if margin == 0 else []


def _verdict_that_ties(row: Mapping[str, Any]) -> list[str]:
    for name in _TIES:
        if not says_nothing(row.get(name)) and row[name] not in (0, "0", "no", "false"):
            return [name]
    for name in _VERDICTS:
        value = row.get(name)
        if is_tie_word(value):
            return [name]
        if name in row and not (value is None or value == "" or str(value).lower() in _CHOSEN_WORDS):
            raise FormatError(
                f'"{name}" is {str(value)[:40]!r}, beside "chosen" and "rejected"; where it says which is better, only '
                '"chosen" or "tie" can stand there, and where it says something else, leave it out'
            )
    return []
