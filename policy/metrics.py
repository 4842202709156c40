"""How the numbers that PPO logs are computed; what each is called and means is in records.metrics."""

import resource
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from policy.objective import explained_variance, kl_k1, kl_k3, masked_mean, sum_over_tokens
from policy.rollout import MeasuredRollouts, ScoredRollouts

_LEVEL = 1e-6  # an advantage below this is rounding


def rollout_metrics(
    measured: MeasuredRollouts, *, rewards: Float[Tensor, "rows length"], returns: Float[Tensor, "rows length"]
) -> dict[str, float]:
    """What the rollouts of one update of PPO were like, before it was trained on them."""
    foreseen = explained_variance(measured.values, returns, measured.rollouts.mask)
    return scored_metrics(measured, rewards=rewards.sum(dim=1)) | {"explained_variance": foreseen.item()}


def scored_metrics(measured: ScoredRollouts, *, rewards: Float[Tensor, " rows"]) -> dict[str, float]:
    """What any update's rollouts were like; `rewards` are of whole completions."""
    rollouts, mask = measured.rollouts, measured.rollouts.mask
    gaps = (measured.logprobs - rollouts.sampled_logprobs)[mask].abs()
    numbers = {
        "score": measured.scores.mean(),
        "reward": rewards.mean(),
        "kl": sum_over_tokens(kl_k1(measured.logprobs, measured.ref_logprobs), mask).mean(),
        "kl_k3": sum_over_tokens(kl_k3(measured.logprobs, measured.ref_logprobs), mask).mean(),
        "entropy": masked_mean(measured.entropies, mask),
        "completion_tokens": mask.sum(dim=1).float().mean(),
        "unended_share": 1 - rollouts.ended.float().mean(),
        "sampler_gap": gaps.max(),
        "sampler_gap_mean": gaps.mean(),
        "sampler_kl": masked_mean(kl_k3(rollouts.sampled_logprobs, measured.logprobs), mask),
    }
    if measured.member_scores is not None:
        numbers["score_deviation"] = measured.member_scores.std(dim=0, correction=0).mean()
    return {name: number.item() for name, number in numbers.items()}


def piece_metrics(
    policy_loss: Float[Tensor, ""],
    value_loss: Float[Tensor, ""],
    logprobs: Float[Tensor, "rows length"],
    old_logprobs: Float[Tensor, "rows length"],
    clipped: Bool[Tensor, "rows length"],
    mask: Bool[Tensor, "rows length"],
    *,
    total: int,
) -> dict[str, float]:
    """One piece's shares of its minibatch's numbers; `total` is the minibatch's number of tokens."""
    logprobs = logprobs.detach()
    numbers = {
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "clip_fraction": masked_mean(clipped.float(), mask, total=total),
        "update_kl": masked_mean(kl_k3(old_logprobs, logprobs), mask, total=total),
        "ratio_gap": torch.where(mask, (logprobs - old_logprobs).exp() - 1, 0.0).abs().max(),
    }
    return {name: number.item() for name, number in numbers.items()}


def completion_piece_metrics(
    policy_loss: Float[Tensor, ""],
    log_ratios: Float[Tensor, "rows actions"],
    clipped: Bool[Tensor, "rows actions"],
    acted: Bool[Tensor, "rows actions"],
    *,
    total: int,
) -> dict[str, float]:
    """One piece's shares of its minibatch's numbers in RLOO and GRPO.

    An action, True in `acted`, is a whole completion or a token; `total` is the minibatch's number of them.
    """
    log_ratios = log_ratios.detach()
    numbers = {
        "policy_loss": policy_loss,
        "clip_fraction": masked_mean(clipped.float(), acted, total=total),
        "update_kl": masked_mean(torch.expm1(log_ratios) - log_ratios, acted, total=total),
        "ratio_gap": torch.where(acted, log_ratios.exp() - 1, 0.0).abs().max(),
    }
    return {name: number.item() for name, number in numbers.items()}


def join_pieces(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """A minibatch's numbers from its pieces' shares."""
    summed = {name: sum(part[name] for part in parts) for name in parts[0]}
    return summed | {"ratio_gap": max(part["ratio_gap"] for part in parts)}


def mean_of_steps(steps: Sequence[dict[str, float]]) -> dict[str, float]:
    """The means over an update's optimizer steps; of the ratio's gap only what it was before the first."""
    means = {name: sum(step[name] for step in steps) / len(steps) for name in steps[0]}
    del means["ratio_gap"]
    return means | {"first_ratio_gap": steps[0]["ratio_gap"]}


def nothing_ended(max_new_tokens: int) -> str:
    """Words for an update in which no completion ended, so that every one got the score of a missing end."""
    return (
        f"no completion of this update ended within {max_new_tokens} tokens: each got --missing-end-score instead of "
        "its own, so there is nothing to learn from but length; raise --max-new-tokens, or start from a policy that "
        "ends its answers"
    )


def time_metrics(clock: Sequence[float], *, num_tokens: int) -> dict[str, float]:
    """Seconds of an update's phases from the times at which they began and ended."""
    sampled, measured, trained = (later - earlier for earlier, later in pairwise(clock))
    seconds = clock[-1] - clock[0]
    return {
        "rollout_seconds": sampled,
        "scoring_seconds": measured,
        "training_seconds": trained,
        "seconds": seconds,
        "tokens_per_second": num_tokens / seconds,
    }


def peak_memory_mb(device: torch.device) -> float:
    """Peak memory in megabytes: of the GPU where the run is on one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def level_share(advantages: Float[Tensor, " rows"], num_completions: int) -> float:
    """The share of prompts whose completions all have an advantage of 0 and so teach nothing."""
    return float((advantages.view(-1, num_completions).abs() < _LEVEL).all(dim=1).float().mean())
