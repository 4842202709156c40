"""Intervals over seeds and prompts, on runs small enough to count by hand."""

from collections.abc import Sequence
from statistics import mean

import pytest

from benchmarks.two_level import estimate_over_seeds


def average(values: Sequence[float]) -> float | None:
    return mean(values)


def test_runs_that_differ_spread_the_interval_however_many_prompts_they_have() -> None:
    """Two runs of 0s and of 1s: a draw is 0, ½ or 1, with chances ¼, ½ and ¼; a thousand prompts narrow nothing."""
    found = estimate_over_seeds([[0.0] * 1000, [1.0] * 1000], average, same_prompts=False, rounds=200)
    assert (found.value, found.low, found.high, found.by_seed) == (0.5, 0.0, 1.0, [0.0, 1.0])


def test_runs_that_agree_are_spread_by_their_prompts() -> None:
    """Of 100 prompts half 0 and half 1 a mean has the deviation 0.05; of two runs' mean it is 0.035."""
    run = [0.0, 1.0] * 50
    found = estimate_over_seeds([run, run], average, same_prompts=False)
    assert found.low == pytest.approx(0.5 - 1.96 * 0.0354, abs=0.012)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.0354, abs=0.012)


def test_prompts_that_all_runs_share_are_drawn_once_for_all() -> None:
    """The same answers twice are no more prompts: the deviation stays 0.05."""
    run = [0.0, 1.0] * 50
    found = estimate_over_seeds([run, run], average, same_prompts=True)
    assert found.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.015)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.015)


def test_what_all_runs_and_prompts_agree_on_has_no_width() -> None:
    found = estimate_over_seeds([[0.3] * 4] * 5, average, same_prompts=False)
    assert (found.low, found.high) == (pytest.approx(0.3), pytest.approx(0.3))


def test_one_seed_has_a_value_and_says_that_it_has_no_interval() -> None:
    found = estimate_over_seeds([[0.0, 1.0]], average, same_prompts=False)
    assert (found.value, found.low, found.high) == (0.5, None, None)
    assert "one seed" in found.text()


def test_a_run_of_many_prompts_counts_no_more_than_one_of_few() -> None:
    assert estimate_over_seeds([[0.0] * 9, [1.0]], average, same_prompts=False).value == pytest.approx(0.5)


def test_a_figure_that_some_runs_lack_is_said_to_be_missing() -> None:
    found = estimate_over_seeds([[0.0], [1.0]], lambda run: run[0] or None, same_prompts=True)
    assert (found.value, found.by_seed) == (None, [None, 1.0])
    assert "not every seed" in found.text()


def test_an_interval_is_refused_where_too_many_draws_have_no_value() -> None:
    """Half of the draws of two prompts lack one of them."""
    runs = [[0.0, 1.0], [0.0, 1.0]]
    found = estimate_over_seeds(runs, lambda run: mean(run) if len(set(run)) > 1 else None, same_prompts=True)
    assert (found.value, found.low) == (0.5, None)
    assert "draws have no value" in found.reason


def test_runs_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match="no run"):
        estimate_over_seeds([], average, same_prompts=False)
    with pytest.raises(ValueError, match="one cluster a prompt"):
        estimate_over_seeds([[0.0], [0.0, 1.0]], average, same_prompts=True)
