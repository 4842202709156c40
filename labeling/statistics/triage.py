"""In which order reports are read: severity × reach × the weight of who reports. Ours; the weight is Discourse's.

Discourse orders its review queue by a score to which each flag adds 1 + (agreed / decided) · 5 once five flags of the
person were decided (`ReviewableScore` in discourse/discourse). Here the reporters of a case are its reach, so their
weight is a mean: a sum would count each of them twice.
"""

from collections.abc import Iterable
from math import log2

MIN_DECIDED = 5  # decided cases from which a reporter's share of agreed ones counts
MOST_BONUS = 5.0


def reporter_weight(*, num_agreed: int, num_decided: int) -> float:
    """1 for who is not known yet; else from 1, none of their reports was agreed with, to 6, all were."""
    if num_decided < MIN_DECIDED:
        return 1.0
    return 1.0 + num_agreed / num_decided * MOST_BONUS


def reach(*, num_reporters: int, num_shown: int) -> float:
    """Those who reported it, and one more for each doubling of how often it was shown: most who see it say nothing."""
    return num_reporters + log2(max(1, num_shown))


def priority(severities: Iterable[float], *, reach: float, weight: float) -> float:
    """`severities` of the kinds that it was reported as: the worst counts."""
    return max(severities, default=0.0) * reach * weight
