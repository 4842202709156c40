"""A softmax policy over three actions, trained by the formulas of PPO, must reach the closed-form optimum.

The maximum of E r − β·KL(π‖π0) is π* ∝ π0·e^{r/β}, with value J* = β·log Σ π0·e^{r/β}. Nothing of a
language model is here but the formulas, so a wrong sign or a lost mask cannot hide.
"""

import math

import pytest
import torch
from torch import Tensor

from policy import objective

START = torch.tensor([0.5, 0.3, 0.2])
SCORES = torch.tensor([0.0, 1.0, 2.0])


def closed_form_optimum(kl_coef: float) -> tuple[Tensor, float]:
    weights = START * torch.exp(SCORES / kl_coef)
    return weights / weights.sum(), kl_coef * math.log(weights.sum())


def train_bandit(*, kl_coef: float, seed: int, num_updates: int = 250, num_rollouts: int = 512) -> Tensor:
    """PPO as in `policy.ppo`, with a table for a policy and one number for a value model."""
    torch.manual_seed(seed)
    logits, value = START.log().requires_grad_(), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([logits, value], lr=0.03)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, num_updates)
    mask = torch.ones(num_rollouts, 1, dtype=torch.bool)
    for _ in range(num_updates):
        actions = torch.multinomial(logits.detach().softmax(0), num_rollouts, replacement=True)[:, None]
        old_logprobs = logits.detach().log_softmax(0)[actions]
        old_values = value.detach().expand(num_rollouts, 1)
        rewards = objective.reward_tokens(
            SCORES[actions[:, 0]], old_logprobs, START.log()[actions], mask, kl_coef=kl_coef
        )
        advantages, returns = objective.estimate_advantages(rewards, old_values, mask, discount=1.0, gae_lambda=0.95)
        advantages = objective.whiten(advantages, mask)
        for rows in torch.randperm(num_rollouts).chunk(4):
            logprobs = logits.log_softmax(0)[actions[rows]]
            policy_loss = objective.policy_losses(logprobs, old_logprobs[rows], advantages[rows], clip_range=0.2)
            value_loss = objective.value_losses(
                value.expand(len(rows), 1), old_values[rows], returns[rows], clip_range=0.2
            )
            loss = objective.masked_mean(policy_loss + value_loss, mask[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    return logits.detach().softmax(0)


@pytest.mark.parametrize(
    ("kl_coef", "optimum", "best_objective"),
    [(1.0, [0.179, 0.291944, 0.529056], 1.027222), (0.5, [0.036667, 0.162559, 0.800774], 1.306369)],
)
def test_ppo_reaches_the_kl_regularised_optimum(kl_coef: float, optimum: list[float], best_objective: float) -> None:
    expected, objective_at_best = closed_form_optimum(kl_coef)
    torch.testing.assert_close(expected, torch.tensor(optimum), atol=1e-5, rtol=0)
    assert objective_at_best == pytest.approx(best_objective, abs=1e-5)

    learned = train_bandit(kl_coef=kl_coef, seed=0)

    total_variation = 0.5 * (learned - expected).abs().sum().item()
    assert total_variation < 0.02
    reached = (learned @ SCORES - kl_coef * (learned * (learned / START).log()).sum()).item()
    assert reached == pytest.approx(best_objective, abs=0.005)


def test_the_optimum_trades_score_for_kl() -> None:
    expected, _ = closed_form_optimum(1.0)
    kl = (expected * (expected / START).log()).sum().item()
    assert (expected @ SCORES).item() == pytest.approx(1.350056, abs=1e-5)
    assert kl == pytest.approx(0.322834, abs=1e-5)
