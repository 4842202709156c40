"""Two texts side by side: the words that only one has are marked, and nothing of either is lost."""

import time

from hypothesis import given
from hypothesis import strategies as st

from labeling.prompts.word_diff import MOST_WORDS, word_changes, word_differences


def marked(one: str, other: str) -> tuple[list[str], list[str]]:
    ours, theirs = word_differences(one, other)
    return [stretch.text for stretch in ours if stretch.differs], [
        stretch.text for stretch in theirs if stretch.differs
    ]


def test_only_what_differs_is_marked() -> None:
    assert marked("How do I bake bread?", "How can I bake bread, please?") == (["do"], ["can", ", please"])
    assert marked("The same.", "The same.") == ([], [])
    assert marked("", "New.") == ([], ["New."])


def test_very_long_texts_are_left_unmarked() -> None:
    assert marked("word " * MOST_WORDS, "other") == ([], [])


def test_words_that_repeat_are_compared_as_quickly() -> None:
    began = time.process_time()
    ours, theirs = marked("a " * 999, "a b " * 499 + "a ")
    assert ("".join(ours), "".join(theirs)) == ("a" * 499, "b" * 499)
    assert time.process_time() - began < 1


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_stretches_join_to_the_texts(one: str, other: str) -> None:
    ours, theirs = word_differences(one, other)
    assert "".join(stretch.text for stretch in ours) == one
    assert "".join(stretch.text for stretch in theirs) == other
    same = [stretch.text for stretch in ours if not stretch.differs]
    assert same == [stretch.text for stretch in theirs if not stretch.differs]


@given(st.text(max_size=60), st.text(max_size=60))
def test_changes_lead_from_one_text_to_the_other(one: str, other: str) -> None:
    changes = word_changes(one, other)
    assert changes is not None
    assert "".join(change.text for change in changes if change.kind != "added") == one
    assert "".join(change.text for change in changes if change.kind != "removed") == other


def test_changes_of_very_long_texts_are_not_looked_for() -> None:
    assert word_changes("word " * MOST_WORDS, "other") is None
    began = time.process_time()
    assert word_changes("a b " * (MOST_WORDS // 8), "b c " * (MOST_WORDS // 8 - 1)) is not None
    assert time.process_time() - began < 1
