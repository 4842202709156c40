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
    return any([_scores_tie(row), _margin_ties(row), _verdict_ties(row)])


def require_better(row: Mapping[str, Any]) -> None:
    """Raise FormatError where the chosen answer is not better, and so nothing to learn from."""
    if pair_is_tied(row):
        raise FormatError("chosen and rejected are a tie, so neither is a demonstration; import it as a ranking")


def _scores_tie(row: Mapping[str, Any]) -> bool:
    ties = False
    for chosen, rejected in _SCORES:
        if says_nothing(row.get(chosen)) or says_nothing(row.get(rejected)):
            continue
        better, worse = number_of(row[chosen], chosen), number_of(row[rejected], rejected)
        if better < worse:
            raise FormatError(f'"{chosen}" is {better:g} and "{rejected}" is {worse:g}, which prefers the rejected one')
        ties = ties or better == worse
    return ties


def _margin_ties(row: Mapping[str, Any]) -> bool:
    if says_nothing(row.get(_MARGIN)):
        return False
    margin = number_of(row[_MARGIN], _MARGIN)
    if margin < 0:
        raise FormatError(f'"{_MARGIN}" is {margin:g}, which prefers the rejected one')
    return margin == 0


def _verdict_ties(row: Mapping[str, Any]) -> bool:
    if any(not says_nothing(row.get(name)) and row[name] not in (0, "0", "no", "false") for name in _TIES):
        return True
    for name in _VERDICTS:
        value = row.get(name)
        if is_tie_word(value):
            return True
        if name in row and not (value is None or value == "" or str(value).lower() in _CHOSEN_WORDS):
            raise FormatError(
                f'"{name}" is {str(value)[:40]!r}, beside "chosen" and "rejected"; where it says which is better, only '
                '"chosen" or "tie" can stand there, and where it says something else, leave it out'
            )
    return False
