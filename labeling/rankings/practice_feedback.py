"""Feedback on a practice ranking: its pairs compared with the reference's, named by the letters that were shown.

The wording is deliberately friendly: practice teaches, and its results are not held against anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from django.utils.translation import gettext as _

from labeling.models import PracticeRanking, Reference
from labeling.statistics.agreement import Tiers, compare_rankings, places_of


@dataclass(frozen=True, kw_only=True, slots=True)
class PairFeedback:
    """One pair in words, as the reference orders it and as the person does."""

    reference: str
    theirs: str
    is_alike: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PracticeResult:
    sentence: str
    is_all_alike: bool
    pairs: list[PairFeedback]
    lines: list[str]  # a sentence for each direction in which the line of acceptability differs


def practice_result(ranking: PracticeRanking, reference: Reference, letters: Mapping[str, str]) -> PracticeResult:
    """Compare a practice ranking with its reference: every pair, and where the line of acceptability differs."""
    counts = compare_rankings(ranking.tiers, reference.tiers)
    num_alike, num_pairs = counts.same, counts.trials("half")
    lines = _line_differences(ranking, reference, letters)
    return PracticeResult(
        sentence=_sentence(num_alike, num_pairs),
        is_all_alike=num_alike == num_pairs and not lines,
        pairs=_pairs(ranking.tiers, reference.tiers, letters),
        lines=lines,
    )


def _sentence(num_alike: int, num_pairs: int) -> str:
    values = {"n": num_alike, "all": num_pairs}
    if num_alike == num_pairs:
        return _("Just as the reference has it: all %(all)d pairs.") % values
    if 2 * num_alike >= num_pairs:
        return _("Mostly as the reference has it: %(n)d of %(all)d pairs.") % values
    return (
        _("You saw this one differently: %(n)d of %(all)d pairs are as the reference has them. Here is why.") % values
    )


def _pairs(theirs: Tiers, reference: Tiers, letters: Mapping[str, str]) -> list[PairFeedback]:
    places, others = places_of(reference), places_of(theirs)
    shown = []
    for a, b in combinations(sorted(places, key=lambda one: (places[one], letters[one])), 2):
        known = _relation(letters[a], letters[b], places[a] - places[b])
        given = _relation(letters[a], letters[b], others[a] - others[b])
        shown.append(PairFeedback(reference=known, theirs=given, is_alike=known == given))
    return shown


def _relation(a: str, b: str, gap: int) -> str:
    if gap == 0:
        return _("%(a)s and %(b)s tied") % {"a": min(a, b), "b": max(a, b)}
    return _("%(a)s above %(b)s") % ({"a": a, "b": b} if gap < 0 else {"a": b, "b": a})


def _line_differences(ranking: PracticeRanking, reference: Reference, letters: Mapping[str, str]) -> list[str]:
    theirs = _unacceptable(ranking.tiers, ranking.unacceptable_from)
    known = _unacceptable(reference.tiers, reference.unacceptable_from)
    too_strict = sorted(letters[one] for one in theirs - known)
    too_mild = sorted(letters[one] for one in known - theirs)
    sentences = []
    if too_strict:
        sentences.append(_("The reference finds %(names)s acceptable.") % {"names": ", ".join(too_strict)})
    if too_mild:
        sentences.append(_("The reference finds %(names)s unacceptable.") % {"names": ", ".join(too_mild)})
    return sentences


def _unacceptable(tiers: Tiers, line: int | None) -> set[str]:
    return set() if line is None else {identifier for tier in tiers[line:] for identifier in tier}
