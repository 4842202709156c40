"""Who ranks how well: planted abilities are found, a coin is known for one, and who ranked alone is not told apart."""

import random
from dataclasses import replace

import pytest

from judging import WeakOrder, fit_abilities
from tests.judging.planted import planted_abilities, planted_orders


def correlation_of_ranks(first: list[float], second: list[float]) -> float:
    """Spearman's, without ties."""
    one, other = ([sorted(values).index(value) for value in values] for values in (first, second))
    num = len(first)
    return 1 - 6 * sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / (num * (num**2 - 1))


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_planted_abilities_are_found_from_thirty_rankings_each(seed: int) -> None:
    planted = planted_abilities(12)
    found = fit_abilities(planted_orders(planted, seed=seed, at_once=6)).trainers
    assert correlation_of_ranks(list(planted.values()), [found[name].value for name in planted]) >= 0.8
    assert {one.num_rankings for one in found.values()} == {30}
    covered = sum(found[name].low <= value <= found[name].high for name, value in planted.items())
    assert covered >= 9  # of 12, by intervals of 95 %


def test_a_coin_is_known_for_one_and_a_contrary_trainer_for_the_contrary() -> None:
    planted = {**{f"clear-{number}": 1.4 for number in range(6)}, "coin": 0.0, "contrary": -0.8}
    found = fit_abilities(planted_orders(planted, seed=5, each=60, num_completions=3)).trainers
    assert found["coin"].low < 0 < found["coin"].high < found["clear-0"].low
    assert found["contrary"].high < 0


def test_leniency_with_ties_is_each_trainers_own() -> None:
    planted = dict.fromkeys(("strict", "other", "lenient"), 1.0)
    strict, lenient = (planted_orders(planted, seed=6, at_once=3, tied_within=gap) for gap in (0.1, 1.5))
    orders = [b if b.trainer == "lenient" else a for a, b in zip(strict, lenient, strict=True)]
    found = fit_abilities(orders).trainers
    assert found["strict"].ties_high < found["lenient"].ties_low


def test_the_order_in_which_rankings_come_changes_nothing() -> None:
    orders = planted_orders(planted_abilities(5), seed=7, each=12)
    shuffled = list(orders)
    random.Random(0).shuffle(shuffled)
    one, other = fit_abilities(orders).trainers, fit_abilities(shuffled).trainers
    assert {name: found.value for name, found in other.items()} == pytest.approx(
        {name: found.value for name, found in one.items()}
    )


def test_what_only_one_person_ranked_says_nothing_of_anybody() -> None:
    orders = planted_orders(planted_abilities(4), seed=8, each=8)
    alone = [replace(order, comparison=f"{order.comparison}-{order.trainer}") for order in orders]
    assert fit_abilities(alone).trainers == {}
    assert not fit_abilities([]).tells_apart


def test_two_people_are_not_told_apart() -> None:
    found = fit_abilities(planted_orders({"one": 0.2, "other": 1.8}, seed=9, at_once=2))
    assert not found.tells_apart
    assert fit_abilities(planted_orders(planted_abilities(3), seed=9, at_once=3, each=5)).tells_apart


def test_a_long_order_is_taken_in_parts_of_six() -> None:
    orders = planted_orders(planted_abilities(3), seed=10, each=4, num_completions=9, at_once=3, tied_within=0.0)
    found = fit_abilities(orders)
    assert {len(group.places) for block in found.blocks.values() for group in block.groups} == {4, 5}


def test_comparisons_of_one_prompt_share_what_is_known_of_a_completion() -> None:
    """Everybody puts a before b and b before c; a and c were never compared."""
    orders = [
        WeakOrder(trainer=trainer, prompt="p", comparison=pair, places={pair[0]: 0, pair[1]: 1})
        for pair in ("ab", "bc")
        for trainer in ("one", "two", "three")
    ]
    found = fit_abilities(orders)
    first, tie, second = found.probabilities("p", "a", "c", "somebody else")
    assert first > 0.7 > 0.2 > second
    assert first + tie + second == pytest.approx(1.0)
    with pytest.raises(KeyError):
        found.probabilities("p", "a", "z", "one")


def test_alike_is_davidsons_model_of_the_pooled_votes() -> None:
    planted = {"sharp": 1.8, "clear": 1.0, "coin": 0.0}
    found = fit_abilities(planted_orders(planted, seed=11, at_once=3), alike=True, lenient_alike=True)
    assert {one.value for one in found.trainers.values()} == {1.0}
    leniencies = [one.ties for one in found.trainers.values()]
    assert max(leniencies) - min(leniencies) < 0.01
