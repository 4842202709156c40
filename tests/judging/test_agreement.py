"""How far people agree, and judges beside them: worked numbers, and intervals that draw prompts and people."""

import random

import pytest

from judging import WeakOrder, people_agreement

BETTER, TIED, WORSE = {"a": 0, "b": 1}, {"a": 0, "b": 0}, {"a": 1, "b": 0}


def votes(prompt: str, **places: dict[str, int]) -> list[WeakOrder]:
    return [
        WeakOrder(trainer=name, prompt=prompt, comparison=f"c-{prompt}", places=own) for name, own in places.items()
    ]


def test_two_people_one_and_the_majority_of_the_others_and_the_longer_by_hand() -> None:
    """Ann, Bob and Cy put a first, Dan b, Eve ties: of six pairs of people three are alike; of Ann's, Bob's and Cy's
    others two to one are for a, of Dan's all three.
    """
    orders = votes("p", Ann=BETTER, Bob=BETTER, Cy=BETTER, Dan=WORSE, Eve=TIED)
    found = people_agreement(orders, {"longer": {"c-p/a": 9, "c-p/b": 4}, "level": {"c-p/a": 1, "c-p/b": 1}})
    assert found is not None
    assert (found.of_two.value, found.of_two.num_votes, found.of_two.num_people) == (0.5, 6, 4)
    assert (found.with_majority.value, found.with_majority.num_votes) == (0.75, 4)
    longer = found.judges["longer"]
    assert (longer.with_one.value, longer.with_majority.value) == (0.75, 1.0)
    assert found.judges["level"].with_majority.value == 0.5
    assert found.of_two.low is None  # of one prompt nothing is known of another


def test_others_who_are_split_have_no_majority() -> None:
    found = people_agreement(votes("p", Ann=BETTER, Bob=WORSE, Cy=BETTER))
    assert found is not None
    assert found.with_majority.num_votes == 1  # Bob's: the others of Ann and of Cy are one to one
    assert found.with_majority.value == 0.0


def test_ties_and_what_one_person_ranked_say_nothing() -> None:
    assert people_agreement([*votes("p", Ann=BETTER), *votes("q", Ann=BETTER, Bob=TIED)]) is None
    assert people_agreement([]) is None


def test_a_person_who_differs_widens_the_interval_however_many_prompts_there_are() -> None:
    alike = [one for number in range(60) for one in votes(str(number), Ann=BETTER, Bob=BETTER, Cy=BETTER)]
    contrary = [one for number in range(60) for one in votes(str(number), Ann=BETTER, Bob=BETTER, Cy=WORSE)]
    surely, found = people_agreement(alike), people_agreement(contrary)
    assert surely is not None
    assert (surely.of_two.low, surely.of_two.value, surely.of_two.high) == (1.0, 1.0, 1.0)
    assert found is not None
    assert found.of_two.value == pytest.approx(1 / 3)
    assert found.of_two.high == 1.0  # Cy may not have been drawn
    assert found.of_two.low == 0.0


def test_drawing_prompts_matters_where_people_agree_on_some_only() -> None:
    """On every other prompt half of ten people dissent, others each time, so that no person stands out."""
    drawn = random.Random(0)
    orders = []
    for number in range(16):
        contrary = drawn.sample(range(10), 5) if number % 2 else []
        places = {f"person{one}": WORSE if one in contrary else BETTER for one in range(10)}
        orders += votes(str(number), **places)
    found = people_agreement(orders)
    assert found is not None
    assert found.of_two.low is not None
    assert found.of_two.high is not None
    assert found.of_two.high - found.of_two.low > 0.2
