"""The edit distance against its definition."""

import time

from hypothesis import given
from hypothesis import strategies as st

from labeling.dialogues.edit_distance import edit_distance

words = st.text(alphabet="abc é🙂", max_size=14)


def by_definition(before: str, after: str) -> int:
    """The dynamic programme of the textbook, cell by cell."""
    row = list(range(len(after) + 1))
    for i, x in enumerate(before, start=1):
        above, row = row, [i]
        for j, y in enumerate(after, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


def test_known_distances() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3
    assert edit_distance("abc", "") == 3
    assert edit_distance("same", "same") == 0
    assert edit_distance("Paris.", "Paris, France.") == 8


@given(words, words)
def test_it_is_the_fewest_insertions_deletions_and_replacements(before: str, after: str) -> None:
    assert edit_distance(before, after) == by_definition(before, after)


@given(words, words, words)
def test_it_is_a_metric(a: str, b: str, c: str) -> None:
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_a_long_suggestion_changed_here_and_there_is_quick() -> None:
    before = "The sea is blue and the sky is wide. " * 600
    after = before.replace("wide", "high", 3)[:-40] + "The end."
    began = time.monotonic()
    assert 0 < edit_distance(before, after) < 60
    assert time.monotonic() - began < 5
