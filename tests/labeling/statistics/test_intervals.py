"""Intervals hold what they promise, and pairs of one prompt do not count as evidence many times over."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.statistics.intervals import binomial_p, bootstrap, proportion, quantile, ratio_of_sums, wilson_interval


def test_wilson_interval_of_61_in_100() -> None:
    assert wilson_interval(61, 100) == pytest.approx((0.5120, 0.6998), abs=5e-5)


def test_three_points_either_way_need_about_1068_observations() -> None:
    low, high = wilson_interval(534, 1068)
    assert high - low == pytest.approx(0.06, abs=2e-4)


def test_wilson_interval_knows_nothing_without_observations_and_stays_in_bounds() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == 1.0
    with pytest.raises(ValueError, match="between 0 and 10, not 11"):
        wilson_interval(11, 10)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, 2 * n), st.just(n))))
def test_wilson_interval_holds_the_share_and_is_symmetric(case: tuple[int, int]) -> None:
    doubled, n = case
    low, high = wilson_interval(doubled / 2, n)
    assert low <= doubled / 2 / n <= high
    assert wilson_interval(n - doubled / 2, n) == pytest.approx((1 - high, 1 - low))


def test_proportion_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        proportion(0, 0)


def test_binomial_p_by_hand_and_for_many_tosses() -> None:
    assert binomial_p(0, 4) == pytest.approx(2 / 16)
    assert binomial_p(1, 4) == pytest.approx(10 / 16)
    assert binomial_p(2, 4) == 1.0
    assert binomial_p(560, 1000) == pytest.approx(1.65e-4, rel=2e-3)
    assert binomial_p(50_000, 100_000) == pytest.approx(1.0)


def test_quantile_interpolates() -> None:
    assert [quantile([1.0, 2.0, 4.0], share) for share in (0.0, 0.25, 0.5, 1.0)] == [1.0, 1.5, 2.0, 4.0]


def prompts(*, num_prompts: int, pairs_per_prompt: int, copies: int = 1) -> list[tuple[float, float]]:
    """Prompts whose pairs agree more or less, each pair repeated `copies` times."""
    generator = random.Random(4)
    clusters = []
    for _ in range(num_prompts):
        ease = generator.uniform(0.3, 1.0)
        won = sum(generator.random() < ease for _ in range(pairs_per_prompt))
        clusters.append((float(won * copies), float(pairs_per_prompt * copies)))
    return clusters


def test_repeating_every_pair_within_a_prompt_does_not_shrink_the_interval() -> None:
    once = bootstrap(prompts(num_prompts=60, pairs_per_prompt=6), ratio_of_sums)
    thrice = bootstrap(prompts(num_prompts=60, pairs_per_prompt=6, copies=3), ratio_of_sums)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    naive_once = wilson_interval(once.value * 360, 360)
    naive_thrice = wilson_interval(once.value * 1080, 1080)
    assert naive_thrice[1] - naive_thrice[0] < 0.6 * (naive_once[1] - naive_once[0])  # what the bootstrap avoids


def test_the_bootstrap_interval_shrinks_with_more_prompts() -> None:
    few = bootstrap(prompts(num_prompts=30, pairs_per_prompt=6), ratio_of_sums)
    many = bootstrap(prompts(num_prompts=480, pairs_per_prompt=6), ratio_of_sums)
    assert many.high - many.low < 0.4 * (few.high - few.low)
    assert few.n == 30


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


@pytest.mark.parametrize(("confidence", "z"), [(0.95, 1.960), (0.9, 1.645), (0.8, 1.282)])
def test_the_bootstrap_reaches_as_far_to_each_side_as_its_confidence_asks(confidence: float, z: float) -> None:
    """Of a mean of many values, whose draws are normal."""
    values = [float(number % 2) for number in range(400)]
    estimate = bootstrap(values, mean, rounds=3000, confidence=confidence)
    error = 0.5 / math.sqrt(400)
    assert (estimate.value - estimate.low) / error == pytest.approx(z, abs=0.1)
    assert (estimate.high - estimate.value) / error == pytest.approx(z, abs=0.1)


def test_the_bootstrap_covers_the_truth_about_as_often_as_promised() -> None:
    generator = random.Random(11)
    covered = 0
    for study in range(250):
        values = [generator.gauss(0.7, 1.0) for _ in range(50)]
        estimate = bootstrap(values, mean, rounds=150, seed=study)
        covered += estimate.low <= 0.7 <= estimate.high
    assert covered / 250 == pytest.approx(0.94, abs=0.02)  # 0.95 less what percentiles of 50 values lose


def test_the_bootstrap_is_a_function_of_its_seed() -> None:
    clusters = prompts(num_prompts=40, pairs_per_prompt=3)
    one, same, other = (bootstrap(clusters, ratio_of_sums, rounds=50, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_the_bootstrap_leaves_out_draws_without_a_value_and_refuses_data_without_one() -> None:
    estimate = bootstrap([(1.0, 1.0), (0.0, 0.0)], ratio_of_sums)
    assert (estimate.low, estimate.high) == (1.0, 1.0)
    for empty in ([], [(0.0, 0.0)]):
        with pytest.raises(ValueError, match="nothing to resample"):
            bootstrap(empty, ratio_of_sums)
