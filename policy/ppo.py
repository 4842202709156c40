"""PPO against a reward model, with a KL penalty to the policy's own start: InstructGPT's loop in order.

Every update: sample completions of some prompts; score them; turn scores and KL into per-token rewards;
estimate advantages; train policy and value model on them in minibatches; log; save. The formulas are in
`policy.objective`, the options with their sources in `policy.ppo_config`, the numbers logged in
`records.metrics`. Killed at any moment, --resume goes on to bit-identical weights (CPU, same threads). On several
GPUs: torchrun --nproc-per-node GPUS -m policy.ppo, which shares out every update.
"""

import time
from dataclasses import replace
from typing import Any, cast

import torch
from transformers import PreTrainedModel

from language.activation_checkpointing import checkpoint_activations
from language.chat import end_token_id
from language.checkpoints import load_causal_lm
from language.commandline import run
from language.optimization import build_adamw, build_schedule
from language.parallel import ALONE, Sharing
from language.progress import Progress
from language.repeating import keep_options
from language.seeds import derived_seed
from language.stop_ids import hidden_ids
from language.training_state import TrainingState, load_latest_training_state, save_training_state
from policy import objective
from policy.averaging import WeightAverage
from policy.learner import PolicyLearner
from policy.looks import look
from policy.material import Material, require_context
from policy.metrics import mean_of_steps, nothing_ended, peak_memory_mb, rollout_metrics, time_metrics
from policy.minibatches import Learners, Targets, plan_epochs, take_step
from policy.ppo_config import PpoConfig, require_options
from policy.prompts import draw
from policy.publishing import require_room
from policy.rollout import collect_rollouts, measure_rollouts, require_finite_rollouts
from policy.rollout_program import begin, publish
from policy.value import ValueLearner
from rewardmodel.metrics import MetricsLog
from rewardmodel.model import load_reward_model, start_reward_model
from rewardmodel.publishing import STATES

# What the progress line shows of an update.
_SHOWN = ("reward", "score", "kl", "completion_tokens", "seconds")


def main(config: PpoConfig) -> None:
    """Read everything and refuse what is wrong; only then train and publish."""
    require_options(config)
    begun = begin(config)
    if begun is None:
        return
    learners = build_learners(
        config, begun.device, longest_prompt=begun.material.prompts.longest, sharing=begun.sharing
    )
    if begun.sharing.is_main:
        keep_options(config, program="policy.ppo")
    require_room(config.work_directory, [learners.policy.model, learners.value.model])
    outcome = train(learners, begun.material, config, begun.identity, begun.sharing)
    publish(config, begun, method="ppo", model=learners.policy.model, outcome=outcome)


def train(
    learners: Learners, material: Material, config: PpoConfig, identity: dict[str, Any], sharing: Sharing = ALONE
) -> dict[str, Any]:
    """The loop. Leaves in the policy what is to be published; returns the last update's metrics and all looks."""
    policy, value = learners.policy, learners.value
    average = WeightAverage(policy.model) if config.ema_decay else None
    state = make_state(learners, average, config, identity)
    if config.resume:
        load_latest_training_state(config.work_directory / STATES, state, sharing=sharing)
    log = MetricsLog(config.work_directory, state.step) if sharing.is_main else None
    num_prompts = config.rollouts_per_update // config.completions_per_prompt
    after = config.updates / 50  # to merge, to write and to hash what is published
    with Progress(
        config.updates, description="ppo", unit="updates", done=state.step, after=after, tells=sharing.is_main
    ) as progress:
        if state.step == 0 and (seen := look(policy, value, material, config, state, progress, sharing)) and log:
            log.write({"step": 0, **seen})
        while state.step < config.updates:
            kl_coef = float(state.facts["kl_coef"])
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

            # Score: log-probabilities under policy and reference, values, scores; cut as the first epoch trains.
            epochs = plan_epochs(rollouts, material.mixed_in, config, state.step)
            measured = measure_rollouts(
                policy,
                value,
                rollouts,
                pieces=[piece for step in epochs[0] for piece in step.minibatch],
                temperature=config.temperature,
                precision=config.precision,
                sharing=sharing,
                ensemble=material.ensemble,
            )
            ended = rollouts.ended
            if config.length_only_tokens:
                scores = objective.length_scores(rollouts.mask, config.length_only_tokens)
                measured = replace(measured, scores=scores)
            if config.length_only_tokens or config.keep_unended_scores:  # whether an end token came counts for nothing
                ended = torch.ones_like(ended)
            require_finite_rollouts(measured, state.step + 1)
            clock.append(time.monotonic())

            # Per-token rewards, advantages.
            rewards = objective.reward_tokens(
                objective.replace_unended_scores(measured.scores, ended, config.missing_end_score),
                measured.logprobs,
                measured.ref_logprobs,
                rollouts.mask,
                kl_coef=kl_coef,
            )
            advantages, returns = objective.estimate_advantages(
                rewards, measured.values, rollouts.mask, discount=config.discount, gae_lambda=config.gae_lambda
            )
            if config.whiten_advantages:
                advantages = objective.whiten(advantages, rollouts.mask)
            weights = material.source.weights(measured.logprobs, rollouts.sampled_logprobs, rollouts.mask, state.step)
            targets = Targets(
                old_logprobs=measured.logprobs,
                old_values=measured.values,
                advantages=weights * advantages,
                returns=returns,
                first_pass=measured.first_pass,
            )

            # Epochs of minibatches.
            steps = [
                take_step(learners, rollouts, targets, step, config, state.step + 1, sharing)
                for epoch in epochs
                for step in epoch
            ]
            if average is not None:
                average.update(policy.model, decay=config.ema_decay)
            clock.append(time.monotonic())

            # Log.
            metrics = {
                **rollout_metrics(measured, rewards=rewards, returns=returns),
                **mean_of_steps(steps),
                **time_metrics(clock, num_tokens=int(rollouts.mask.sum())),
                "kl_coef": kl_coef,
                "lr": float(learners.policy_schedule.get_last_lr()[0]),
                "value_lr": float(learners.value_schedule.get_last_lr()[0]),
                "memory_mb": peak_memory_mb(policy.model.device),
            }
            state.step += 1
            is_kept = state.step % config.save_every == 0 or state.step == config.updates
            if is_kept:
                metrics |= look(policy, value, material, config, state, progress, sharing)
            if log:
                log.write({"step": state.step, **metrics})
            if metrics["unended_share"] == 1:
                progress.say_once(nothing_ended(config.max_new_tokens))
            progress.advance(1, {name: metrics[name] for name in _SHOWN})

            # Save.
            learners.policy_schedule.step()
            learners.value_schedule.step()
            state.facts |= {"kl_coef": next_kl_coef(kl_coef, metrics["kl"], config), "metrics": metrics}
            if is_kept:
                save_training_state(config.work_directory / STATES, state, sharing=sharing)
    if log:
        log.close()
    if average is not None:
        average.copy_into(policy.model)
    return state.facts


