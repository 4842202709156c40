"""The formulas of DPO and KTO: worked numbers, what leaves them as they are, and a slower form of the same."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from policy.preference_objective import (
    drift,
    implicit_rewards,
    kto_losses,
    plackett_luce_loss,
    reference_point,
    weights_by_numbers,
)
from rewardmodel.loss import pair_loss

# A ranking as a whole: its implicit rewards, and the tier of each.
RANKINGS = st.integers(2, 6).flatmap(
    lambda count: st.tuples(
        st.lists(st.floats(-4, 4), min_size=count, max_size=count),
        st.lists(st.integers(0, 3), min_size=count, max_size=count).filter(lambda tiers: len(set(tiers)) > 1),
    )
)


def test_implicit_rewards_are_beta_times_the_log_ratio() -> None:
    found = implicit_rewards(torch.tensor([-10.0, -7.0]), torch.tensor([-12.0, -6.0]), beta=0.1)
    torch.testing.assert_close(found, torch.tensor([0.2, -0.1]))
    with pytest.raises(ValueError, match=r"beta is 0\.0"):
        implicit_rewards(found, found, beta=0.0)


def test_the_pair_loss_of_implicit_rewards_is_the_worked_one() -> None:
    """β 0.1, chosen 2 nats likelier than at the start, rejected 1 less: −log σ(0.3) = 0.554355."""
    chosen, rejected = implicit_rewards(torch.tensor([-10.0, -7.0]), torch.tensor([-12.0, -6.0]), beta=0.1)
    assert pair_loss(chosen, rejected).item() == pytest.approx(0.5543552444685272, abs=1e-6)
    # A preference of strength 2 with 0.1 a strength: −log σ(0.1).
    assert pair_loss(chosen, rejected, 0.2).item() == pytest.approx(0.6443966600735709, abs=1e-6)


def test_plackett_luce_of_three_is_the_worked_one() -> None:
    """Rewards 1, 0, −1 in that order: p = e/(e + 1 + 1/e) · 1/(1 + 1/e) = 0.665241 · 0.731059."""
    found = plackett_luce_loss(torch.tensor([1.0, 0.0, -1.0]), torch.tensor([0, 1, 2]))
    assert found.item() == pytest.approx(-math.log(0.6652409557748219 * 0.7310585786300049), abs=1e-6)


def test_plackett_luce_of_two_is_the_pair_loss_and_at_the_start_log_factorial() -> None:
    rewards = torch.tensor([0.3, -0.4])
    torch.testing.assert_close(plackett_luce_loss(rewards, torch.tensor([0, 1])), pair_loss(rewards[0], rewards[1]))
    assert plackett_luce_loss(torch.zeros(4), torch.tensor([3, 0, 2, 1])).item() == pytest.approx(math.log(24))


def test_two_of_one_tier_are_never_set_against_each_other() -> None:
    """a and b over c, tied: −log σ(a − c) − log σ(b − c), as their two pairs; no gradient pulls a and b together."""
    rewards = torch.tensor([2.0, 0.5, 0.0])
    found = plackett_luce_loss(rewards, torch.tensor([0, 0, 1]))
    torch.testing.assert_close(found, pair_loss(rewards[0], rewards[2]) + pair_loss(rewards[1], rewards[2]))
    # One over two that are tied, or of which nothing is said: one choice among three.
    among_three = plackett_luce_loss(rewards, torch.tensor([0, 1, 1]))
    torch.testing.assert_close(among_three, rewards.logsumexp(0) - rewards[0])
    with pytest.raises(ValueError, match="no order"):
        plackett_luce_loss(rewards, torch.tensor([1, 1, 1]))


@given(RANKINGS, st.floats(-5, 5), st.randoms(use_true_random=False))
def test_plackett_luce_knows_differences_and_order_only(ranking, shift, random) -> None:  # type: ignore[no-untyped-def]
    rewards, tiers = torch.tensor(ranking[0], dtype=torch.float64), torch.tensor(ranking[1])
    loss = plackett_luce_loss(rewards, tiers)
    order = list(range(len(tiers)))
    random.shuffle(order)
    torch.testing.assert_close(plackett_luce_loss(rewards + shift, tiers), loss)
    torch.testing.assert_close(plackett_luce_loss(rewards[order], tiers[order]), loss)
    torch.testing.assert_close(plackett_luce_loss(rewards, 2 * tiers + 1), loss)
    naive = 0.0
    for i, own in enumerate(ranking[1]):
        beaten = [ranking[0][j] for j, other in enumerate(ranking[1]) if other > own]
        naive += math.log(sum(math.exp(value - ranking[0][i]) for value in [ranking[0][i], *beaten]))
    assert loss.item() == pytest.approx(naive, abs=1e-9)


def test_the_reference_point_is_the_mean_and_never_below_0() -> None:
    assert reference_point(torch.tensor([0.5, -0.1, 0.2])) == pytest.approx(0.2)
    assert reference_point(torch.tensor([-0.5, 0.1])) == 0.0
    with pytest.raises(ValueError, match="no mismatched"):
        reference_point(torch.tensor([]))


def test_kto_losses_are_the_worked_ones() -> None:
    """β 0.5, z₀ 0.2, log ratios 1.2 and −0.8: 1 − σ(0.5) for both kinds, times their weights."""
    ratios, is_up = torch.tensor([1.2, -0.8]), torch.tensor([True, False])
    found = kto_losses(ratios, is_up, 0.2, beta=0.5, desirable_weight=1.0, undesirable_weight=1.5)
    torch.testing.assert_close(found, torch.tensor([0.3775406688, 1.5 * 0.3775406688]))


def test_a_thumb_up_wants_more_a_thumb_down_less_and_neither_without_end() -> None:
    for up in (True, False):
        ratios = torch.tensor([-200.0, -1.0, 0.0, 1.0, 200.0], dtype=torch.float64, requires_grad=True)
        kto_losses(
            ratios, torch.full((5,), up), 0.0, beta=0.1, desirable_weight=1.0, undesirable_weight=1.0
        ).sum().backward()  # type: ignore[no-untyped-call]
        assert ratios.grad is not None
        slopes = -ratios.grad if up else ratios.grad
        assert bool((slopes > 0).all())
        assert slopes[2] == max(slopes)
        assert max(slopes[0], slopes[-1]) < 1e-8
    with pytest.raises(ValueError, match="must be above 0"):
        kto_losses(ratios, torch.full((5,), True), 0.0, beta=0.1, desirable_weight=0.0, undesirable_weight=1.0)


@pytest.mark.parametrize(
    ("num_up", "num_down", "weights"),
    [(10, 10, (1.0, 1.0)), (15, 10, (1.0, 1.0)), (30, 10, (1.0, 2.0)), (5, 10, (2.0, 1.0))],
)
def test_the_rarer_kind_weighs_more(num_up: int, num_down: int, weights: tuple[float, float]) -> None:
    found = weights_by_numbers(num_up, num_down)
    assert found == pytest.approx(weights)
    assert 1 - 1e-9 <= found[0] * num_up / (found[1] * num_down) <= 1.5 + 1e-9


def test_no_weight_makes_up_for_a_kind_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="both kinds are needed"):
        weights_by_numbers(3, 0)


def test_drift_is_per_token_and_below_0_where_what_was_judged_became_likelier() -> None:
    assert drift(torch.tensor([-2.0, -1.0]), 6) == pytest.approx(0.5)
    assert drift(torch.tensor([3.0]), 6) == pytest.approx(-0.5)
