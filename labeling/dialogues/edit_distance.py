"""How far an edited text is from the suggestion it began as."""

SHORTEST_ALIKE = 40  # characters; two people write shorter sentences alike


def edit_distance(before: str, after: str) -> int:
    """Levenshtein distance in characters: the fewest insertions, deletions and replacements.

    Myers' bit-vector algorithm (J. ACM 46(3), 1999) in Hyyrö's form (2001) for the global distance:
    a column of the dynamic programme is two whole numbers of len(before) bits. 10,000 characters
    against 10,000 take some 20 ms.
    """
    before, after = _without_common_ends(before, after)
    if not before:
        return len(after)
    positions: dict[str, int] = {}  # bit i is set where before[i] is this character
    for index, character in enumerate(before):
        positions[character] = positions.get(character, 0) | 1 << index
    full = (1 << len(before)) - 1
    last = 1 << (len(before) - 1)
    higher, lower, distance = full, 0, len(before)  # vertical differences +1 and -1; the bottom cell
    for character in after:
        equal = positions.get(character, 0)
        diagonal = (((equal & higher) + higher) ^ higher) | equal | lower
        right_higher = lower | ~(diagonal | higher) & full
        right_lower = higher & diagonal
        distance += bool(right_higher & last) - bool(right_lower & last)
        right_higher = (right_higher << 1 | 1) & full
        right_lower = right_lower << 1 & full
        higher = right_lower | ~(diagonal | right_higher) & full
        lower = right_higher & diagonal
    return distance


def nearly_same(before: str, after: str) -> bool:
    """Whether `after` is plainly `before` with some changes: at most a fifth of its characters.

    Texts written apart differ in some three quarters. Short ones are alike by chance, so they are never nearly
    the same. Costs nothing where the lengths alone tell them apart.
    """
    most = len(before) // 5
    if len(before) < SHORTEST_ALIKE or abs(len(before) - len(after)) > most:
        return False
    return edit_distance(before, after) <= most


def _without_common_ends(before: str, after: str) -> tuple[str, str]:
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return before[start : len(before) - end], after[start : len(after) - end]
