"""RLOO against a reward model, with a KL penalty to the policy's own start; GRPO by --advantage group-normalised.

Every update: sample several completions of each of some prompts; score them; give each the advantage it has over its
siblings, which are the baseline in place of a value model; train the policy on them in minibatches; log; save. The
formulas are in `policy.objective` (Ahmadian et al. 2024; Shao et al. 2024), the options in `policy.rloo_config`, the
numbers logged in `records.metrics`. Killed at any moment, --resume goes on to bit-identical weights (CPU, same
threads). On several GPUs: torchrun --nproc-per-node GPUS -m policy.rloo, which shares out every update.
"""

import time
from dataclasses import replace
from typing import Any

import torch

from language.activation_checkpointing import checkpoint_activations
from language.chat import end_token_id
from language.checkpoints import load_causal_lm
from language.commandline import run
from language.optimization import build_adamw, build_schedule
from language.parallel import ALONE, Sharing
from language.progress import Progress
from language.repeating import keep_options
from language.stop_ids import hidden_ids
from language.training_state import TrainingState, load_latest_training_state, save_training_state
from policy import objective
from policy.ensembles import FrozenRewardModel, load_frozen
from policy.group_steps import GroupLearner, GroupTargets, advantages_of, take_step
from policy.learner import PolicyLearner
from policy.looks import look
from policy.material import Material, require_context
from policy.metrics import level_share, mean_of_steps, nothing_ended, peak_memory_mb, scored_metrics, time_metrics
from policy.minibatches import plan_epochs
from policy.prompts import draw
from policy.publishing import require_room
from policy.rloo_config import RlooConfig, require_options
from policy.rollout import collect_rollouts, require_finite_rollouts, score_rollouts
from policy.rollout_program import begin, publish
from rewardmodel.metrics import MetricsLog
from rewardmodel.publishing import STATES

# What the progress line shows of an update.
_SHOWN = ("reward", "score", "kl", "completion_tokens", "seconds")


def main(config: RlooConfig) -> None:
    """Read everything and refuse what is wrong; only then train and publish."""
    require_options(config)
    begun = begin(config)
    if begun is None:
        return
    learner = build_learner(config, begun.device, longest_prompt=begun.material.prompts.longest, sharing=begun.sharing)
    if begun.sharing.is_main:
        keep_options(config, program="policy.rloo")
    require_room(config.work_directory, [learner.policy.model])
    outcome = train(learner, begun.material, config, begun.identity, begun.sharing)
    publish(config, begun, method="rloo", model=learner.policy.model, outcome=outcome)


