"""From which completion a text was taken or edited, and that it is told quickly whatever people paste."""

import random
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labeling.dialogues.borrowing import FEWEST, Offered, find_origin, nearly_same
from labeling.web.form_fields import LONGEST_TEXT

WATER = "Yellow leaves usually mean too much water. Let the soil dry out."
LIGHT = "Move the plant to a brighter place, and feed it less from now on."
SHORT = "Basil needs six hours of light."
BRIEF = "Then cut it back to two leaves."
OWN = "Mine grew well again once I had stopped looking after it for a fortnight, to be honest."
PROMPT = "Correct this, please: Teh cat have sitted on the mat for the hole of yesterdays evening."
CORRECTED = "The cat sat on the mat for the whole of yesterday evening."

a_models_words = st.text(alphabet="abcdefghij", min_size=2 * FEWEST, max_size=300)
own_words = st.text(alphabet="qrstuvwxyz ", max_size=300)


def origin_of(text: str, *contents: str, named: int | None = None, prompt: str = "", here: bool = True) -> int | None:
    offered = [Offered(content=content, prompt=prompt, here=here) for content in contents]
    return find_origin(text, offered, named=named)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        (WATER, 0),
        (WATER.replace(" ", "\n"), 0),
        (WATER.replace("usually", "often"), 0),
        (LIGHT.upper(), None),
        (f"{WATER}\n\n{LIGHT}", 1),  # of two joined, the longer
        (f"{LIGHT} {WATER} {LIGHT}", 1),
        (f"{OWN} {OWN} {OWN}\n\n{WATER}", 0),  # whole, after a long preamble
        (f"{OWN} {WATER[:30]}", None),  # no block of it makes half
        (f"{OWN} {LIGHT[:32]} {WATER[:30]}", None),  # nor do two, of the text or of theirs
        (SHORT, 2),
        (f" {SHORT}\n", 2),
        (f"{SHORT} {BRIEF}", 2),  # both shorter than FEWEST, together not
        (f"{SHORT} {OWN}", None),
        (OWN, None),
        ("", None),
    ],
)
def test_a_text_is_a_models_where_half_of_it_or_of_a_completion_is(text: str, origin: int | None) -> None:
    assert origin_of(text, WATER, LIGHT, SHORT, BRIEF) == origin


@pytest.mark.parametrize(
    ("named", "text", "is_left"),
    [
        ("Paris is the capital.", "Paris is its capital.", True),
        ("Paris.", "Paris, yes!", True),
        ("Lyon.", "Paris.", False),
        ("No.", "None of it is so.", False),
        (WATER, f"{OWN} {WATER[:30]}", True),  # one block is left
        (WATER, f"{OWN} {WATER[:12]}", False),
        (WATER, LIGHT, False),
        (WATER, OWN, False),
    ],
)
def test_of_a_named_completion_little_need_be_left_but_something(named: str, text: str, *, is_left: bool) -> None:
    assert origin_of(text, OWN[::-1], named, named=1) == (1 if is_left else None)
    assert origin_of(text, OWN[::-1], named) is None


def test_the_completion_that_most_is_from_wins_over_the_named_one() -> None:
    assert origin_of(f"{WATER[:30]} {LIGHT}", WATER, LIGHT, named=0) == 1


def test_of_equal_completions_it_is_the_named_one_else_the_newest() -> None:
    assert origin_of(WATER, WATER, WATER) == 0
    assert origin_of(WATER, WATER, WATER, named=1) == 1
    assert origin_of(WATER, f"{WATER} ", WATER) == 1  # exactly that one before one with other blanks


def test_short_texts_are_the_same_by_chance_unless_they_were_shown_for_this_place() -> None:
    assert origin_of(SHORT, SHORT, here=False) is None
    assert origin_of(SHORT, SHORT, here=False, named=0) == 0
    assert origin_of(WATER, WATER, here=False) == 0


@pytest.mark.parametrize("named", [None, 0])
def test_what_both_quote_from_the_prompt_is_no_completions(named: int | None) -> None:
    quoting = f"You wrote: {PROMPT} I would write: {CORRECTED}"
    mine = f"{PROMPT} As for me, I see nothing wrong."
    assert origin_of(mine, quoting, named=named) == 0
    assert origin_of(mine, quoting, named=named, prompt=PROMPT) is None
    assert origin_of(f"{PROMPT} {CORRECTED[:30]}", quoting, prompt=PROMPT) is None
    assert origin_of(f"{PROMPT} I would write: {CORRECTED}", quoting, prompt=PROMPT) == 0


@given(a_models_words, own_words, own_words)
def test_a_whole_completion_is_found_whatever_stands_around_it(content: str, before: str, after: str) -> None:
    assert origin_of(f"{before} {content} {after}", content) == 0


@given(st.lists(a_models_words, max_size=4), own_words, st.booleans())
def test_words_that_no_completion_has_are_their_authors(contents: list[str], text: str, is_named: bool) -> None:
    """The two alphabets have only the blank in common."""
    assume(text.strip())
    assert origin_of(text, *contents, named=0 if is_named and contents else None) is None


@given(a_models_words, st.text(alphabet="qrstuvwxyz", min_size=2 * FEWEST, max_size=300), st.data())
def test_a_part_that_is_less_than_half_of_both_is_no_completions(content: str, text: str, data: st.DataObject) -> None:
    part = content[: data.draw(st.integers(0, min(len(content), len(text)) // 2 - 1))]
    assert origin_of(text + part, content) is None


@given(st.text(alphabet="abc", max_size=FEWEST - 1))
def test_what_is_short_is_alike_by_chance(before: str) -> None:
    assert not nearly_same(before, before)


@given(st.text(alphabet="abc é🙂", min_size=FEWEST), st.data())
def test_a_fifth_of_the_characters_may_change_and_no_more(before: str, data: st.DataObject) -> None:
    places = data.draw(st.permutations(range(len(before))))
    most = len(before) // 5

    def changed(num: int) -> str:
        return "".join("x" if place in places[:num] else letter for place, letter in enumerate(before))

    assert nearly_same(before, changed(most))
    assert not nearly_same(before, changed(most + 1))  # no text without an x is nearer


@pytest.mark.parametrize("alphabet", ["abcdefgh ", "a"])
def test_the_longest_texts_are_compared_in_seconds(alphabet: str) -> None:
    generator = random.Random(0)
    texts = ["".join(generator.choices(alphabet, k=LONGEST_TEXT)) for _ in range(12)]
    began = time.process_time()
    origin_of(f"{texts[0][:-1]}b", *texts[1:], prompt=texts[0][:1000])
    origin_of(texts[0], *(text[: LONGEST_TEXT // 2] for text in texts[1:]), named=3)
    assert time.process_time() - began < 8
