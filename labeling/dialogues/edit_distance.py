"""Whether a text is an edited suggestion, by the Levenshtein distance in characters (rapidfuzz). Knows no rows."""

from rapidfuzz.distance import Levenshtein

SHORTEST_ALIKE = 40  # characters; two people often write shorter sentences in nearly the same words


def nearly_same(before: str, after: str) -> bool:
    """Whether `after` is `before` with at most a fifth of its characters changed.

    Texts written independently differ in about three quarters of their characters. Short texts can be alike by
    chance, so they are never nearly the same. The computation stops as soon as more has changed: two texts of
    100,000 characters take 0.1 s at most.
    """
    most = len(before) // 5
    return len(before) >= SHORTEST_ALIKE and Levenshtein.distance(before, after, score_cutoff=most) <= most
