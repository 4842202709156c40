"""Train a reward model on an export of rankings: InstructGPT §3.5 and App. C.2, told in order.

Batches of whole rankings in seeded order, each completion forwarded once, the mean over pairs within a
ranking and over rankings; then normalisation, figures on the validation split, and one published
directory. Killed at any moment, --resume goes on to bit-identical weights (CPU, same threads). On several
GPUs: torchrun --nproc-per-node GPUS -m rewardmodel.train, which shares out every batch (docs/sharding.md).
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel

from language.activation_checkpointing import checkpoint_activations
from language.checkpoints import load_tokenizer
from language.commandline import autocast, run
from language.optimization import build_adamw, build_schedule, clip_gradients
from language.parallel import ALONE, Sharing, begin_sharing, weight_of
from language.progress import Progress, begin_stage
from language.reading import say_read
from language.repeating import keep_options
from language.training_state import TrainingState, load_latest_training_state, save_training_state
from rewardmodel.comparisons import Comparison, RankingPairs, batches, microbatches, pairs_of
from rewardmodel.debiasing import LengthExpert, fit_length_expert
from rewardmodel.evaluate import NUM_CORRUPTED, evaluate_rankings, summarise
from rewardmodel.evaluation import Evaluation, validation_figures
from rewardmodel.features import States, load_states
from rewardmodel.limits import set_limits
from rewardmodel.loss import ranking_losses
from rewardmodel.material import Material, load_material
from rewardmodel.metrics import TRAINING_FIGURES, MetricsLog
from rewardmodel.model import RewardModel, context_of, start_reward_model
from rewardmodel.normalisation import normalise
from rewardmodel.parameters import choose_parameters, merge_adapters
from rewardmodel.placing import place_reward_model, whole_reward_model
from rewardmodel.publishing import STATES, directory_sha256, is_published, make_facts, publish, require_room
from rewardmodel.scoring import scores_of
from rewardmodel.statistics import correctness
from rewardmodel.stopping import require_finite, stopping_without_memory
from rewardmodel.train_config import TrainConfig, require_options

# What may differ between the parts of an interrupted run.
_NOT_IDENTITY = {
    "data",
    "model",
    "out",
    "work",
    "demonstrations",
    "resume",
    "device",
    "save_every",
    "evaluate_every",
    "activation_checkpointing",
    "sharding",
}


def main(config: TrainConfig) -> None:
    """Read everything and refuse what is wrong; only then train, normalise, evaluate, publish."""
    require_options(config)
    begin_stage("loading")
    sharing = begin_sharing(config.sharding)
    torch.manual_seed(config.seed)
    tokenizer = load_tokenizer(config.model)
    where = sharing.loading_device(sharing.device(config.device))
    model = start_reward_model(config.model, seed=config.seed, device=where)
    material = load_material(
        config.data,
        tokenizer,
        max_tokens=min(config.max_tokens or sys.maxsize, context_of(model.backbone)),
        demonstrations=config.demonstrations,
        validation_fraction=config.validation_fraction,
        split_by=config.split_by,
        seed=config.seed,
        max_records=config.max_records,
        weighs_trainers=config.weigh_trainers,
    )
    say_what_was_read(material, config)
    identity = run_identity(config, material)
    if is_published(config.out, identity, may_be=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return
    sharing.require_members(len(material.comparisons), f"comparisons to learn from in {config.data}")
    sharing.require_members(config.batch_size, "comparisons of a batch (--batch-size)")
    if sharing.is_main:
        keep_options(config, program="rewardmodel.train")
    if config.activation_checkpointing:
        checkpoint_activations(cast(PreTrainedModel, model.backbone))
    choose_parameters(
        model,
        lora_rank=config.lora_rank if config.lora else None,
        last_layers=config.train_last_layers,
        head_only=config.probe,
    )
    require_room(config.work_directory, model)
    place_reward_model(sharing, model)
    expert = fit_length_expert(material.comparisons) if config.length_debias else None
    states = cache_states(model, material, identity, config, sharing) if config.probe else None
    learner = Learner(config, sharing, expert, states)
    train(
        model,
        material.comparisons,
        learner,
        identity,
        lambda: validate(model, tokenizer, material, config, num_corrupted=0),
        after=steps_after(material, config),
    )
    whole = whole_reward_model(sharing, model)
    if whole is None:
        return
    model = whole.eval().to(sharing.device(config.device))  # from main memory, where its parts were put together
    begin_stage("normalising")
    merge_adapters(model)
    with autocast(model.device, config.precision):
        normalisation = normalise(model, material.references, token_budget=config.microbatch_tokens)
    begin_stage("evaluating")
    evaluation = validate(model, tokenizer, material, config, num_corrupted=NUM_CORRUPTED)
    begin_stage("publishing")
    facts = make_facts(config.out.name, config.model.name, identity, material, normalisation, evaluation)
    facts["num_processes"] = sharing.count
    publish(config.out, config.work_directory, model, tokenizer, facts, evaluation)
    if evaluation is not None:
        print(f"validation split of {config.data}")
        print(summarise(evaluation))


@dataclass(frozen=True)
class Learner:
    """What a step needs besides model and batch. `states` are those of a frozen trunk, where only the head learns."""

    config: TrainConfig
    sharing: Sharing = ALONE
    length_expert: LengthExpert | None = None
    states: States | None = None

    def scores(self, model: RewardModel, piece: Sequence[Comparison]) -> Float[Tensor, " completions"]:
        """Scores with gradients."""
        return scores_of(model, piece) if self.states is None else model.values_of(self.states.of(piece, model.device))

    def losses(
        self, scores: Float[Tensor, " completions"], piece: Sequence[Comparison], pairs: RankingPairs
    ) -> Float[Tensor, " rankings"]:
        """The loss of each ranking times its weight; with soft labels, of each comparison."""
        margin = self.config.margin_per_tier * pairs.tier_gaps.to(scores.dtype)
        if self.length_expert is not None:
            margin = margin - self.length_expert.logits(piece, pairs.pairs).to(scores)
        losses = ranking_losses(
            scores, pairs.pairs, pairs.ranking_of_pair, pairs.num_rankings, margin, pairs.probabilities.to(scores)
        )
        return losses * pairs.weights.to(losses)


def train(
    model: RewardModel,
    comparisons: Sequence[Comparison],
    learner: Learner,
    identity: dict[str, Any],
    judge: Callable[[], Evaluation | None],
    *,
    after: float = 0.0,
) -> None:
    """The loop: every epoch's batches in seeded order, an optimizer step each, a state every few.

    `judge` evaluates the model as it is, where that is asked for along the way.
    """
    config, sharing = learner.config, learner.sharing
    plan = [
        batches(comparisons, batch_size=config.batch_size, seed=config.seed, epoch=epoch)
        for epoch in range(config.epochs)
    ]
    if config.max_steps:
        plan = _first_steps(plan, config.max_steps)
    total_steps = sum(map(len, plan))
    optimizer = build_adamw(model, lr=config.lr, betas=(0.9, 0.95), weight_decay=config.weight_decay)
    schedule = build_schedule(optimizer, kind="cosine", total_steps=total_steps)
    state = TrainingState({"model": model}, {"adam": optimizer}, {"lr": schedule}, run=identity)
    states = config.work_directory / STATES
    if config.resume:
        load_latest_training_state(states, state, sharing=sharing)
    log = MetricsLog(config.work_directory, state.step) if sharing.is_main else None
    with Progress(
        total_steps,
        description="reward model",
        done=state.step,
        after=after,
        called=TRAINING_FIGURES,
        tells=sharing.is_main,
    ) as progress:
        for epoch in range(state.epoch, config.epochs):
            state.epoch = epoch
            for batch in plan[epoch][state.position :]:
                lr = float(schedule.get_last_lr()[0])
                metrics = take_step(model, optimizer, batch, learner, state.step)
                schedule.step()
                state.step += 1
                state.position += 1
                progress.advance(1, metrics)
                if log:
                    log.write({"step": state.step, "epoch": epoch, "lr": lr, **metrics})
                is_due = config.evaluate_every and state.step % config.evaluate_every == 0
                if is_due and (log or sharing.is_sharded):  # what is shared out only all together can ask
                    figures = validation_figures(judge())
                    if log:
                        log.board(state.step, figures)
                if state.step % config.save_every == 0 and state.step < total_steps:
                    save_training_state(states, state, sharing=sharing)
            state.epoch, state.position = epoch + 1, 0
        save_training_state(states, state, sharing=sharing)
        if log:
            log.close()


def _first_steps(plan: list[list[list[Comparison]]], most: int) -> list[list[list[Comparison]]]:
    """The batches of every epoch, cut after the first `most` of all."""
    before = [sum(map(len, plan[:epoch])) for epoch in range(len(plan))]
    return [epoch[: max(0, most - done)] for epoch, done in zip(plan, before, strict=True)]


def steps_after(material: Material, config: TrainConfig) -> float:
    """What comes after the last step, in steps: scoring is about a third of learning from as many texts."""
    num_scored = len(material.references) + len(material.validation)
    return 1 + num_scored / (3 * config.batch_size)


def take_step(
    model: RewardModel, optimizer: torch.optim.Optimizer, batch: list[Comparison], learner: Learner, step: int
) -> dict[str, float]:
    """One optimizer step on one batch, in pieces that fit memory. TrainingStopped where a number is not finite.

    Of several processes each takes its share of the pieces, and the gradients are added up.
    """
    config, sharing = learner.config, learner.sharing
    started = time.monotonic()
    num_rankings = sum(1 if config.soft_labels else len(comparison.tiers) for comparison in batch)
    totals = torch.zeros(3, dtype=torch.float64)  # loss, pairs in order, pairs
    optimizer.zero_grad(set_to_none=True)
    budget = sharing.budget(config.microbatch_tokens, sum(comparison.num_tokens for comparison in batch))
    for piece in sharing.pieces_of(microbatches(batch, token_budget=budget)):
        pairs = pairs_of(piece, model.device, soft_labels=config.soft_labels)
        with stopping_without_memory(piece, step):
            with autocast(model.device, config.precision):
                scores = learner.scores(model, piece)
            share = learner.losses(scores, piece, pairs).sum() / num_rankings * weight_of(piece)
            if sharing.count == 1:
                require_finite(share.item(), "the loss", piece, step)
            share.backward()  # type: ignore[no-untyped-call]
        if not weight_of(piece):
            continue
        found = scores.detach()
        right = correctness(found[pairs.pairs[:, 0]] - found[pairs.pairs[:, 1]])
        totals += torch.tensor([share.item(), float(right.sum()), len(right)], dtype=torch.float64)
    loss, right_pairs, num_pairs = sharing.add_up(totals).tolist()
    require_finite(loss, "the loss", batch, step)  # of all processes alike, so that none waits for another
    sharing.add_gradients(model)
    norm = clip_gradients(model, max_norm=config.max_grad_norm)
    require_finite(norm, "the gradient's norm", batch, step)
    optimizer.step()
    seconds = time.monotonic() - started
    return {
        "loss": loss,
        "accuracy": right_pairs / num_pairs,
        "grad_norm": norm,
        "seconds": seconds,
        "comparisons_per_second": len(batch) / seconds,
        "tokens_per_second": sum(comparison.num_tokens for comparison in batch) / seconds,
    }


def validate(
    model: RewardModel, tokenizer: Any, material: Material, config: TrainConfig, *, num_corrupted: int
) -> Evaluation | None:
    """Figures on the validation split; None where it is empty."""
    if not material.validation:
        return None
    with autocast(model.device, config.precision):
        evaluation, _ = evaluate_rankings(
            model,
            tokenizer,
            material.validation,
            token_budget=config.microbatch_tokens,
            num_corrupted=num_corrupted,
            seed=config.seed,
        )
    return evaluation


def say_what_was_read(material: Material, config: TrainConfig) -> None:
    """A sentence for the rankings, and one for the demonstrations to normalise over, where there are any."""
    used = {"to learn from": len(material.training), "held out": len(material.validation)}
    limit = f"--max-tokens {config.max_tokens}" if config.max_tokens else "the model's context"
    say_read(config.data, "rankings", used, {**material.left_out, "other_split": material.num_other_split}, limit=limit)
    if config.demonstrations is not None:
        say_read(config.demonstrations, "demonstrations", {"to normalise over": len(material.references)})


def cache_states(
    model: RewardModel, material: Material, identity: dict[str, Any], config: TrainConfig, sharing: Sharing = ALONE
) -> States:
    """The states of all comparisons under the untrained trunk, from an earlier run's file where that fits."""
    key = f"{identity['base']}/{identity['data']}/{config.max_tokens}/{config.precision}"
    with autocast(model.device, config.precision):
        return load_states(
            config.work_directory,
            key,
            model,
            material.comparisons,
            token_budget=config.microbatch_tokens,
            sharing=sharing,
        )


def run_identity(config: TrainConfig, material: Material) -> dict[str, Any]:
    """What makes two runs the same run: data, base model and every option that moves the result."""
    given = set_limits(asdict(config).items())
    options = {name: value for name, value in given.items() if name not in _NOT_IDENTITY}
    return {
        "data": material.source.sha256,
        "demonstrations": material.demonstrations_sha256,
        "base": directory_sha256(config.model),
        **options,
    }


if __name__ == "__main__":
    run(main, TrainConfig, shares_work=True)
