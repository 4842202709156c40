"""How an update of RLOO or GRPO trains: the gradients of each step, and the step.

There is one network, and one number a completion to learn from. Minibatches and pieces are PPO's
(`policy.minibatches`), and so gradients are the same however a minibatch is cut and shared among processes.
"""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from language.commandline import autocast
from language.optimization import clip_gradients
from language.parallel import ALONE, Sharing, weight_of
from policy import objective
from policy.dialogues import TokenizedDialogue
from policy.ensembles import FrozenRewardModel
from policy.first_pass import FirstPass
from policy.learner import PolicyLearner
from policy.metrics import completion_piece_metrics, join_pieces
from policy.minibatches import Step, Totals, accumulate_shares, add_ptx_gradient, count_totals
from policy.rloo_config import RlooConfig
from policy.rollout import Rollouts
from policy.shared_prompt import completion_logprobs
from policy.stopping import require_finite


@dataclass(frozen=True)
class GroupLearner:
    """The policy with its optimizer and schedule, and the reward model that scores it."""

    policy: PolicyLearner
    rewards: FrozenRewardModel
    optimizer: Optimizer
    schedule: LRScheduler


@dataclass(frozen=True)
class GroupTargets:
    """What an update trains towards: an advantage for every completion. Fixed while the update lasts."""

    old_logprobs: Float[Tensor, "rows length"]
    ref_logprobs: Float[Tensor, "rows length"]
    advantages: Float[Tensor, " rows"]
    first_pass: FirstPass = field(default_factory=FirstPass)
    """The forward of all rows in one piece that waits to be trained from."""
    weights: Float[Tensor, "rows length"] | None = None
    """What each token counts in GRPO where another program sampled it."""

    def weighted(self, weights: Tensor | float) -> "GroupTargets":
        """The same where another program sampled: importance weights of completions, of tokens, or of none."""
        if isinstance(weights, float):
            return self
        if weights.ndim == 1:
            return replace(self, advantages=weights * self.advantages)
        return replace(self, weights=weights)


def take_step(
    learner: GroupLearner,
    rollouts: Rollouts,
    targets: GroupTargets,
    step: Step,
    config: RlooConfig,
    update: int,
    sharing: Sharing = ALONE,
) -> dict[str, float]:
    """One optimizer step. TrainingStopped where a number is not finite."""

    def accumulate(pieces: list[list[int]], texts: list[list[TokenizedDialogue]], totals: Totals) -> dict[str, float]:
        return add_gradients(learner.policy, rollouts, targets, pieces, texts, config, totals=totals)

    metrics = accumulate_shares(accumulate, rollouts, step, text_budget=config.ptx_microbatch_tokens, sharing=sharing)
    sharing.add_gradients(learner.policy.model)
    metrics["grad_norm"] = clip_gradients(learner.policy.model, max_norm=config.max_grad_norm)
    prompt_ids = rollouts.prompt_ids([row for rows in step.minibatch for row in rows])
    for name in ("policy_loss", "grad_norm"):
        require_finite(metrics[name], name, prompt_ids, update)
    learner.optimizer.step()
    return metrics


def add_gradients(
    policy: PolicyLearner,
    rollouts: Rollouts,
    targets: GroupTargets,
    pieces: list[list[int]],
    texts: list[list[TokenizedDialogue]],
    config: RlooConfig,
    *,
    totals: Totals | None = None,
) -> dict[str, float]:
    """The gradients of one minibatch, or of a share of it: the mean over completions of `completion_losses_of`.

    Plus γ times the mixed-in text's loss, as in PPO. `totals` are of the whole minibatch, and of these pieces unless
    given.
    """
    policy.model.zero_grad(set_to_none=True)
    totals = totals or count_totals(rollouts, pieces, texts)
    if [len(rows) for rows in pieces] != [len(rollouts.completions)]:
        targets.first_pass.clear()  # memory ran out, and the pieces are smaller now
    parts = []
    for rows in pieces:
        mask, old_logprobs, ref_logprobs = (
            rollouts.take(x, rows) for x in (rollouts.mask, targets.old_logprobs, targets.ref_logprobs)
        )
        advantages = targets.advantages[list(rows)]
        if (logprobs := targets.first_pass.take("policy")) is None:
            with autocast(mask.device, config.precision):
                logprobs = completion_logprobs(policy.model, rollouts.groups(rows), temperature=config.temperature)
        weights = None if targets.weights is None else rollouts.take(targets.weights, rows)
        losses = completion_losses_of(logprobs, old_logprobs, ref_logprobs, mask, advantages, config, weights)
        loss = losses.sum() / totals.completions * weight_of(rows)
        loss.backward()  # type: ignore[no-untyped-call]
        if not weight_of(rows):
            continue
        log_ratios, acted = actions_of(logprobs.detach(), old_logprobs, mask, config)
        clipped = objective.is_policy_clipped(
            log_ratios,
            torch.zeros_like(log_ratios),
            advantages[:, None].expand_as(log_ratios),
            clip_range=config.clip_range,
        )
        total = totals.tokens if config.advantage == "group-normalised" else totals.completions
        parts.append(completion_piece_metrics(loss, log_ratios, clipped, acted, total=total))
    metrics = join_pieces(parts)
    if totals.targets:
        metrics["ptx_loss"] = sum(add_ptx_gradient(policy, piece, config, totals.targets) for piece in texts)
    return metrics


def completion_losses_of(
    logprobs: Float[Tensor, "rows length"],
    old_logprobs: Float[Tensor, "rows length"],
    ref_logprobs: Float[Tensor, "rows length"],
    mask: Bool[Tensor, "rows length"],
    advantages: Float[Tensor, " rows"],
    config: RlooConfig,
    weights: Float[Tensor, "rows length"] | None = None,
) -> Float[Tensor, " rows"]:
    """The loss of each completion, as Ahmadian et al. or as Shao et al. printed it."""
    if config.advantage == "group-normalised":
        return objective.group_relative_losses(
            logprobs,
            old_logprobs,
            ref_logprobs,
            mask,
            advantages,
            clip_range=config.clip_range,
            kl_coef=config.kl_coef,
            weights=weights,
        )
    log_ratios = objective.completion_log_ratios(logprobs, old_logprobs, mask)
    return objective.completion_losses(log_ratios, advantages, clip_range=config.clip_range)


def actions_of(
    logprobs: Float[Tensor, "rows length"],
    old_logprobs: Float[Tensor, "rows length"],
    mask: Bool[Tensor, "rows length"],
    config: RlooConfig,
) -> tuple[Float[Tensor, "rows actions"], Bool[Tensor, "rows actions"]]:
    """log π/π_old of what a ratio is of, and where there is one: tokens in GRPO, one whole completion in RLOO."""
    if config.advantage == "group-normalised":
        return logprobs - old_logprobs, mask
    log_ratios = objective.completion_log_ratios(logprobs, old_logprobs, mask)
    return log_ratios, torch.ones_like(log_ratios, dtype=torch.bool)


def advantages_of(
    scores: Float[Tensor, " rows"], penalised: Float[Tensor, " rows"], num_completions: int, config: RlooConfig
) -> Float[Tensor, " rows"]:
    """Each completion's advantage over its siblings: of its score less its KL in RLOO, of its score alone in GRPO."""
    if config.advantage == "group-normalised":
        return objective.group_normalised_advantages(scores.view(-1, num_completions)).flatten()
    return objective.leave_one_out_advantages(penalised.view(-1, num_completions)).flatten()
