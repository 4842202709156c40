"""The edit distance against its definition."""

import time

from hypothesis import given
from hypothesis import strategies as st

from labeling.dialogues.edit_distance import SHORTEST_ALIKE, edit_distance, nearly_same

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


def test_a_few_changes_leave_a_text_nearly_the_same_and_many_do_not() -> None:
    before = "Yellow leaves usually mean too much water. Let the soil dry out."
    assert nearly_same(before, before.replace("usually", "often"))
    assert not nearly_same(before, before.replace("Let the soil dry out.", "Then water it every day."))
    assert not nearly_same(before, "Most often the roots are wet. Wait for a week before you water it.")


@given(st.text(alphabet="abc", max_size=SHORTEST_ALIKE - 1))
def test_what_is_short_is_alike_by_chance(before: str) -> None:
    assert not nearly_same(before, before)


def test_a_text_of_another_length_is_told_apart_without_being_measured() -> None:
    began = time.monotonic()
    assert not nearly_same("ab" * 50_000, "ba" * 30_000)
    assert time.monotonic() - began < 0.1
