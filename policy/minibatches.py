"""How an update trains: its steps, and the gradients of each.

A step is one of `policy.plan`'s minibatches of rollouts, with text beside it where demonstrations or pretraining
text are mixed in. Its gradient is exact however it is cut into pieces and shared among processes: every
loss is a sum over the whole minibatch's tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from language.commandline import autocast
from language.optimization import clip_gradients
from language.parallel import ALONE, Sharing, weight_of
from language.seeds import derived_seed
from policy import objective
from policy.dialogues import TokenizedDialogue, cut_batch, target_nlls
from policy.first_pass import FirstPass
from policy.inputs import RolloutConfig
from policy.learner import PolicyLearner
from policy.metrics import join_pieces, piece_metrics
from policy.plan import Minibatch, plan_epoch
from policy.ppo_config import PpoConfig
from policy.prompts import draw
from policy.rollout import Rollouts
from policy.shared_prompt import completion_logprobs
from policy.stopping import in_smaller_pieces, require_finite
from policy.value import ValueLearner, completion_values


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
    first_pass: FirstPass = field(default_factory=FirstPass)
    """Forwards of all rows in one piece that wait to be trained from."""


@dataclass(frozen=True)
class Step:
    """What one optimizer step learns from: a minibatch of rollouts, and the text mixed in."""

    minibatch: Minibatch
    texts: list[TokenizedDialogue]


def plan_epochs(
    rollouts: Rollouts, mixed_in: Sequence[TokenizedDialogue], config: RolloutConfig, update: int
) -> list[list[Step]]:
    """The update's optimizer steps, epoch by epoch: each epoch goes through all rollouts, the text goes on and on.

    A pure function of its arguments, so that a resumed run continues the same order.
    """
    epochs = [
        plan_epoch(
            rollouts,
            minibatch_size=config.minibatch_size,
            microbatch_size=config.microbatch_size,
            seed=config.seed,
            update=update,
            epoch=epoch,
        )
        for epoch in range(config.epochs)
    ]
    num_texts = round(config.ptx_ratio * config.minibatch_size)
    count = sum(map(len, epochs)) * num_texts  # drawn at once: each draw shuffles all the text there is
    seed = derived_seed(config.seed, "mixed-in text")
    texts = iter(draw(mixed_in, start=update * count, count=count, seed=seed) if mixed_in else [])
    return [[Step(minibatch, list(islice(texts, num_texts))) for minibatch in epoch] for epoch in epochs]


@dataclass(frozen=True)
class Totals:
    """What a minibatch's losses are means over: tokens of completions, targets of the text mixed in, completions."""

    tokens: int
    targets: int
    completions: int


def count_totals(
    rollouts: Rollouts, pieces: Sequence[Sequence[int]], texts: Sequence[Sequence[TokenizedDialogue]]
) -> Totals:
    """The totals of all these pieces together."""
    rows = [row for piece in pieces for row in piece]
    num_targets = sum(text.num_targets for piece in texts for text in piece)
    return Totals(int(rollouts.mask[rows].sum()), num_targets, len(rows))


def take_step(
    learners: Learners,
    rollouts: Rollouts,
    targets: Targets,
    step: Step,
    config: PpoConfig,
    update: int,
    sharing: Sharing = ALONE,
) -> dict[str, float]:
    """One optimizer step of policy and value model each. TrainingStopped where a number is not finite."""

    def accumulate(pieces: list[list[int]], texts: list[list[TokenizedDialogue]], totals: Totals) -> dict[str, float]:
        return add_gradients(learners, rollouts, targets, pieces, texts, config, totals=totals)

    metrics = accumulate_shares(accumulate, rollouts, step, text_budget=config.ptx_microbatch_tokens, sharing=sharing)
    sharing.add_gradients(learners.policy.model, learners.value.model)
    for name, learner in (("grad_norm", learners.policy), ("value_grad_norm", learners.value)):
        metrics[name] = clip_gradients(learner.model, max_norm=config.max_grad_norm)
    prompt_ids = rollouts.prompt_ids([row for rows in step.minibatch for row in rows])
    for name in ("policy_loss", "value_loss", "grad_norm", "value_grad_norm"):
        require_finite(metrics[name], name, prompt_ids, update)
    learners.policy_optimizer.step()
    learners.value_optimizer.step()
    return metrics


