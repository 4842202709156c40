"""The formulas of PPO, RLOO and GRPO for language models: tensors in, tensors out, one function a formula.

Knows no model, no configuration and no device. Everywhere: a row is one completion, a column one
of its tokens; True in a mask marks a token that the policy emitted, its end token included; what
lies under False is never read, whatever it is.

Sources: IG = InstructGPT (Ouyang et al. 2022, arXiv 2203.02155); ZG = Ziegler et al. 2019
(arXiv 1909.08593); LMHP = openai/lm-human-preferences, `train_policy.py`; GAE = Schulman et al.
2015 (arXiv 1506.02438); PPO = Schulman et al. 2017 (arXiv 1707.06347); KLA = Schulman 2020,
"Approximating KL divergence"; AH = Ahmadian et al. 2024 (RLOO, arXiv 2402.14740); DSM = Shao et al. 2024
(DeepSeekMath: GRPO, arXiv 2402.03300); CO = Coste et al. 2023 (arXiv 2310.02743); IMPALA = Espeholt et al. 2018
(arXiv 1802.01561); TIS = Yao et al. 2025, "Your Efficient RL Framework Secretly Brings You Off-Policy RL Training".
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# ZG §2.2, Eq. 4: the controller's error is clipped to this, its gain is the K_β = 0.1 printed there.
KL_ERROR_CLIP = 0.2
KL_PAPER_GAIN = 0.1

# Added to a group's deviation, so that a group of one score has advantages of 0. Not printed in DSM.
_DEVIATION_FLOOR = 1e-4

Ensemble = Literal["mean", "worst", "variance-penalised"]


def ensemble_scores(
    scores: Float[Tensor, "members batch"], rule: Ensemble, *, variance_coef: float
) -> Float[Tensor, " batch"]:
    """One score of several reward models': their mean, min_i r_i (CO's WCO), or mean − λ·var (CO's UWO).

    The variance is the population's, over the members.
    """
    if rule == "worst":
        return scores.amin(dim=0)
    mean = scores.mean(dim=0)
    return mean - variance_coef * scores.var(dim=0, correction=0) if rule == "variance-penalised" else mean


def replace_unended_scores(
    scores: Float[Tensor, " batch"], ended: Bool[Tensor, " batch"], missing_end_score: float
) -> Float[Tensor, " batch"]:
    """The score of a completion without an end token is *replaced*, not lowered (ZG, LMHP `lm_tasks.py`: by −1).

    −1 is low only on a scale where good answers score about 0: see the reward model's normalisation.
    """
    return torch.where(ended, scores, torch.full_like(scores, missing_end_score))


def kl_k1(logprobs: Float[Tensor, "*shape"], ref_logprobs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """log π/π_ref of sampled tokens, nats: unbiased, of either sign (KLA, k1). This one is the penalty."""
    return logprobs - ref_logprobs


def kl_k3(logprobs: Float[Tensor, "*shape"], ref_logprobs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """π_ref/π − 1 − log π_ref/π, nats: unbiased and never negative (KLA, k3)."""
    log_ratio = ref_logprobs - logprobs
    return torch.expm1(log_ratio) - log_ratio


def kl_of_logits(
    logits: Float[Tensor, "tokens vocab"], ref_logits: Float[Tensor, "tokens vocab"], *, temperature: float
) -> Float[Tensor, " tokens"]:
    """KL(π ‖ π_ref) of each token's whole distribution, nats: no estimate, and of less variance than k1 and k3.

    Summed over the tokens of sampled completions its mean is the KL of the policies (chain rule).
    """
    logprobs = torch.log_softmax(logits.float() / temperature, dim=-1)
    ref_logprobs = torch.log_softmax(ref_logits.float() / temperature, dim=-1)
    return (logprobs.exp() * (logprobs - ref_logprobs)).sum(dim=-1)


def length_scores(mask: Bool[Tensor, "batch length"], target: int) -> Float[Tensor, " batch"]:
    """1 − |tokens/target − 1|: a reward that knows length only, as a control (Singhal et al. 2023)."""
    return 1 - (mask.sum(dim=1) / target - 1).abs()


def reward_tokens(
    scores: Float[Tensor, " batch"],
    logprobs: Float[Tensor, "batch length"],
    ref_logprobs: Float[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
    *,
    kl_coef: float,
) -> Float[Tensor, "batch length"]:
    """R_t = −β(log π(a_t) − log π_ref(a_t)) + [t is the last token]·score; zero under the mask.

    IG Eq. 2 with the KL as a per-token penalty (IG §3.5), written as LMHP `compute_rewards`. The score
    goes to the last emitted token itself, so that the reward and the action it pays for share a step.
    """
    penalty = -kl_coef * kl_k1(logprobs, ref_logprobs)
    positions = torch.arange(mask.shape[1], device=mask.device)
    is_last = positions == mask.sum(dim=1, keepdim=True) - 1
    return torch.where(mask, penalty, 0.0) + torch.where(is_last, scores[:, None], 0.0)


def estimate_advantages(
    rewards: Float[Tensor, "batch length"],
    values: Float[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
    *,
    discount: float,
    gae_lambda: float,
) -> tuple[Float[Tensor, "batch length"], Float[Tensor, "batch length"]]:
    """Generalised advantage estimation and the returns that the values should have been.

    δ_t = R_t + γV_{t+1} − V_t;  A_t = δ_t + γλA_{t+1};  returns = A + V (GAE Eq. 16; LMHP `loss`).
    The value after the last token is 0: the episode ends there (IG §3.5, a bandit).
    """
    rewards, values = torch.where(mask, rewards, 0.0), torch.where(mask, values, 0.0)
    next_values = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    deltas = rewards + discount * next_values - values
    advantages = torch.zeros_like(deltas)
    running = torch.zeros_like(deltas[:, 0])
    for t in reversed(range(deltas.shape[1])):
        running = deltas[:, t] + discount * gae_lambda * running
        advantages[:, t] = running
    return advantages, advantages + values


def whiten(
    x: Float[Tensor, "batch length"], mask: Bool[Tensor, "batch length"], *, keep_mean: bool = False
) -> Float[Tensor, "batch length"]:
    """(x − μ)/√(var + 1e-8) over real tokens, zero elsewhere; the *population* variance (LMHP `utils/core.py`).

    Advantages are whitened to mean 0; whitened rewards would keep their mean.
    """
    mean = masked_mean(x, mask)
    variance = masked_mean((x - mean).square(), mask)
    whitened = (x - mean) * torch.rsqrt(variance + 1e-8)
    return torch.where(mask, whitened + mean if keep_mean else whitened, 0.0)


def policy_losses(
    logprobs: Float[Tensor, "batch length"],
    old_logprobs: Float[Tensor, "batch length"],
    advantages: Float[Tensor, "batch length"],
    *,
    clip_range: float,
) -> Float[Tensor, "batch length"]:
    """max(−A·ρ, −A·clip(ρ, 1−ε, 1+ε)) of every token, ρ = π/π_old (PPO Eq. 7, as a loss)."""
    ratio = torch.exp(logprobs - old_logprobs)
    clipped_ratio = ratio.clamp(1 - clip_range, 1 + clip_range)
    return torch.maximum(-advantages * ratio, -advantages * clipped_ratio)


def is_policy_clipped(
    logprobs: Float[Tensor, "batch length"],
    old_logprobs: Float[Tensor, "batch length"],
    advantages: Float[Tensor, "batch length"],
    *,
    clip_range: float,
) -> Bool[Tensor, "batch length"]:
    """Where the clipped branch of `policy_losses` holds, so that the token has no gradient (LMHP `pg_clipfrac`)."""
    ratio = torch.exp(logprobs - old_logprobs)
    return -advantages * ratio.clamp(1 - clip_range, 1 + clip_range) > -advantages * ratio


def truncated_importance_weights(
    logprobs: Float[Tensor, "*shape"], sampled_logprobs: Float[Tensor, "*shape"], *, cap: float
) -> Float[Tensor, "*shape"]:
    """min(π_old/μ, cap): what a sample of μ counts where the policy is π_old (IMPALA §4.1, ρ_t; TIS).

    μ is the policy as another program computes it, `sampled_logprobs`. Not negative, so that of a clipped loss, times
    it, one may as well multiply the advantage. The cap bounds the variance, at the price of a bias.
    """
    return torch.exp(logprobs - sampled_logprobs).clamp(max=cap)


def penalised_scores(
    scores: Float[Tensor, " batch"],
    logprobs: Float[Tensor, "batch length"],
    ref_logprobs: Float[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
    *,
    kl_coef: float,
) -> Float[Tensor, " batch"]:
    """R(x, y) = r(x, y) − β·log(π(y|x)/π_ref(y|x)): a completion is one action, and its KL a part of its score (AH §2).

    `logprobs` are of the policy that sampled; nothing flows through the penalty.
    """
    return scores - kl_coef * sum_over_tokens(kl_k1(logprobs, ref_logprobs), mask)


def leave_one_out_advantages(scores: Float[Tensor, "prompts completions"]) -> Float[Tensor, "prompts completions"]:
    """A_i = R_i − (1/(K−1))·Σ_{j≠i} R_j of the K completions of each prompt (AH, RLOO; Kool et al. 2019).

    The siblings' mean does not depend on y_i, so the gradient stays unbiased. K must be at least 2.
    """
    num_completions = scores.shape[1]
    siblings = (scores.sum(dim=1, keepdim=True) - scores) / (num_completions - 1)
    return scores - siblings


def group_normalised_advantages(scores: Float[Tensor, "prompts completions"]) -> Float[Tensor, "prompts completions"]:
    """A_i = (r_i − mean(r))/std(r) of each prompt's completions (DSM §4.1.2, outcome supervision).

    DSM prints no denominator of the deviation; this one is the sample's, over K − 1, plus 1e-4. A group whose scores
    are one and the same has advantages of 0.
    """
    deviations = scores.std(dim=1, keepdim=True)
    return (scores - scores.mean(dim=1, keepdim=True)) / (deviations + _DEVIATION_FLOOR)


def completion_log_ratios(
    logprobs: Float[Tensor, "batch length"],
    old_logprobs: Float[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
) -> Float[Tensor, "batch 1"]:
    """log(π(y|x)/π_old(y|x)) of whole completions, as rows of one action each."""
    return sum_over_tokens(logprobs - old_logprobs, mask)[:, None]


def completion_losses(
    log_ratios: Float[Tensor, "batch 1"], advantages: Float[Tensor, " batch"], *, clip_range: float
) -> Float[Tensor, " batch"]:
    """max(−A·ρ, −A·clip(ρ, 1−ε, 1+ε)) of every completion as one action, ρ = π(y|x)/π_old(y|x).

    In an update's first step ρ is 1 and the gradient is −A·∇log π(y|x), AH's REINFORCE; the clip is PPO's, for the
    steps after it.
    """
    return policy_losses(log_ratios, torch.zeros_like(log_ratios), advantages[:, None], clip_range=clip_range)[:, 0]


def group_relative_losses(
    logprobs: Float[Tensor, "batch length"],
    old_logprobs: Float[Tensor, "batch length"],
    ref_logprobs: Float[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
    advantages: Float[Tensor, " batch"],
    *,
    clip_range: float,
    kl_coef: float,
    weights: Float[Tensor, "batch length"] | None = None,
) -> Float[Tensor, " batch"]:
    """(1/|y|)·Σ_t [max(−A·ρ_t, −A·clip(ρ_t, 1−ε, 1+ε)) + β·k3_t] of every completion (DSM Eq. 3 and 4, as a loss).

    ρ_t = π/π_old of one token; k3_t is of the policy as it is trained, so the KL has a gradient here. `weights`
    multiply the first term alone.
    """
    clipped = policy_losses(logprobs, old_logprobs, advantages[:, None].expand_as(logprobs), clip_range=clip_range)
    clipped = clipped if weights is None else weights * clipped
    losses = clipped + kl_coef * kl_k3(logprobs, ref_logprobs)
    return sum_over_tokens(losses, mask) / mask.sum(dim=1)


def value_losses(
    values: Float[Tensor, "batch length"],
    old_values: Float[Tensor, "batch length"],
    returns: Float[Tensor, "batch length"],
    *,
    clip_range: float,
) -> Float[Tensor, "batch length"]:
    """½ max((V − ret)², (clip(V, V_old ± ε) − ret)²) of every token (LMHP `loss`, the factor ½ included)."""
    clipped = old_values + (values - old_values).clamp(-clip_range, clip_range)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())


def sum_over_tokens(x: Float[Tensor, "batch length"], mask: Bool[Tensor, "batch length"]) -> Float[Tensor, " batch"]:
    """The sum of each row's real tokens."""
    return torch.where(mask, x, 0.0).sum(dim=1)


def masked_mean(
    x: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"], *, total: int | None = None
) -> Float[Tensor, ""]:
    """Σ_mask x / total, `total` being the number of True unless given.

    Give the whole minibatch's number where `x` is one microbatch of it: the parts then add up to the
    exact mean of the whole, which a mean of means is not where lengths differ.
    """
    count = mask.sum() if total is None else total
    return torch.where(mask, x, 0.0).sum() / count


def explained_variance(
    values: Float[Tensor, "batch length"],
    returns: Float[Tensor, "batch length"],
    mask: Bool[Tensor, "batch length"],
) -> Float[Tensor, ""]:
    """1 − Var[returns − values]/Var[returns] over real tokens: 1 is perfect, 0 is as good as a constant."""
    residuals = (returns - values)[mask]
    return 1 - residuals.var(correction=0) / returns[mask].var(correction=0)


def adapt_kl_coef(kl_coef: float, kl: float, *, target: float, gain: float) -> float:
    """β ← β(1 + gain·e), e = clip((KL − target)/target, ±0.2), KL in nats per completion (ZG Eq. 4).

    Two gains are in print: the paper's 0.1 (`KL_PAPER_GAIN`) and its code's batch/horizon
    (`horizon_gain`). The PPO loop uses the code's, which is independent of the batch size.
    """
    error = min(max((kl - target) / target, -KL_ERROR_CLIP), KL_ERROR_CLIP)
    return kl_coef * (1 + gain * error)


def horizon_gain(num_rollouts: int, horizon: int) -> float:
    """The gain of LMHP's `AdaptiveKLController`: rollouts of one update over the horizon, both in episodes."""
    return num_rollouts / horizon


def average_weights(
    average: Float[Tensor, "*shape"], weights: Float[Tensor, "*shape"], *, decay: float
) -> Float[Tensor, "*shape"]:
    """One step of an exponential moving average: decay·average + (1 − decay)·weights (IG C.4: 0.992)."""
    return average * decay + weights * (1 - decay)
