"""The objectives that learn from people's verdicts without a reward model: pure formulas, each with its source.

RF is Rafailov et al. 2023 (DPO, arXiv 2305.18290), ET Ethayarajh et al. 2024 (KTO, arXiv 2402.01306). Both read a
policy as a reward model of its own: what it says more readily than the reference policy, it holds to be better.
The loss over the pairs of a ranking is then the reward model's own, `rewardmodel.loss.ranking_losses`, of these
implicit rewards (RF Eq. 7).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# How far the weighted number of thumbs up may exceed that of thumbs down (ET Eq. 9).
_LEAST_RATIO, _MOST_RATIO = 1.0, 1.5


def implicit_rewards(
    logprobs: Float[Tensor, " completions"], ref_logprobs: Float[Tensor, " completions"], *, beta: float
) -> Float[Tensor, " completions"]:
    """r̂ = β (log π(y|x) − log π₀(y|x)), of whole completions, in nats (RF Eq. 5).

    Without β log Z(x), which is the same for all completions of a prompt and leaves every difference as it is.
    Raises ValueError where beta is not positive.
    """
    if beta <= 0:
        raise ValueError(f"beta is {beta}; it must be above 0")
    return beta * (logprobs - ref_logprobs)


def plackett_luce_loss(rewards: Float[Tensor, " completions"], tiers: Int[Tensor, " completions"]) -> Float[Tensor, ""]:
    """−log p of one ranking: Σᵢ (log Σ_{j ∈ {i} ∪ worse(i)} e^{r̂ⱼ} − r̂ᵢ), summed over its choices (RF App. A.3).

    `tiers[i]` is where completion i stands, 0 the best. Without ties each completion is chosen from itself and all
    that are worse, which is the model of Plackett and Luce; of two completions it is the pair loss. RF knows no ties:
    here two completions of one tier are never set against each other, as a tie makes no pair (InstructGPT App. C.2).
    With ties it is thus a product of choices that are each Plackett–Luce's (a composite likelihood: Lindsay 1988), and
    what is in the last tier, of which a choice among several says nothing, is chosen from nothing and costs nothing.
    Raises ValueError for a ranking of one tier: it says nothing, and a loss of 0 would hide that.
    """
    worse = tiers[None, :] > tiers[:, None]
    if not bool(worse.any()):
        raise ValueError("a ranking of one tier has no order to learn")
    compared = worse | torch.eye(len(tiers), dtype=torch.bool, device=tiers.device)
    return (rewards.expand(len(tiers), -1).masked_fill(~compared, -torch.inf).logsumexp(dim=1) - rewards).sum()


def reference_point(mismatched_log_ratios: Float[Tensor, " completions"]) -> float:
    """z₀ = max(0, mean of log π(y′|x) − log π₀(y′|x)), nats (ET §4.1).

    y′ are completions of other prompts than x. A stand-in for KL(π ‖ π₀) that needs no sampling: biased, and without
    gradient. Raises ValueError where there is none.
    """
    if len(mismatched_log_ratios) == 0:
        raise ValueError("no mismatched completion to estimate the reference point from")
    return max(0.0, float(mismatched_log_ratios.detach().double().mean()))


def kto_losses(
    log_ratios: Float[Tensor, " completions"],
    is_desirable: Bool[Tensor, " completions"],
    z0: float,
    *,
    beta: float,
    desirable_weight: float,
    undesirable_weight: float,
) -> Float[Tensor, " completions"]:
    """λ_y − v: λ_D (1 − σ(β (log π/π₀ − z₀))) where desirable, λ_U (1 − σ(β (z₀ − log π/π₀))) where not (ET Eq. 8).

    True marks a thumb up. Written with σ of the negative, which loses no digit where the other nears 1.
    Raises ValueError where beta or a weight is not positive.
    """
    if min(beta, desirable_weight, undesirable_weight) <= 0:
        raise ValueError(f"beta {beta} and the weights {desirable_weight}, {undesirable_weight} must be above 0")
    gain = beta * (log_ratios - z0)
    return torch.where(is_desirable, desirable_weight * torch.sigmoid(-gain), undesirable_weight * torch.sigmoid(gain))


def weights_by_numbers(num_desirable: int, num_undesirable: int) -> tuple[float, float]:
    """(λ_D, λ_U) with λ_D n_D / (λ_U n_U) between 1 and 3/2, the lesser of them 1 (ET Eq. 9).

    Both 1 where the numbers lie so; else the rarer kind weighs as much as brings the ratio to the nearer end.
    Raises ValueError where there is no thumb of one kind: no weight makes up for that.
    """
    if min(num_desirable, num_undesirable) < 1:
        raise ValueError(f"{num_desirable} thumbs up and {num_undesirable} down; both kinds are needed")
    ratio = num_desirable / num_undesirable
    return max(1.0, _LEAST_RATIO / ratio), max(1.0, ratio / _MOST_RATIO)


def drift(log_ratios: Float[Tensor, " completions"], num_tokens: int) -> float:
    """Mean of log π₀ − log π per token over completions of so many tokens together, nats.

    The estimate k1 of KL(π₀ ‖ π), were the completions drawn from the reference policy (Schulman 2020); of
    completions by others it says only how much less, or below 0 more, likely what was judged has become.
    """
    return -float(log_ratios.detach().double().sum()) / num_tokens