def train(
    learner: GroupLearner, material: Material, config: RlooConfig, identity: dict[str, Any], sharing: Sharing = ALONE
) -> dict[str, Any]:
    """The loop. Leaves in the policy what is to be published; returns the last update's metrics and all looks."""
    policy = learner.policy
    state = make_state(learner, identity)
    if config.resume:
        load_latest_training_state(config.work_directory / STATES, state, sharing=sharing)
    log = MetricsLog(config.work_directory, state.step) if sharing.is_main else None
    num_prompts = config.rollouts_per_update // config.completions_per_prompt
    after = config.updates / 50  # to merge, to write and to hash what is published
    with Progress(
        config.updates, description="rloo", unit="updates", done=state.step, after=after, tells=sharing.is_main
    ) as progress:
        if (
            state.step == 0
            and (seen := look(policy, learner.rewards, material, config, state, progress, sharing))
            and log
        ):
            log.write({"step": 0, **seen})
        while state.step < config.updates:
            clock = [time.monotonic()]

            # Collect rollouts under the current policy.
            rollouts = collect_rollouts(
                policy.model,
                draw(material.prompts.prompts, start=state.step * num_prompts, count=num_prompts, seed=config.seed),
                num_completions=config.completions_per_prompt,
                params=config.sampling_params(state.step),
                end_token_id=end_token_id(material.tokenizer),
                hidden_ids=hidden_ids(material.tokenizer),
                precision=config.precision,
                sharing=sharing,
                source=material.source,
                update=state.step,
            )
            clock.append(time.monotonic())

            # Score: log-probabilities under policy and reference, scores; cut as the first epoch trains.
            epochs = plan_epochs(rollouts, material.mixed_in, config, state.step)
            scored = score_rollouts(
                policy,
                learner.rewards,
                rollouts,
                pieces=[piece for step in epochs[0] for piece in step.minibatch],
                temperature=config.temperature,
                precision=config.precision,
                sharing=sharing,
                ensemble=material.ensemble,
            )
            ended = rollouts.ended
            if config.length_only_tokens:
                scored = replace(scored, scores=objective.length_scores(rollouts.mask, config.length_only_tokens))
                ended = torch.ones_like(ended)  # it knows length only, and not whether an end token came
            require_finite_rollouts(scored, state.step + 1)
            clock.append(time.monotonic())

            # Advantages: each completion against its siblings.
            scores = objective.replace_unended_scores(scored.scores, ended, config.missing_end_score)
            penalised = objective.penalised_scores(
                scores, scored.logprobs, scored.ref_logprobs, rollouts.mask, kl_coef=config.kl_coef
            )
            whole = config.advantage == "leave-one-out"  # what the loss has a ratio of: completions, or tokens
            weights = material.source.weights(
                scored.logprobs, rollouts.sampled_logprobs, rollouts.mask, state.step, whole=whole
            )
            targets = GroupTargets(
                old_logprobs=scored.logprobs,
                ref_logprobs=scored.ref_logprobs,
                advantages=advantages_of(scores, penalised, config.completions_per_prompt, config),
                first_pass=scored.first_pass,
            ).weighted(weights)

            # Epochs of minibatches.
            steps = [
                take_step(learner, rollouts, targets, step, config, state.step + 1, sharing)
                for epoch in epochs
                for step in epoch
            ]
            clock.append(time.monotonic())

            # Log.
            metrics = {
                **scored_metrics(scored, rewards=penalised),
                **mean_of_steps(steps),
                **time_metrics(clock, num_tokens=int(rollouts.mask.sum())),
                "level_share": level_share(targets.advantages, config.completions_per_prompt),
                "lr": float(learner.schedule.get_last_lr()[0]),
                "memory_mb": peak_memory_mb(policy.model.device),
            }
            state.step += 1
            is_kept = state.step % config.save_every == 0 or state.step == config.updates
            if is_kept:
                metrics |= look(policy, learner.rewards, material, config, state, progress, sharing)
            if log:
                log.write({"step": state.step, **metrics})
            if metrics["unended_share"] == 1:
                progress.say_once(nothing_ended(config.max_new_tokens))
            progress.advance(1, {name: metrics[name] for name in _SHOWN})

            # Save.
            learner.schedule.step()
            state.facts |= {"metrics": metrics}
            if is_kept:
                save_training_state(config.work_directory / STATES, state, sharing=sharing)
    if log:
        log.close()
    return state.facts


def build_learner(
    config: RlooConfig, device: torch.device, *, longest_prompt: int, sharing: Sharing = ALONE
) -> GroupLearner:
    """The policy with what it starts from, and the reward model. OptionError where rollouts do not fit one of them."""
    dtype = config.trainable.trunk_dtype(config.precision)
    where = sharing.loading_device(device)
    start = load_causal_lm(config.policy, dtype=dtype, device=where)
    reward_model = load_frozen(config.reward, dtype=dtype, device=device, precision=config.precision, sharing=sharing)
    require_context(config, longest_prompt, [start, reward_model.backbone])
    if config.activation_checkpointing:
        checkpoint_activations(start)
    policy = PolicyLearner(start, config.trainable, config.precision, sharing=sharing)
    optimizer = build_adamw(policy.model, lr=config.lr, eps=config.adam_eps)
    schedule = build_schedule(
        optimizer, kind=config.schedule, total_steps=config.updates, warmup_steps=config.warmup_updates
    )
    return GroupLearner(policy, FrozenRewardModel(reward_model), optimizer, schedule)


def make_state(learner: GroupLearner, identity: dict[str, Any]) -> TrainingState:
    """What is saved between updates. No random state is needed: seeds are functions of the update."""
    return TrainingState(
        modules={"policy": learner.policy.model},
        optimizers={"policy": learner.optimizer},
        schedules={"policy": learner.schedule},
        run=identity,
        facts={"metrics": {}, "looks": []},
    )


if __name__ == "__main__":
    run(main, RlooConfig, shares_work=True)
