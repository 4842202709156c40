"""The first update of PPO, begun by hand, for tests that look into its steps."""

from collections.abc import Callable
from typing import Any

import torch

from language.chat import end_token_id
from language.stop_ids import hidden_ids
from policy.material import load_material
from policy.minibatches import Learners, Targets
from policy.objective import estimate_advantages, reward_tokens, whiten
from policy.ppo import build_learners
from policy.ppo_config import PpoConfig
from policy.rollout import MeasuredRollouts, Rollouts, collect_rollouts, measure_rollouts

CPU = torch.device("cpu")


def begin(config: PpoConfig) -> tuple[Learners, Rollouts, Targets]:
    """Learners, rollouts and targets as the first update has them before its first step."""
    torch.manual_seed(config.seed)
    material = load_material(config, CPU)
    learners = build_learners(config, CPU, longest_prompt=material.prompts.longest)
    rollouts = collect_rollouts(
        learners.policy.model,
        material.prompts.prompts,
        num_completions=4,
        params=config.sampling_params(0),
        end_token_id=end_token_id(material.tokenizer),
        hidden_ids=hidden_ids(material.tokenizer),
        precision=config.precision,
    )
    measured = measure(learners, rollouts)
    rewards = reward_tokens(
        measured.scores, measured.logprobs, measured.ref_logprobs, rollouts.mask, kl_coef=config.kl_coef
    )
    advantages, returns = estimate_advantages(rewards, measured.values, rollouts.mask, discount=1.0, gae_lambda=0.95)
    targets = Targets(measured.logprobs, measured.values, whiten(advantages, rollouts.mask), returns)
    return learners, rollouts, targets


def measure(learners: Learners, rollouts: Rollouts) -> MeasuredRollouts:
    return measure_rollouts(
        learners.policy, learners.value, rollouts, pieces=rollouts.pieces(4), temperature=1.0, precision="fp32"
    )


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def dying_after(function: Callable[..., Any], *calls: int) -> Callable[..., Any]:
    """`function`, but interrupted at these calls (counted over all its lives)."""
    count = 0

    def dying(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count in calls:
            raise KeyboardInterrupt
        return function(*arguments)

    return dying
