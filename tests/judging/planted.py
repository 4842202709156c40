"""Weak orders by trainers whose ability is known: noise in proportion to 1 / ability, ties of what seems alike."""

import math
import random

from judging import WeakOrder


def planted_abilities(num: int) -> dict[str, float]:
    """Evenly from 0.1 to 1.9: the ablest hardly errs, the least able hardly looks. They average 1."""
    return {f"trainer-{number:02}": 0.1 + 1.8 * number / (num - 1) for number in range(num)}


def planted_orders(
    abilities: dict[str, float],
    *,
    seed: int,
    each: int = 30,
    num_completions: int = 4,
    at_once: int = 4,
    tied_within: float = 0.6,
) -> list[WeakOrder]:
    """`each` rankings a trainer, `at_once` of a comparison; a gap of less than `tied_within` is a tie."""
    drawn = random.Random(seed)
    left = dict.fromkeys(abilities, each)
    orders = []
    for number in range(len(abilities) * each // at_once):
        waiting = sorted(left, key=lambda name: (-left[name], drawn.random()))[:at_once]
        qualities = [drawn.gauss(0, 1.5) for _ in range(num_completions)]
        for name in waiting:
            left[name] -= 1
            seen = [abilities[name] * quality - math.log(-math.log(drawn.random())) for quality in qualities]
            orders.append(_order(name, str(number), seen, tied_within))
    return orders


def _order(trainer: str, comparison: str, seen: list[float], tied_within: float) -> WeakOrder:
    places, tier, before = {}, 0, math.inf
    for value, name in sorted(zip(seen, map(str, range(len(seen))), strict=True), reverse=True):
        tier += bool(places) and before - value > tied_within
        places[name], before = tier, value
    return WeakOrder(trainer=trainer, prompt=comparison, comparison=comparison, places=places)
