"""The formulas of PPO against numbers worked by hand, their invariances, and their masks."""

import math

import pytest
import torch
from torch import Tensor

from policy import objective

VALUES = [0.5, 0.4, 0.6]
REWARDS = [-0.02, 0.01, 1.0]
LOGPROBS = [-1.2, -0.7, -0.1]
REF_LOGPROBS = [-1.0, -0.9, -0.4]


def row(*numbers: float) -> Tensor:
    return torch.tensor([numbers], dtype=torch.float64)


def close(actual: Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(
        actual, torch.tensor(expected, dtype=actual.dtype).reshape(actual.shape), atol=1e-6, rtol=0
    )


def everywhere(x: Tensor) -> Tensor:
    return torch.ones_like(x, dtype=torch.bool)


def advantages_of(rewards: Tensor, values: Tensor, *, discount: float = 1.0, gae_lambda: float = 0.95) -> Tensor:
    mask = everywhere(rewards)
    return objective.estimate_advantages(rewards, values, mask, discount=discount, gae_lambda=gae_lambda)[0]


@pytest.mark.parametrize(
    ("discount", "gae_lambda", "expected"),
    [
        (1.0, 0.95, [0.4405, 0.59, 0.4]),
        (1.0, 1.0, [0.49, 0.61, 0.4]),
        (1.0, 0.0, [-0.12, 0.21, 0.4]),
        (0.99, 0.95, [0.421678, 0.5802, 0.4]),
    ],
)
def test_advantages_equal_the_hand_computed_ones(discount: float, gae_lambda: float, expected: list[float]) -> None:
    close(advantages_of(row(*REWARDS), row(*VALUES), discount=discount, gae_lambda=gae_lambda), expected)


def test_returns_are_advantages_plus_old_values() -> None:
    rewards, values = row(*REWARDS), row(*VALUES)
    _, returns = objective.estimate_advantages(rewards, values, everywhere(rewards), discount=1.0, gae_lambda=0.95)
    close(returns, [0.9405, 0.99, 1.0])


def test_garbage_in_the_padding_changes_no_advantage() -> None:
    rewards, values = row(*REWARDS, math.nan, -50.0), row(*VALUES, 1e9, math.inf)
    mask = torch.tensor([[True, True, True, False, False]])
    advantages, returns = objective.estimate_advantages(rewards, values, mask, discount=1.0, gae_lambda=0.95)
    close(advantages, [0.4405, 0.59, 0.4, 0, 0])
    close(returns, [0.9405, 0.99, 1.0, 0, 0])


def test_a_score_one_step_late_would_be_seen() -> None:
    late = advantages_of(row(-0.02, 0.01, 0.0, 1.0), row(*VALUES, 0.3))
    close(late, [0.408912, 0.55675, 0.365, 0.7])


def test_rewards_are_the_kl_penalty_and_the_score_at_the_last_token() -> None:
    logprobs, ref_logprobs = row(*LOGPROBS), row(*REF_LOGPROBS)
    score = torch.tensor([0.7], dtype=torch.float64)
    rewards = objective.reward_tokens(score, logprobs, ref_logprobs, everywhere(logprobs), kl_coef=0.02)
    close(rewards, [0.004, -0.004, 0.694])
    assert rewards.sum().item() == pytest.approx(0.7 - 0.02 * 0.3)


def test_the_score_goes_to_the_last_real_token_of_each_row() -> None:
    logprobs = torch.tensor([[-1.0, -1.0, math.nan], [-1.0, -1.0, -1.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    scores = torch.tensor([5.0, 7.0], dtype=torch.float64)
    rewards = objective.reward_tokens(scores, logprobs, torch.full_like(logprobs, -1.0), mask, kl_coef=0.1)
    close(rewards, [0, 5, 0, 0, 0, 7])


def test_kl_estimators_equal_the_hand_computed_ones() -> None:
    logprobs, ref_logprobs = row(*LOGPROBS), row(*REF_LOGPROBS)
    close(objective.kl_k1(logprobs, ref_logprobs), [-0.2, 0.2, 0.3])
    close(objective.kl_k3(logprobs, ref_logprobs), [0.021403, 0.018731, 0.040818])


def test_k1_and_k3_are_unbiased_and_k3_varies_less() -> None:
    p, q = row(0.5, 0.3, 0.2), row(0.4, 0.4, 0.2)
    k1, k3 = (k(p.log(), q.log()) for k in (objective.kl_k1, objective.kl_k3))
    kl = (p * (p / q).log()).sum().item()
    assert kl == pytest.approx(0.0252672, abs=1e-6)
    assert (p * k1).sum().item() == pytest.approx(kl)
    assert (p * k3).sum().item() == pytest.approx(kl)
    assert ((p * k1.square()).sum() - kl**2).item() == pytest.approx(0.0490864, abs=1e-6)
    assert ((p * k3.square()).sum() - kl**2).item() == pytest.approx(0.0002546, abs=1e-6)
    assert (k3 >= 0).all()


def test_restricted_sampling_turns_the_estimate_negative() -> None:
    p, q = row(0.4, 0.35, 0.25), row(0.6, 0.2, 0.2)
    k1 = objective.kl_k1(p.log(), q.log())
    assert (p * k1).sum().item() == pytest.approx(0.0894654, abs=1e-6)
    assert k1[0, p.argmax()].item() == pytest.approx(-0.405465, abs=1e-6)


def test_the_kl_of_distributions_is_that_at_the_temperature_of_both() -> None:
    logits, ref_logits = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[0.0, 0.5, 3.0]])
    p, q = ((x / 0.7).exp() / (x / 0.7).exp().sum() for x in (logits, ref_logits))
    expected = (p * (p / q).log()).sum().item()
    assert objective.kl_of_logits(logits, ref_logits, temperature=0.7).item() == pytest.approx(expected, abs=1e-5)


def test_the_first_step_has_ratio_one_and_a_gradient() -> None:
    old = row(*LOGPROBS)
    logprobs = old.clone().requires_grad_()
    advantages = row(0.4405, 0.59, 0.4)
    loss = objective.policy_losses(logprobs, old, advantages, clip_range=0.2).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(-advantages.mean().item())
    assert not objective.is_policy_clipped(logprobs, old, advantages, clip_range=0.2).any()
    assert logprobs.grad is not None
    close(logprobs.grad, (-advantages / 3)[0].tolist())


@pytest.mark.parametrize(
    ("advantage", "ratio", "loss", "gradient"),
    [
        (1.0, 0.5, -0.5, -1.0),
        (1.0, 1.1, -1.1, -1.0),
        (1.0, 1.5, -1.2, 0.0),
        (-1.0, 0.5, 0.8, 0.0),
        (-1.0, 1.1, 1.1, 1.0),
        (-1.0, 1.5, 1.5, 1.0),
    ],
)
def test_the_policy_loss_is_clipped_pessimistically(
    advantage: float, ratio: float, loss: float, gradient: float
) -> None:
    logprobs = row(math.log(ratio)).requires_grad_()
    old, advantages = row(0.0), row(advantage)
    actual = objective.policy_losses(logprobs, old, advantages, clip_range=0.2)
    actual.sum().backward()  # type: ignore[no-untyped-call]
    close(actual, [loss])
    assert logprobs.grad is not None
    assert logprobs.grad.item() / ratio == pytest.approx(gradient)  # dL/dlogp = ρ·dL/dρ
    clipped = objective.is_policy_clipped(logprobs, old, advantages, clip_range=0.2)
    assert clipped.item() == (gradient == 0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("target", "loss", "has_gradient"), [(0.6, 0.08, True), (1.2, 0.125, False)])
def test_the_value_loss_is_clipped_around_the_old_value_on_either_side(
    target: float, loss: float, sign: float, *, has_gradient: bool
) -> None:
    values = row(sign).requires_grad_()
    actual = objective.value_losses(values, row(0.5 * sign), row(target * sign), clip_range=0.2)
    actual.sum().backward()  # type: ignore[no-untyped-call]
    close(actual, [loss])
    assert values.grad is not None
    assert (values.grad.item() != 0) == has_gradient


def test_whitening_uses_the_population_variance() -> None:
    advantages = row(0.4405, 0.59, 0.4)
    close(objective.whiten(advantages, everywhere(advantages)), [-0.444655, 1.384958, -0.940303])


def test_whitening_can_keep_the_mean() -> None:
    x = torch.arange(12, 21, dtype=torch.float64).reshape(3, 3) / 10
    whitened = objective.whiten(x, everywhere(x), keep_mean=True)
    assert whitened[0, 0].item() == pytest.approx(0.0508, abs=1e-4)
    assert whitened[2, 2].item() == pytest.approx(3.1492, abs=1e-4)


def test_whitening_sees_real_tokens_only() -> None:
    mask = torch.tensor([[True, True, True, False]])
    close(objective.whiten(row(0.4405, 0.59, 0.4, math.nan), mask), [-0.444655, 1.384958, -0.940303, 0])


@pytest.mark.parametrize(
    ("kl", "gain", "factor"),
    [
        (12.0, objective.KL_PAPER_GAIN, 1.02),
        (12.0, objective.horizon_gain(512, 10_000), 1.01024),
        (3.0, objective.horizon_gain(512, 10_000), 0.98976),
        (6.0, objective.KL_PAPER_GAIN, 1.0),
    ],
)
def test_the_adaptive_kl_coef_moves_by_the_clipped_error(kl: float, gain: float, factor: float) -> None:
    assert objective.adapt_kl_coef(0.15, kl, target=6.0, gain=gain) == pytest.approx(0.15 * factor)


def test_the_average_of_weights_forgets_at_the_printed_rate() -> None:
    average = torch.ones(1, dtype=torch.float64)
    for _ in range(500):
        average = objective.average_weights(average, torch.zeros(1, dtype=torch.float64), decay=0.992)
    assert average.item() == pytest.approx(0.018023, abs=1e-6)
    assert math.log(0.5) / math.log(0.992) == pytest.approx(86.30, abs=0.01)


def test_a_completion_without_end_token_scores_exactly_minus_one() -> None:
    ended = torch.tensor([True, False, True])
    scores = objective.replace_unended_scores(torch.tensor([3.0, 4.0, -5.0]), ended, -1.0)
    assert scores.tolist() == [3.0, -1.0, -5.0]  # replaced, not lowered, and a low score is left alone


def test_microbatches_add_up_to_the_mean_of_the_whole() -> None:
    losses = torch.tensor([[4.0, 0, 0], [1.0, 1, 1]], dtype=torch.float64)
    mask = torch.tensor([[True, False, False], [True, True, True]])
    parts = sum(objective.masked_mean(losses[i : i + 1], mask[i : i + 1], total=4) for i in range(2))
    assert objective.masked_mean(losses, mask).item() == pytest.approx(1.75)
    assert float(parts) == pytest.approx(1.75)


def test_pad_columns_change_neither_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    new, old, advantages, returns = torch.randn(4, 3, 5, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4])

    def losses(pad: int) -> tuple[float, float]:
        padded = [torch.nn.functional.pad(x, (0, pad), value=math.nan) for x in (new, old, advantages, returns)]
        wide = torch.nn.functional.pad(mask, (0, pad), value=False)
        policy = objective.policy_losses(padded[0], padded[1], padded[2], clip_range=0.2)
        value = objective.value_losses(padded[0], padded[1], padded[3], clip_range=0.2)
        return objective.masked_mean(policy, wide).item(), objective.masked_mean(value, wide).item()

    assert losses(4) == pytest.approx(losses(0))


def test_explained_variance_is_one_where_perfect_and_zero_for_a_constant() -> None:
    returns, mask = row(1.0, 2.0, 3.0, math.nan), torch.tensor([[True, True, True, False]])
    assert objective.explained_variance(returns, returns, mask).item() == pytest.approx(1.0)
    constant = torch.full_like(returns, 7.0)
    assert objective.explained_variance(constant, returns, mask).item() == pytest.approx(0.0)
    assert objective.explained_variance(row(1.0, 2.0, 4.0, 0), returns, mask).item() == pytest.approx(2 / 3)
