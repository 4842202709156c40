"""How an update trains: its plan of minibatches, and the gradients and the step of each.

A minibatch is a random set of pieces of rollouts, with demonstrations beside it where they are mixed in.
Its gradient is exact however it is cut into pieces: every loss is a sum over the whole minibatch's tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from language.batching import seeded_order
from language.optimization import clip_gradients
from policy import objective
from policy.dialogues import DialogueSet, TokenizedDialogue, cut_batch, target_nlls
from policy.learner import PolicyLearner
from policy.metrics import join_pieces, piece_metrics
from policy.ppo_config import PpoConfig
from policy.prompts import draw
from policy.rollout import Rollouts
from policy.shared_prompt import completion_logprobs
from policy.stopping import in_smaller_pieces, require_finite
from policy.value import ValueLearner, completion_values
from rewardmodel.commandline import autocast


@dataclass(frozen=True)
class Learners:
    """Policy and value model: two networks, each with an optimizer and a schedule of its own."""

    policy: PolicyLearner
    value: ValueLearner
    policy_optimizer: Optimizer
    value_optimizer: Optimizer
    policy_schedule: LRScheduler
    value_schedule: LRScheduler


@dataclass(frozen=True)
class Targets:
    """What an update trains towards, for every token of its rollouts; fixed while it lasts."""

    old_logprobs: Float[Tensor, "rows length"]
    old_values: Float[Tensor, "rows length"]
    advantages: Float[Tensor, "rows length"]
    returns: Float[Tensor, "rows length"]


def plan_steps(
    rollouts: Rollouts, dialogues: DialogueSet | None, config: PpoConfig, update: int
) -> Iterator[tuple[list[list[int]], list[TokenizedDialogue]]]:
    """The update's optimizer steps: for each its pieces of rollouts, in a fresh order each epoch, and its dialogues.

    A pure function of its arguments, so that a resumed run continues the same order.
    """
    pieces = rollouts.pieces(config.microbatch_size)
    per_step = config.minibatch_size // config.microbatch_size
    steps_per_epoch = len(pieces) // per_step
    num_dialogues = round(config.ptx_ratio * config.minibatch_size) if dialogues else 0
    for epoch in range(config.epochs):
        order = seeded_order(len(pieces), seed=config.seed, epoch=update * config.epochs + epoch)
        for index in range(steps_per_epoch):
            minibatch = [pieces[place] for place in order[index * per_step : (index + 1) * per_step]]
            step = (update * config.epochs + epoch) * steps_per_epoch + index
            chosen = (
                draw(dialogues.train, start=step * num_dialogues, count=num_dialogues, seed=config.seed)
                if dialogues
                else []
            )
            yield minibatch, chosen


def take_step(
    learners: Learners,
    rollouts: Rollouts,
    targets: Targets,
    minibatch: list[list[int]],
    dialogues: Sequence[TokenizedDialogue],
    config: PpoConfig,
    update: int,
) -> dict[str, float]:
    """One optimizer step of policy and value model each. TrainingStopped where a number is not finite."""
    metrics = in_smaller_pieces(
        lambda pieces: add_gradients(learners, rollouts, targets, pieces, dialogues, config), minibatch
    )
    metrics["grad_norm"] = clip_gradients(learners.policy.model, max_norm=config.max_grad_norm)
    metrics["value_grad_norm"] = clip_gradients(learners.value.model, max_norm=config.max_grad_norm)
    prompt_ids = rollouts.prompt_ids([row for rows in minibatch for row in rows])
    for name in ("policy_loss", "value_loss", "grad_norm", "value_grad_norm"):
        require_finite(metrics[name], name, prompt_ids, update)
    learners.policy_optimizer.step()
    learners.value_optimizer.step()
    return metrics


def add_gradients(
    learners: Learners,
    rollouts: Rollouts,
    targets: Targets,
    pieces: list[list[int]],
    dialogues: Sequence[TokenizedDialogue],
    config: PpoConfig,
) -> dict[str, float]:
    """The gradients of one minibatch, accumulated over its pieces so that the cut makes no difference.

    Policy: the clipped loss, plus γ times the demonstrations' loss (IG Eq. 2). Value model: a network of its
    own with an optimizer of its own, so its loss needs no coefficient beside the policy's.
    """
    policy, value = learners.policy.model, learners.value.model
    policy.zero_grad(set_to_none=True)
    value.zero_grad(set_to_none=True)
    total = int(rollouts.mask[[row for rows in pieces for row in rows]].sum())
    parts = []
    for rows in pieces:
        groups = rollouts.groups(rows)
        mask, old_logprobs, old_values, advantages, returns = (
            rollouts.take(x, rows)
            for x in (rollouts.mask, targets.old_logprobs, targets.old_values, targets.advantages, targets.returns)
        )
        with autocast(mask.device, config.precision):
            logprobs = completion_logprobs(policy, groups, temperature=config.temperature)
        losses = objective.policy_losses(logprobs, old_logprobs, advantages, clip_range=config.clip_range)
        policy_loss = objective.masked_mean(losses, mask, total=total)
        policy_loss.backward()  # type: ignore[no-untyped-call]

        with autocast(mask.device, config.precision):
            values = completion_values(value, groups)
        losses = objective.value_losses(values, old_values, returns, clip_range=config.value_clip_range)
        value_loss = objective.masked_mean(losses, mask, total=total)
        value_loss.backward()  # type: ignore[no-untyped-call]

        clipped = objective.is_policy_clipped(logprobs, old_logprobs, advantages, clip_range=config.clip_range)
        parts.append(piece_metrics(policy_loss, value_loss, logprobs, old_logprobs, clipped, mask, total=total))
    return join_pieces(parts) | add_ptx_gradient(learners.policy, dialogues, config)


def add_ptx_gradient(
    policy: PolicyLearner, dialogues: Sequence[TokenizedDialogue], config: PpoConfig
) -> dict[str, float]:
    """Add γ times the gradient of the dialogues' mean loss per target token; nothing where there are none.

    IG computes it in a step of its own and accumulates (C.4). It prints no normalisation: the mean over
    tokens, as in SFT, is ours.
    """
    if not dialogues:
        return {}
    total = sum(dialogue.num_targets for dialogue in dialogues)
    loss = 0.0
    for piece in cut_batch(dialogues, token_budget=config.ptx_microbatch_tokens, packing=True):
        with autocast(policy.model.device, config.precision):
            share = target_nlls(policy.model, piece, packing=True).sum() / total
        (config.ptx_coef * share).backward()  # type: ignore[no-untyped-call]
        loss += share.item()
    return {"ptx_loss": loss}