def next_kl_coef(kl_coef: float, kl: float, config: PpoConfig) -> float:
    """β of the next update: the same, or moved by the form of LMHP's code towards the target."""
    if not config.adaptive_kl:
        return kl_coef
    gain = objective.horizon_gain(config.rollouts_per_update, config.kl_horizon)
    return objective.adapt_kl_coef(kl_coef, kl, target=config.kl_target, gain=gain)


def build_learners(
    config: PpoConfig, device: torch.device, *, longest_prompt: int, sharing: Sharing = ALONE
) -> Learners:
    """Both networks with what they start from. OptionError where rollouts do not fit one of them."""
    trainable = config.trainable
    dtype = trainable.trunk_dtype(config.precision)
    where = sharing.loading_device(device)
    start = load_causal_lm(config.policy, dtype=dtype, device=where)
    reward_model = load_reward_model(config.reward, dtype=dtype, device=where)
    require_context(config, longest_prompt, [start, reward_model.backbone])
    value_start = None
    if config.value_init == "policy":
        seed = derived_seed(config.seed, "value head")
        value_start = start_reward_model(config.policy, seed=seed, dtype=dtype, device=where)
    if config.activation_checkpointing:
        checkpoint_activations(start)
        checkpoint_activations(cast(PreTrainedModel, (value_start or reward_model).backbone))
    policy = PolicyLearner(start, trainable, config.precision, sharing=sharing)
    value = ValueLearner(reward_model, trainable, config.precision, start=value_start, sharing=sharing)
    policy_optimizer = build_adamw(policy.model, lr=config.lr, eps=config.adam_eps)
    value_optimizer = build_adamw(value.model, lr=config.value_lr, eps=config.adam_eps)
    return Learners(
        policy,
        value,
        policy_optimizer,
        value_optimizer,
        *(
            build_schedule(
                optimizer, kind=config.schedule, total_steps=config.updates, warmup_steps=config.warmup_updates
            )
            for optimizer in (policy_optimizer, value_optimizer)
        ),
    )


def make_state(
    learners: Learners, average: WeightAverage | None, config: PpoConfig, identity: dict[str, Any]
) -> TrainingState:
    """What is saved between updates. No random state is needed: seeds are functions of the update."""
    modules = {"policy": learners.policy.model, "value": learners.value.model}
    return TrainingState(
        modules=modules | ({"average": average} if average is not None else {}),
        optimizers={"policy": learners.policy_optimizer, "value": learners.value_optimizer},
        schedules={"policy": learners.policy_schedule, "value": learners.value_schedule},
        run=identity,
        facts={"kl_coef": config.kl_coef, "metrics": {}, "looks": []},
    )


if __name__ == "__main__":
    run(main, PpoConfig, shares_work=True)
