"""What counts as an edited suggestion, and that it is told quickly whatever people paste."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from labeling.dialogues.edit_distance import SHORTEST_ALIKE, nearly_same
from labeling.web.form_fields import LONGEST_TEXT


def test_a_few_changes_leave_a_text_nearly_the_same_and_many_do_not() -> None:
    before = "Yellow leaves usually mean too much water. Let the soil dry out."
    assert nearly_same(before, before.replace("usually", "often"))
    assert not nearly_same(before, before.replace("Let the soil dry out.", "Then water it every day."))
    assert not nearly_same(before, "Most often the roots are wet. Wait for a week before you water it.")


@given(st.text(alphabet="abc", max_size=SHORTEST_ALIKE - 1))
def test_what_is_short_is_alike_by_chance(before: str) -> None:
    assert not nearly_same(before, before)


@given(st.text(alphabet="abc é🙂", min_size=SHORTEST_ALIKE), st.data())
def test_a_fifth_of_the_characters_may_change_and_no_more(before: str, data: st.DataObject) -> None:
    places = data.draw(st.permutations(range(len(before))))
    most = len(before) // 5

    def changed(num: int) -> str:
        return "".join("x" if place in places[:num] else letter for place, letter in enumerate(before))

    assert nearly_same(before, changed(most))
    assert not nearly_same(before, changed(most + 1))  # no text without an x is nearer


def test_two_of_the_longest_texts_are_told_apart_at_once() -> None:
    generator = random.Random(0)
    before, after = ("".join(generator.choices("abcdefgh ", k=LONGEST_TEXT)) for _ in range(2))
    began = time.process_time()
    assert not nearly_same(before, after)
    assert not nearly_same(before, after[: LONGEST_TEXT // 2])
    assert time.process_time() - began < 1
