"""Whether a text is an edited suggestion: by the Levenshtein distance in characters, which rapidfuzz measures."""

from rapidfuzz.distance import Levenshtein

SHORTEST_ALIKE = 40  # characters; two people write shorter sentences alike


def nearly_same(before: str, after: str) -> bool:
    """Whether `after` is plainly `before` with some changes: at most a fifth of its characters.

    Texts written apart differ in some three quarters. Short ones are alike by chance, so they are never nearly
    the same. The measuring ends where it is plain that more has changed: two of 100,000 characters take 0.1 s at most.
    """
    most = len(before) // 5
    return len(before) >= SHORTEST_ALIKE and Levenshtein.distance(before, after, score_cutoff=most) <= most
