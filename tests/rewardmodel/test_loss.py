"""The worked numbers of the method reference, A1 to A6 and A11, and what must not change a loss."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rewardmodel.loss import (
    normalisation_bias,
    pair_loss,
    pairs_of_tiers,
    ranking_losses,
)

SCORES = [2.0, 1.0, 0.5, -1.0]  # A3, best first


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def ranking_loss(scores: torch.Tensor, tiers: list[int], margin_per_tier: float = 0.0) -> torch.Tensor:
    """The loss of one ranking alone."""
    pairs = torch.tensor(pairs_of_tiers(tiers), dtype=torch.long).reshape(-1, 2)
    gaps = torch.tensor(tiers)[pairs].diff(dim=1).squeeze(1)
    return ranking_losses(scores, pairs, pairs.new_zeros(len(pairs)), 1, margin_per_tier * gaps.to(scores.dtype))[0]


def loss_of(scores: list[float], tiers: list[int], **options: float) -> float:
    return float(ranking_loss(torch.tensor(scores, dtype=torch.float64), tiers, **options))


def gradient_of(scores: list[float], tiers: list[int]) -> torch.Tensor:
    leaf = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
    ranking_loss(leaf, tiers).backward()
    assert leaf.grad is not None
    return leaf.grad


@pytest.mark.parametrize(
    ("gap", "loss", "slope"),
    [
        (0.0, 0.693147, -0.5),
        (1.0, 0.313262, -0.268941),
        (2.0, 0.126928, -0.119203),
        (-1.0, 1.313262, -0.731059),
        (1.7, 0.167786, -0.154465),
    ],
)
def test_a1_pair_loss_is_softplus_of_the_negative_gap(gap: float, loss: float, slope: float) -> None:
    chosen = scalar(gap).requires_grad_()
    value = pair_loss(chosen, scalar(0.0))
    value.backward()
    assert value.item() == pytest.approx(loss, abs=1e-6)
    assert float(chosen.grad) == pytest.approx(slope, abs=1e-6)


def test_a2_pair_loss_neither_overflows_nor_vanishes() -> None:
    chosen = scalar(-100.0).requires_grad_()
    value = pair_loss(chosen, scalar(0.0))
    value.backward()
    assert value.item() == pytest.approx(100.0)
    assert float(chosen.grad) == pytest.approx(-1.0)
    assert float(pair_loss(scalar(20.0), scalar(0.0))) == pytest.approx(2.061154e-9, rel=1e-6)
    assert float(pair_loss(torch.tensor(20.0), torch.tensor(0.0))) > 0  # in float32 too


def test_a3_ranking_loss_is_the_mean_over_its_pairs() -> None:
    pairs = pairs_of_tiers([0, 1, 2, 3])
    each = [float(pair_loss(scalar(SCORES[i]), scalar(SCORES[j]))) for i, j in pairs]
    assert each == pytest.approx([0.313262, 0.201413, 0.048587, 0.474077, 0.126928, 0.201413], abs=1e-6)
    assert loss_of(SCORES, [0, 1, 2, 3]) == pytest.approx(0.227613, abs=1e-6)
    gradient = gradient_of(SCORES, [0, 1, 2, 3])
    assert gradient.tolist() == pytest.approx([-0.083132, -0.037967, 0.062923, 0.058176], abs=1e-6)
    assert float(gradient.sum()) == pytest.approx(0.0, abs=1e-12)


def test_a3_a_tie_is_dropped_and_the_mean_is_over_the_pairs_kept() -> None:
    assert loss_of(SCORES, [0, 1, 1, 2]) == pytest.approx(0.178321, abs=1e-6)  # ÷ 5; ÷ 6 would be .148601


def test_a4_each_ranking_of_a_batch_weighs_the_same() -> None:
    scores = torch.tensor([*SCORES, 0.3, 0.0], dtype=torch.float64)
    pairs = torch.tensor([*pairs_of_tiers([0, 1, 2, 3]), (4, 5)])
    losses = ranking_losses(scores, pairs, torch.tensor([0] * 6 + [1]), 2)
    assert losses.tolist() == pytest.approx([0.227613, 0.554355], abs=1e-6)
    assert float(losses.mean()) == pytest.approx(0.390984, abs=1e-6)
    flat = pair_loss(scores[pairs[:, 0]], scores[pairs[:, 1]]).mean()
    assert float(flat) == pytest.approx(0.274291, abs=1e-6)


def test_a5_a_ranking_of_two_is_the_plain_pair_loss() -> None:
    assert loss_of([0.3, -0.4], [0, 1]) == float(pair_loss(scalar(0.3), scalar(-0.4)))


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 3)), min_size=2, max_size=9).filter(
        lambda items: len({tier for _, tier in items}) > 1
    ),
    st.randoms(use_true_random=False),
)
def test_a5_the_order_in_which_completions_are_stored_changes_nothing(items, random) -> None:
    shuffled = random.sample(items, len(items))
    before = loss_of([score for score, _ in items], [tier for _, tier in items])
    after = loss_of([score for score, _ in shuffled], [tier for _, tier in shuffled])
    assert after == pytest.approx(before, rel=1e-12)


def test_a6_a_constant_added_to_every_score_changes_no_loss() -> None:
    shifted = [score + 5 for score in SCORES]
    assert loss_of(shifted, [0, 1, 2, 3]) == pytest.approx(loss_of(SCORES, [0, 1, 2, 3]), rel=1e-12)


def test_a6_normalisation_moves_the_demonstrations_to_mean_zero() -> None:
    demonstrations = torch.tensor([0.7, 1.3, -0.2, 1.0], dtype=torch.float64)
    bias = normalisation_bias(demonstrations)
    assert float(bias) == pytest.approx(-0.7)
    assert float((demonstrations + bias).mean()) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ValueError, match="no scores"):
        normalisation_bias(demonstrations[:0])


def test_a11_neither_plackett_luce_nor_best_of_four_is_this_loss() -> None:
    plackett_luce = -sum(
        SCORES[i] - math.log(sum(math.exp(score) for score in SCORES[i:])) for i in range(len(SCORES) - 1)
    )
    assert plackett_luce == pytest.approx(1.251552, abs=1e-6)
    best_of_four = -float(torch.log_softmax(torch.tensor([1.0, 0.0, -1.0, 2.0], dtype=torch.float64), 0)[3])
    assert best_of_four == pytest.approx(0.440190, abs=1e-6)
    assert loss_of(SCORES, [0, 1, 2, 3]) != pytest.approx(plackett_luce, abs=0.1)
    assert loss_of([1.0, 0.0, -1.0, 2.0], [1, 1, 1, 0]) != pytest.approx(best_of_four, abs=0.05)


def test_tiers_make_pairs_and_empty_rank_columns_do_not_matter() -> None:
    assert pairs_of_tiers([0, 1, 1, 2]) == [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)]
    assert pairs_of_tiers([0, 2, 2, 5]) == pairs_of_tiers([0, 1, 1, 2])
    assert [len(pairs_of_tiers(list(range(k)))) for k in range(4, 10)] == [6, 10, 15, 21, 28, 36]


def test_a_tier_gap_can_ask_for_a_margin() -> None:
    apart = loss_of([1.0, 0.0], [0, 1], margin_per_tier=0.25)
    assert apart == pytest.approx(float(pair_loss(scalar(0.75), scalar(0.0))))
    twice = loss_of([1.0, 0.5, 0.0], [0, 1, 2], margin_per_tier=0.25)
    expected = [pair_loss(scalar(gap), scalar(0.0), margin) for gap, margin in ((0.5, 0.25), (1.0, 0.5), (0.5, 0.25))]
    assert twice == pytest.approx(float(torch.stack(expected).mean()))


def test_a_ranking_without_a_pair_is_refused_not_counted_as_zero() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        loss_of([1.0, 2.0], [0, 0])
    with pytest.raises(ValueError, match=r"\[1, 0\]"):
        ranking_losses(torch.zeros(3), torch.tensor([[0, 1]]), torch.tensor([0]), 2)
