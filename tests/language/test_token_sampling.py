"""Drawing tokens: exact in distribution, seeded, truncated as asked."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from language.token_sampling import Draws, draw, next_token_probabilities, truncate


def test_a_seed_gives_the_same_numbers_whatever_else_is_drawn() -> None:
    one, two = Draws(7), Draws(7)
    first = [one.next() for _ in range(200)]
    torch.rand(5)
    assert [two.next() for _ in range(200)] == first
    assert all(0 <= number < 1 for number in first)


def test_every_digit_of_a_seed_counts() -> None:
    seeds = [sign * (2**bits + low) for sign in (1, -1) for bits in range(2, 80) for low in (0, 1)]
    assert len({Draws(seed).next() for seed in seeds}) == len(set(seeds))


def test_seeds_that_follow_one_another_draw_independently() -> None:
    """The first numbers of neighbours: all 100 squares of the unit square are equally full."""
    firsts = [Draws(seed).next() for seed in range(20_001)]
    squares = Counter((int(10 * one), int(10 * next_one)) for one, next_one in pairwise(firsts))
    assert chisquare([squares[i, j] for i in range(10) for j in range(10)]).pvalue > 1e-3


def test_the_token_is_where_the_cumulative_sum_passes_the_number() -> None:
    probabilities = torch.tensor([[0.5, 0.3, 0.2]]).expand(5, -1)
    uniforms = torch.tensor([0.0, 0.49, 0.51, 0.79, 0.81], dtype=torch.float64)
    assert draw(probabilities, uniforms).tolist() == [0, 0, 1, 1, 2]


def test_draws_follow_the_distribution() -> None:
    """Chi-squared over 100,000 draws from 700 tokens, more than two blocks, with a long tail."""
    torch.manual_seed(0)
    probabilities = (torch.randn(700) * 2).softmax(0)
    uniforms = torch.rand(100_000, dtype=torch.float64)
    counts = torch.bincount(draw(probabilities.expand(100_000, -1), uniforms), minlength=700)
    order = probabilities.argsort(descending=True)
    expected, seen = probabilities[order].double() * 100_000, counts[order].double()
    rare = expected < 10  # pooled: the test needs some of each
    expected = torch.cat([expected[~rare], expected[rare].sum().view(1)])
    seen = torch.cat([seen[~rare], seen[rare].sum().view(1)])
    assert chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > 1e-3


@given(st.integers(1, 600), st.integers(0, 2**32), st.floats(0, 1, exclude_max=True))
def test_what_has_no_mass_is_never_drawn(vocab: int, seed: int, uniform: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(1, vocab, generator=generator) * (torch.rand(1, vocab, generator=generator) < 0.1)
    probabilities[0, seed % vocab] = 1e-30
    for number in (uniform, 0.0, 1 - 2**-53):
        token = draw(probabilities, torch.tensor([number], dtype=torch.float64)).item()
        assert probabilities[0, int(token)] > 0


def test_rows_have_their_own_temperatures() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]]).expand(3, -1)
    probabilities = next_token_probabilities(logits, [1.0, 0.7, 0.0])
    assert probabilities[:, 0].log().tolist() == pytest.approx([-0.407606, -0.260118, -0.407606], abs=1e-6)


def test_top_k_keeps_the_likeliest() -> None:
    assert truncate(torch.tensor([0.1, 0.4, 0.2, 0.3]), top_k=2, top_p=1.0).tolist() == pytest.approx([0, 0.4, 0, 0.3])


def test_top_p_keeps_the_smallest_set_that_holds_it() -> None:
    probabilities = torch.tensor([0.1, 0.4, 0.2, 0.3])
    assert (truncate(probabilities, top_k=0, top_p=0.7) > 0).tolist() == [False, True, False, True]
    assert (truncate(probabilities, top_k=0, top_p=0.71) > 0).tolist() == [False, True, True, True]
    assert (truncate(probabilities, top_k=0, top_p=1e-9) > 0).tolist() == [False, True, False, False]


def test_top_p_that_is_just_reached_takes_no_more() -> None:
    halves = torch.tensor([0.25, 0.5, 0.125, 0.125])  # sums are exact
    assert (truncate(halves, top_k=0, top_p=0.5) > 0).tolist() == [False, True, False, False]
    assert (truncate(halves, top_k=0, top_p=0.75) > 0).tolist() == [True, True, False, False]


def test_top_p_is_of_what_top_k_left() -> None:
    kept = truncate(torch.tensor([0.1, 0.4, 0.2, 0.3]), top_k=2, top_p=0.5)
    assert (kept > 0).tolist() == [False, True, False, False]