def accumulate_shares(
    accumulate: Callable[[list[list[int]], list[list[TokenizedDialogue]], Totals], dict[str, float]],
    rollouts: Rollouts,
    step: Step,
    *,
    text_budget: int,
    sharing: Sharing,
) -> dict[str, float]:
    """The whole minibatch's numbers; its gradients lie in the networks, of several processes each its share.

    `accumulate` clears the gradients and adds those of pieces of rollouts and of text, as shares of the totals.
    """
    texts = cut_batch(step.texts, token_budget=text_budget, packing=True) if step.texts else []
    totals = count_totals(rollouts, step.minibatch, texts)

    def of_pieces(pieces: list[list[Any]]) -> dict[str, float]:
        rows = [cast(list[int], piece) for piece in pieces if isinstance(piece[0], int)]
        cut = [cast(list[TokenizedDialogue], piece) for piece in pieces if not isinstance(piece[0], int)]
        return accumulate(rows, cut, totals)

    shares: list[list[Any]] = [*sharing.pieces_of(step.minibatch), *sharing.pieces_of(texts)]
    return join_pieces(sharing.gather(in_smaller_pieces(of_pieces, shares, sharing=sharing)))


def add_gradients(
    learners: Learners,
    rollouts: Rollouts,
    targets: Targets,
    pieces: list[list[int]],
    texts: list[list[TokenizedDialogue]],
    config: PpoConfig,
    *,
    totals: Totals | None = None,
) -> dict[str, float]:
    """The gradients of one minibatch, or of a share of it, accumulated so that the cut makes no difference.

    Policy: the clipped loss, plus γ times the mixed-in text's loss (IG Eq. 2). Value model: a network of its
    own with an optimizer of its own, so its loss needs no coefficient beside the policy's. `totals` are of
    the whole minibatch, and of these pieces unless given.
    """
    policy, value = learners.policy.model, learners.value.model
    policy.zero_grad(set_to_none=True)
    value.zero_grad(set_to_none=True)
    totals = totals or count_totals(rollouts, pieces, texts)
    total = totals.tokens
    first_pass = targets.first_pass
    if [len(rows) for rows in pieces] != [len(rollouts.completions)]:
        first_pass.clear()  # memory ran out, and the pieces are smaller now
    parts = []
    for rows in pieces:
        groups = rollouts.groups(rows)
        mask, old_logprobs, old_values, advantages, returns = (
            rollouts.take(x, rows)
            for x in (rollouts.mask, targets.old_logprobs, targets.old_values, targets.advantages, targets.returns)
        )
        if (logprobs := first_pass.take("policy")) is None:
            with autocast(mask.device, config.precision):
                logprobs = completion_logprobs(policy, groups, temperature=config.temperature)
        losses = objective.policy_losses(logprobs, old_logprobs, advantages, clip_range=config.clip_range)
        policy_loss = objective.masked_mean(losses, mask, total=total) * weight_of(rows)
        policy_loss.backward()  # type: ignore[no-untyped-call]

        if (values := first_pass.take("value")) is None:
            with autocast(mask.device, config.precision):
                values = completion_values(value, groups)
        losses = objective.value_losses(values, old_values, returns, clip_range=config.value_clip_range)
        value_loss = objective.masked_mean(losses, mask, total=total) * weight_of(rows)
        value_loss.backward()  # type: ignore[no-untyped-call]

        if not weight_of(rows):
            continue
        clipped = objective.is_policy_clipped(logprobs, old_logprobs, advantages, clip_range=config.clip_range)
        parts.append(piece_metrics(policy_loss, value_loss, logprobs, old_logprobs, clipped, mask, total=total))
    metrics = join_pieces(parts)
    if totals.targets:
        metrics["ptx_loss"] = sum(add_ptx_gradient(learners.policy, piece, config, totals.targets) for piece in texts)
    return metrics


def add_ptx_gradient(
    policy: PolicyLearner, piece: Sequence[TokenizedDialogue], config: RolloutConfig, total: int
) -> float:
    """Add γ times the gradient of a piece's share of the mixed-in text's mean loss per target; returns the share.

    IG computes it in a step of its own and accumulates (C.4). It prints no normalisation: the mean over
    tokens, as in SFT, is ours.
    """
    with autocast(policy.model.device, config.precision):
        share = target_nlls(policy.model, piece, packing=True).sum() / total * weight_of(piece)
    (config.ptx_coef * share).backward()  # type: ignore[no-untyped-call]
    return share.item()
