"""What several jurors' marks say of one entry: each juror's totals on one scale, how far they spread, and the order.

Jurors differ in how strict they are and in how much of the scale they use, and nobody marks every entry. Pure functions
on plain values; who drew whom, and what a mark is, is not known here.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean
from typing import TypeVar

from labeling.statistics.alpha import alpha_with_interval
from labeling.statistics.intervals import Estimate

Juror = TypeVar("Juror", bound=Hashable)
Entry = TypeVar("Entry", bound=Hashable)

PRIOR_MARKS = 5  # a juror's own mean and spread weigh as much as everybody's once they gave as many marks
TENTH = 0.1  # scaled totals count as equal, for alpha, within this much of a standard deviation
SPREAD_THAT_CALLS_ANOTHER = 1.0  # standard deviations between the highest and the lowest juror of an entry
NEAR = 1.5  # standard errors of an entry's mean from the last prize within which its place is open


def weighted_total(marks: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The mean of the marks by criterion, weighted, in points of the marks' own scale: thirds if weights are equal.

    Raises KeyError where a criterion with a weight has no mark.
    """
    return math.fsum(weight * marks[name] for name, weight in weights.items()) / math.fsum(weights.values())


def scaled_by_juror(totals: Mapping[Juror, Mapping[Entry, float]]) -> dict[Juror, dict[Entry, float]]:
    """Each juror's totals as z scores, (total - mean) / sd, with mean and sd shrunk to everybody's.

    The mean and the variance of juror j, who gave n totals, are posterior means under a conjugate prior that weighs k
    marks (Gelman et al. 2013, Bayesian Data Analysis, section 3.3, without the term of the mean's own uncertainty):

        m_j' = (n m_j + k m) / (n + k)        v_j' = ((n - 1) v_j + k v) / (n - 1 + k)

    with m the mean of all totals, v the variance within jurors, pooled, and k = 5: a juror with three marks is judged
    mostly by everybody's scale, one with a hundred by their own. All are 0 where no juror's totals differ.
    """
    given = {juror: own for juror, own in totals.items() if own}
    everything = [total for own in given.values() for total in own.values()]
    if not everything:
        return {juror: {} for juror in totals}
    mean = fmean(everything)
    squares = {juror: _squares(list(own.values())) for juror, own in given.items()}
    freedom = sum(len(own) - 1 for own in given.values())
    pooled = math.fsum(squares.values()) / freedom if freedom else 0.0
    scaled: dict[Juror, dict[Entry, float]] = {juror: {} for juror in totals}
    for juror, own in given.items():
        n = len(own)
        centre = (math.fsum(own.values()) + PRIOR_MARKS * mean) / (n + PRIOR_MARKS)
        spread = math.sqrt((squares[juror] + PRIOR_MARKS * pooled) / (n - 1 + PRIOR_MARKS))
        scaled[juror] = {entry: (total - centre) / spread if spread else 0.0 for entry, total in own.items()}
    return scaled


def by_entry(scaled: Mapping[Juror, Mapping[Entry, float]]) -> dict[Entry, list[float]]:
    """The z scores of each entry, one a juror."""
    found: defaultdict[Entry, list[float]] = defaultdict(list)
    for own in scaled.values():
        for entry, score in own.items():
            found[entry].append(score)
    return dict(found)


def spread_of(scores: Sequence[float]) -> float:
    """The highest of an entry's z scores less the lowest: 0 for one juror."""
    return max(scores) - min(scores) if scores else 0.0


def further_jurors(scaled: Mapping[Juror, Mapping[Entry, float]], *, num_prizes: int) -> dict[Entry, int]:
    """How many jurors more each entry wants, by its first marks.

    One where they spread, and as many again as it has near the last prize, whose line lies midway between the means of
    the last entry that wins and the first that does not. Near is within 1.5 standard errors of the entry's own mean, by
    the variance within entries, pooled. There is no line where everybody wins, or where no entry has two jurors.
    """
    scores = by_entry(scaled)
    wanted = {entry: 1 for entry, own in scores.items() if spread_of(own) > SPREAD_THAT_CALLS_ANOTHER}
    means = {entry: fmean(own) for entry, own in scores.items()}
    freedom = sum(len(own) - 1 for own in scores.values())
    if freedom and 0 < num_prizes < len(means):
        ordered = sorted(means.values(), reverse=True)
        line = (ordered[num_prizes - 1] + ordered[num_prizes]) / 2
        error = math.sqrt(math.fsum(_squares(own) for own in scores.values()) / freedom)
        near = (entry for entry, own in scores.items() if abs(means[entry] - line) * math.sqrt(len(own)) < NEAR * error)
        wanted |= {entry: len(scores[entry]) for entry in near}
    return wanted


def agreement_of_jurors(scaled: Mapping[Juror, Mapping[Entry, float]]) -> Estimate | None:
    """Krippendorff's alpha of the scaled totals at level interval, with its jackknife interval over entries.

    Give it the jurors that were drawn first: a further one is drawn where marks spread, so that counting those too
    would count what is disputed twice, and alpha would come out too low. None below five entries with two jurors.
    """
    units = [[[round(score / TENTH) * TENTH for score in scores]] for scores in by_entry(scaled).values()]
    return alpha_with_interval(units, level="interval")


def _squares(values: Sequence[float]) -> float:
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values)
