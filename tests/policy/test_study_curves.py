"""Curves of the study of trainings, by hand."""

from functools import partial

import pytest

from benchmarks.study_curves import (
    Prompt,
    best_gain,
    curve_of_answers,
    curve_of_looks,
    curve_of_picking,
    distances,
    fall_from_best,
    gain_at,
    gain_at_end,
    join_proxies,
    means,
)

# Two prompts whose gold goes 0.4, 0.6, 0.5 on the mean, at 0, 1 and 4 nats.
CURVE = [
    Prompt(gold=(0.3, 0.5, 0.6), proxy=(0.0, 1.0, 2.0), kl=(0.0, 1.0, 4.0)),
    Prompt(gold=(0.5, 0.7, 0.4), proxy=(0.0, 3.0, 4.0), kl=(0.0, 1.0, 4.0)),
]


def test_gains_are_counted_from_the_start() -> None:
    assert best_gain(CURVE) == pytest.approx(0.2)
    assert gain_at_end(CURVE) == pytest.approx(0.1)
    assert fall_from_best(CURVE) == pytest.approx(-0.1)
    assert distances(CURVE) == pytest.approx([0, 1, 2])


def test_between_two_points_gold_is_linear_and_beyond_the_last_there_is_none() -> None:
    at = partial(gain_at, CURVE, along=partial(means, name="kl"))
    assert at(0.5) == pytest.approx(0.1)
    assert at(1.0) == pytest.approx(0.2)
    assert at(2.5) == pytest.approx(0.15)
    assert at(4.1) is None


def test_the_best_of_n_by_one_proxy_is_judged_by_gold() -> None:
    """Of 1 the mean, of 2 of the two samples the proxy's choice: gold 0.2 of the first prompt, 0.9 of the second."""
    curve = curve_of_picking([[1.0, 2.0], [3.0, 0.0]], [[0.6, 0.2], [0.9, 0.1]])
    assert [prompt.gold for prompt in curve] == [pytest.approx((0.4, 0.2)), pytest.approx((0.5, 0.9))]
    assert curve[0].proxy == pytest.approx((1.5, 2.0))
    assert curve[0].kl == pytest.approx((0.0, 0.193147), abs=1e-6)


def test_ensembles_join_reward_models_sample_by_sample() -> None:
    proxies = [[[1.0, 0.0]], [[0.0, 0.5]]]
    assert join_proxies(proxies, "mean")[0] == pytest.approx([0.5, 0.25])
    assert join_proxies(proxies, "worst")[0] == pytest.approx([0.0, 0.0])
    assert join_proxies(proxies, "variance-penalised")[0] == pytest.approx([0.5 - 0.025, 0.25 - 0.00625])


def test_a_watched_runs_prompts_keep_their_own_scores() -> None:
    looks = [{"kl": 0.0, "gold": [0.1, 0.2], "proxy": [1.0, 2.0]}, {"kl": 1.0, "gold": [0.3, 0.4], "proxy": [3.0, 4.0]}]
    assert curve_of_looks({"looks": looks}) == [
        Prompt((0.1, 0.3), (1.0, 3.0), (0.0, 1.0)),
        Prompt((0.2, 0.4), (2.0, 4.0), (0.0, 1.0)),
    ]


def test_a_method_begins_at_the_starts_own_answers() -> None:
    curve = curve_of_answers({"gold": [[0.2, 0.4]]}, [{"gold": [[0.5, 0.7]], "kl": [[1.0, 3.0]]}])
    assert curve[0].gold == pytest.approx((0.3, 0.6))
    assert curve[0].kl == pytest.approx((0.0, 2.0))
