"""The formulas of PPO for language models: tensors in, tensors out, one function a formula.

Knows no model, no configuration and no device. Everywhere: a row is one completion, a column one
of its tokens; True in a mask marks a token that the policy emitted, its end token included; what
lies under False is never read, whatever it is.

Sources: IG = InstructGPT (Ouyang et al. 2022, arXiv 2203.02155); ZG = Ziegler et al. 2019
(arXiv 1909.08593); LMHP = openai/lm-human-preferences, `train_policy.py`; GAE = Schulman et al.
2015 (arXiv 1506.02438); PPO = Schulman et al. 2017 (arXiv 1707.06347); KLA = Schulman 2020,
"Approximating KL divergence".
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# ZG §2.2, Eq. 4: the controller's error is clipped to this, its gain is the K_β = 0.1 printed there.
KL_ERROR_CLIP = 0.2
KL_PAPER_GAIN = 0.1


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
