"""One batch of RLOO and of GRPO beside trl's trainers: the same advantages, the same loss, the same gradients."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from language.checkpoints import load_causal_lm, load_tokenizer
from language.generation import Sampled
from policy.ensembles import FrozenRewardModel
from policy.group_steps import GroupTargets, add_gradients, advantages_of
from policy.learner import PolicyLearner, Trainable
from policy.objective import penalised_scores
from policy.prompts import TokenizedPrompt
from policy.rloo_config import Advantage, RlooConfig
from policy.rollout import Rollouts, arrange, score_rollouts
from rewardmodel.model import start_reward_model
from tests.policy.factories import make_prompt

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
trl = pytest.importorskip("trl", reason="trl is not installed; it is a package of development")

KL_COEF = 0.1
SCORES = [1.0, -0.5, 2.0, 0.25, 0.5, 0.5, -1.0, 3.0]
PROMPTS = [(5, 9, 14), (7, 8, 21, 30, 12)]
LENGTHS = [3, 5, 2, 4, 6, 1, 5, 3]


@dataclass
class Outcome:
    """What a side says of the batch."""

    advantages: torch.Tensor
    loss: float
    gradients: dict[str, torch.Tensor]


def make_rollouts(end_token_id: int) -> Rollouts:
    """Two prompts of four completions each, of unlike lengths, with end tokens."""
    generator = torch.Generator().manual_seed(0)
    drawn = [[*torch.randint(5, 200, (n,), generator=generator).tolist(), end_token_id] for n in LENGTHS]
    sampled = [Sampled(ids, [0.0] * len(ids), "stop") for ids in drawn]
    prompts = [TokenizedPrompt(make_prompt(id=f"p-{i}"), ids) for i, ids in enumerate(PROMPTS)]
    return arrange(prompts, [sampled[:4], sampled[4:]], end_token_id=end_token_id, hidden_ids=frozenset({end_token_id}))


def move(model: nn.Module, seed: int) -> None:
    """The same small step of every weight on either side."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator))


def ours(policy: Path, rollouts: Rollouts, advantage: Advantage) -> Outcome:
    """Scored by a policy that has moved from its reference, stepped by one that has moved again."""
    config = RlooConfig(
        policy=policy, reward=policy, prompts=policy, out=policy, advantage=advantage, kl_coef=KL_COEF, device="cpu"
    )
    learner = PolicyLearner(load_causal_lm(policy), Trainable())
    move(learner.model, 1)
    rewards = FrozenRewardModel(start_reward_model(policy, seed=0))
    pieces = rollouts.pieces(len(rollouts.completions))
    scored = score_rollouts(learner, rewards, rollouts, pieces=pieces, temperature=1.0, precision="fp32")
    scores = torch.tensor(SCORES)
    penalised = penalised_scores(scores, scored.logprobs, scored.ref_logprobs, rollouts.mask, kl_coef=KL_COEF)
    advantages = advantages_of(scores, penalised, 4, config)
    move(learner.model, 2)
    targets = GroupTargets(scored.logprobs, scored.ref_logprobs, advantages)
    metrics = add_gradients(learner, rollouts, targets, pieces, [], replace(config))
    return Outcome(advantages, metrics["policy_loss"], gradients_of(learner.model))


def theirs(policy: Path, rollouts: Rollouts, advantage: Advantage, folder: Path) -> Outcome:
    """The same by trl's trainer, whose completions are given to it; what it makes of them is its own."""
    from datasets import Dataset

    options: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 8,
        "beta": KL_COEF,
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "report_to": "none",
        "num_iterations": 2,
        "gradient_accumulation_steps": 1,
    }
    name = "RLOO" if advantage == "leave-one-out" else "GRPO"
    if name == "GRPO":
        options |= {"loss_type": "grpo", "use_bias_correction_kl": False}  # as printed
    trainer = getattr(trl, f"{name}Trainer")(
        model=load_causal_lm(policy),
        args=getattr(trl, f"{name}Config")(**options),
        reward_funcs=lambda completions, **_: SCORES,
        train_dataset=Dataset.from_list([{"prompt": "Hello!"}] * 8),
        processing_class=load_tokenizer(policy),
    )
    move(trainer.model, 1)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1  # as of a training that has begun
    prompts = [list(prompt.token_ids) for prompt in rollouts.prompts for _ in range(4)]
    answers = [list(ids) for ids in rollouts.completions]
    given = (prompts, answers, ["…"] * 8)
    if name == "GRPO":
        given = (prompts, answers, None, ["…"] * 8, None, {}, None, [])  # type: ignore[assignment]
    trainer._generate = lambda *_, **__: given
    inputs = trainer._generate_and_score_completions([{"prompt": "Hello!"}] * 8)
    move(trainer.model, 2)
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    return Outcome(inputs["advantages"], float(loss.detach()), gradients_of(trainer.model))


def gradients_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("advantage", ["leave-one-out", "group-normalised"])
def test_advantages_loss_and_gradients_are_trls(tiny_policy: Path, tmp_path: Path, advantage: Advantage) -> None:
    end_token_id = load_tokenizer(tiny_policy).eos_token_id
    rollouts = make_rollouts(end_token_id)
    mine = ours(tiny_policy, rollouts, advantage)
    other = theirs(tiny_policy, rollouts, advantage, tmp_path)
    torch.testing.assert_close(mine.advantages, other.advantages, atol=1e-5, rtol=1e-5)
    assert mine.loss == pytest.approx(other.loss, abs=1e-5)
    assert set(mine.gradients) == set(other.gradients)
    for name, gradient in mine.gradients.items():
        torch.testing.assert_close(
            gradient, other.gradients[name], atol=1e-5, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert max(float(gradient.abs().max()) for gradient in mine.gradients.values()) > 1e-2
