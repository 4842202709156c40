"""The formulas of RLOO, GRPO and ensembles: worked by hand, what they must not depend on, masks, and their gradient."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from policy import objective

# Three prompts of four completions each.
SCORES = torch.tensor([[1.0, 2.0, 6.0, 3.0], [0.0, 0.0, 0.0, 4.0], [5.0, 5.0, 5.0, 5.0]], dtype=torch.float64)


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def test_a_completion_is_judged_against_the_mean_of_its_siblings() -> None:
    advantages = objective.leave_one_out_advantages(SCORES)
    torch.testing.assert_close(advantages[:1], row(1 - 11 / 3, 2 - 10 / 3, 6 - 6 / 3, 3 - 9 / 3))
    torch.testing.assert_close(advantages[1:2], row(-4 / 3, -4 / 3, -4 / 3, 4))
    assert advantages[2].tolist() == [0, 0, 0, 0]


def test_a_group_is_normalised_by_its_own_mean_and_deviation() -> None:
    advantages = objective.group_normalised_advantages(SCORES)
    deviation = math.sqrt(14 / 3) + 1e-4
    torch.testing.assert_close(advantages[:1], row(-2 / deviation, -1 / deviation, 3 / deviation, 0))
    assert advantages[0, 2].item() == pytest.approx(1.388666, abs=1e-6)
    assert advantages[2].tolist() == [0, 0, 0, 0]  # no deviation: nothing to learn, and no division by it


@pytest.mark.parametrize("estimator", [objective.leave_one_out_advantages, objective.group_normalised_advantages])
def test_advantages_of_a_prompt_sum_to_zero_and_do_not_move_with_its_scores(
    estimator: Callable[[Tensor], Tensor],
) -> None:
    advantages = estimator(SCORES)
    torch.testing.assert_close(advantages.sum(dim=1), torch.zeros(3, dtype=torch.float64))
    easier = estimator(SCORES + torch.tensor([[100.0], [-7.0], [0.5]]))
    torch.testing.assert_close(easier, advantages)
    turned = estimator(SCORES.flip(1))
    torch.testing.assert_close(turned, advantages.flip(1))


def test_the_scale_of_scores_is_kept_by_rloo_and_lost_by_grpo() -> None:
    tenfold = 10 * SCORES[:2]
    torch.testing.assert_close(
        objective.leave_one_out_advantages(tenfold), 10 * objective.leave_one_out_advantages(SCORES[:2])
    )
    torch.testing.assert_close(
        objective.group_normalised_advantages(tenfold),
        objective.group_normalised_advantages(SCORES[:2]),
        atol=1e-3,
        rtol=0,
    )


def test_the_kl_of_a_whole_completion_is_a_part_of_its_score() -> None:
    logprobs, ref_logprobs = row(-1.0, -2.0, math.nan), row(-1.5, -1.0, math.nan)
    mask = torch.tensor([[True, True, False]])
    found = objective.penalised_scores(row(2.0)[0], logprobs, ref_logprobs, mask, kl_coef=0.1)
    assert found.tolist() == pytest.approx([2 - 0.1 * (0.5 - 1)])


@pytest.mark.parametrize(("advantage", "expected"), [(1.0, -1.2), (-1.0, math.exp(0.3))])
def test_the_ratio_of_a_whole_completion_is_clipped_pessimistically(advantage: float, expected: float) -> None:
    logprobs, old_logprobs = row(-1.0, -1.0, math.nan), row(-1.1, -1.2, math.nan)
    mask = torch.tensor([[True, True, False]])
    log_ratios = objective.completion_log_ratios(logprobs, old_logprobs, mask)
    assert log_ratios.tolist() == [[pytest.approx(0.3)]]
    losses = objective.completion_losses(log_ratios, row(advantage)[0], clip_range=0.2)
    assert losses.tolist() == pytest.approx([expected])


def test_the_first_step_is_reinforce_on_every_token_alike() -> None:
    logprobs = torch.tensor([[-1.0, -2.0], [-3.0, 0.0]], requires_grad=True)
    mask = torch.tensor([[True, True], [True, False]])
    log_ratios = objective.completion_log_ratios(logprobs, logprobs.detach(), mask)
    objective.completion_losses(log_ratios, torch.tensor([2.0, -0.5]), clip_range=0.2).sum().backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [[-2.0, -2.0], [0.5, 0.0]]


def test_the_group_relative_loss_is_the_mean_over_a_completions_own_tokens() -> None:
    """Ratios e^0.1 (kept) and e^0.2 (clipped to 1.2); π is twice π_ref at the first token, so k3 is ln 2 − ½ there."""
    logprobs, old_logprobs = row(-1.0, -1.0, math.nan), row(-1.1, -1.2, math.nan)
    ref_logprobs = row(-1.0 - math.log(2), -1.0, math.nan)
    mask = torch.tensor([[True, True, False]])
    losses = objective.group_relative_losses(
        logprobs, old_logprobs, ref_logprobs, mask, row(2.0)[0], clip_range=0.2, kl_coef=0.5
    )
    worked = (-2 * math.exp(0.1) - 2 * 1.2 + 0.5 * (math.log(2) - 0.5)) / 2
    assert losses.tolist() == [pytest.approx(worked)]
    assert worked == pytest.approx(-2.256884, abs=1e-6)


def test_the_kl_in_the_group_relative_loss_pulls_towards_the_reference() -> None:
    logprobs = torch.tensor([[-1.0]], requires_grad=True)
    losses = objective.group_relative_losses(
        logprobs,
        torch.tensor([[-1.0]]),
        torch.tensor([[-2.0]]),
        torch.tensor([[True]]),
        torch.tensor([0.0]),
        clip_range=0.2,
        kl_coef=0.5,
    )
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert logprobs.grad is not None
    assert logprobs.grad.item() == pytest.approx(0.5 * (1 - math.exp(-1)))  # downhill is down: π is above π_ref


START = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
ACTION_SCORES = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
KL_COEF = 0.5


def penalised(logits: Tensor, actions: Tensor) -> Tensor:
    """The scores of actions less the price of their KL, by the formula."""
    logprobs = logits.detach().log_softmax(0)[actions][:, None]
    mask = torch.ones_like(logprobs, dtype=torch.bool)
    return objective.penalised_scores(
        ACTION_SCORES[actions], logprobs, START.log()[actions][:, None], mask, kl_coef=KL_COEF
    )


def test_the_mean_of_the_leave_one_out_gradient_is_the_gradient_of_the_objective() -> None:
    """Over all 27 draws of three completions, each weighed by its probability: exactly, not nearly."""
    logits = torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64, requires_grad=True)
    loss = torch.zeros((), dtype=torch.float64)
    for drawn in itertools.product(range(3), repeat=3):
        actions = torch.tensor(drawn)
        probability = logits.detach().softmax(0)[actions].prod()
        advantages = objective.leave_one_out_advantages(penalised(logits, actions)[None])[0]
        logprobs = logits.log_softmax(0)[actions][:, None]
        ratios = objective.completion_log_ratios(logprobs, logprobs.detach(), torch.ones_like(logprobs).bool())
        loss = loss + probability * objective.completion_losses(ratios, advantages, clip_range=0.2).mean()
    (estimated,) = torch.autograd.grad(loss, logits)
    policy = logits.softmax(0)
    value = policy @ ACTION_SCORES - KL_COEF * (policy * (policy / START).log()).sum()
    (exact,) = torch.autograd.grad(-value, logits)
    torch.testing.assert_close(estimated, exact)
    assert exact.abs().max() > 0.01


def test_rloo_reaches_the_kl_regularised_optimum() -> None:
    """π* ∝ π₀·e^{r/β}, as for PPO in test_tabular_bandit.py; two steps an update, so that ratios come into play."""
    torch.manual_seed(0)
    logits = START.log().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.03)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 250)
    for _ in range(250):
        actions = torch.multinomial(logits.detach().softmax(0), 512, replacement=True)
        old = logits.detach().log_softmax(0)[actions][:, None]
        advantages = objective.leave_one_out_advantages(penalised(logits, actions).view(-1, 4)).flatten()
        for rows in torch.randperm(512).chunk(2):
            logprobs = logits.log_softmax(0)[actions[rows]][:, None]
            log_ratios = objective.completion_log_ratios(logprobs, old[rows], torch.ones_like(logprobs).bool())
            loss = objective.completion_losses(log_ratios, advantages[rows], clip_range=0.2).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    optimum = START * torch.exp(ACTION_SCORES / KL_COEF)
    learned = logits.detach().softmax(0)
    assert 0.5 * (learned - optimum / optimum.sum()).abs().sum().item() < 0.02


@pytest.mark.parametrize(
    ("rule", "expected"), [("mean", [3.0, 1.0]), ("worst", [1.0, 1.0]), ("variance-penalised", [3 - 0.5 * 14 / 3, 1.0])]
)
def test_an_ensemble_scores_by_its_rule(rule: objective.Ensemble, expected: list[float]) -> None:
    """Coste et al.: scores 1, 2 and 6 are 3, 1, and 3 − ½·14/3; where all agree, every rule says what they say."""
    scores = torch.tensor([[1.0, 1.0], [2.0, 1.0], [6.0, 1.0]], dtype=torch.float64)
    assert objective.ensemble_scores(scores, rule, variance_coef=0.5).tolist() == pytest.approx(expected)
    assert objective.ensemble_scores(scores.flip(0), rule, variance_coef=0.5).tolist() == pytest.approx(expected)
    assert objective.ensemble_scores(scores[:1], rule, variance_coef=0.5).tolist() == [1.0, 1.0]
