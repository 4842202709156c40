"""The group-sequential test: its bounds against published ones, its verdicts, and its promise under chance alone."""

import random
from statistics import median

import pytest

from labeling.statistics.sequential import Design, bounds, run_test, score, spent


def test_the_bounds_are_those_of_the_literature() -> None:
    """Lan and DeMets' spending of Pocock's form, five looks, 2.5 % on one side (as computed by ldbounds for R)."""
    design = Design(error=0.025, first=20, every=20, most=100)
    assert bounds(design) == pytest.approx((2.438, 2.427, 2.410, 2.397, 2.386), abs=0.001)


def test_a_single_look_is_an_ordinary_test() -> None:
    assert bounds(Design(error=0.05, first=100, every=20, most=100)) == pytest.approx((1.645,), abs=0.001)


def test_all_of_the_error_is_spent_at_the_end() -> None:
    assert spent(0, 0.04) == 0
    assert spent(1, 0.04) == pytest.approx(0.04)
    assert 0.02 < spent(0.5, 0.04) < 0.04  # more than half in the first half: it stops early for a clear winner


def test_the_looks_come_after_the_first_in_steps_and_end_with_the_last() -> None:
    assert Design(first=40, every=20, most=110).looks == (40, 60, 80, 100, 110)
    assert Design(first=30, every=20, most=30).looks == (30,)


def test_a_clear_winner_is_found_at_the_first_look_and_what_follows_changes_nothing() -> None:
    won = [(f"prompt {index}", 1.0) for index in range(40)]
    result = run_test(won, Design())
    assert (result.verdict, result.next_look, len(result.looks)) == ("better", None, 1)
    lost = [(f"later {index}", 0.0) for index in range(400)]
    assert run_test([*won, *lost], Design()) == result
    assert run_test([(prompt, 1 - share) for prompt, share in won], Design()).verdict == "worse"


def test_a_test_stays_open_until_its_next_look() -> None:
    won = [(f"prompt {index}", 1.0) for index in range(39)]
    assert (run_test(won, Design()).verdict, run_test(won, Design()).next_look) == ("open", 40)
    tied = [(f"prompt {index}", 0.5) for index in range(70)]
    assert (run_test(tied, Design()).next_look, len(run_test(tied, Design()).looks)) == (80, 2)


def test_equals_are_too_close_at_the_end() -> None:
    verdicts = [(index, float(index % 2)) for index in range(400)]
    result = run_test(verdicts, Design())
    assert (result.verdict, result.next_look) == ("too close", None)
    assert run_test([(index, 0.5) for index in range(400)], Design()).verdict == "too close"


def test_verdicts_on_one_prompt_count_as_one_that_is_surer() -> None:
    """Ten people who agree on each of ten prompts say no more than ten verdicts do."""
    alone = [(index, float(index < 8)) for index in range(10)]
    assert score([verdict for verdict in alone for _ in range(10)]) == pytest.approx(score(alone))
    assert score(alone) == pytest.approx(3 / 2.5**0.5)


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1, not 2"):
        score([("prompt", 2)])
    with pytest.raises(ValueError, match="first look"):
        Design(first=50, most=40)
    with pytest.raises(ValueError, match=r"between 0 and 0\.5"):
        Design(error=0)


def test_a_policy_that_is_no_better_is_seldom_promoted_and_a_better_one_soon() -> None:
    """400 tests each way; `make bench ONLY=evaluation` runs the thousand that the figures are from."""
    equal = [_run(0.5, seed) for seed in range(400)]
    better = [_run(0.6, seed) for seed in range(200)]
    promoted = sum(result.verdict == "better" for result in equal)
    assert 4 <= promoted <= 28  # 4 % of 400 are 16, with three standard errors on each side
    assert median(result.looks[-1].num_verdicts for result in better) <= 150


def _run(win_rate: float, seed: int):
    generator = random.Random(seed)
    return run_test([(index, float(generator.random() < win_rate)) for index in range(400)], Design())
