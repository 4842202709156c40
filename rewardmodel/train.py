"""Train a reward model on an export of rankings: InstructGPT §3.5 and App. C.2, told in order.

Batches of whole rankings in seeded order, each completion forwarded once, the mean over pairs within a
ranking and over rankings; then normalisation, figures on the validation split, and one published
directory. Killed at any moment, --resume goes on to bit-identical weights (CPU, same threads).
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from language.checkpoints import load_tokenizer
from language.optimization import build_adamw, build_schedule, clip_gradients
from language.progress import Progress
from language.training_state import TrainingState, load_latest_training_state, save_training_state
from rewardmodel.commandline import Precision, autocast, resolve_device, run
from rewardmodel.comparisons import Comparison, batches, microbatches, pairs_of
from rewardmodel.evaluate import NUM_CORRUPTED, evaluate_rankings, summarise
from rewardmodel.evaluation import Evaluation, validation_figures
from rewardmodel.loss import ranking_losses
from rewardmodel.material import Material, load_material
from rewardmodel.metrics import MetricsLog
from rewardmodel.model import RewardModel, context_of, start_reward_model
from rewardmodel.normalisation import normalise
from rewardmodel.parameters import choose_parameters, merge_adapters
from rewardmodel.publishing import STATES, directory_sha256, is_published, make_facts, publish, require_room
from rewardmodel.scoring import scores_of
from rewardmodel.statistics import correctness
from rewardmodel.stopping import require_finite, stopping_without_memory


class OptionError(ValueError):
    """Options that contradict one another or what is on disk: which, and what to do."""


@dataclass(frozen=True)
class TrainConfig:
    """A reward model from an export of rankings. Defaults are InstructGPT's where it gives any."""

    data: Path
    """An export of rankings, or a .jsonl file of them."""
    model: Path
    """Directory of the language model to start from; of a reward model, its head goes on too."""
    out: Path
    """Where the trained model is published, whole or not at all."""
    work: Path | None = None
    """Where resumable states and metrics are kept; <out>.work unless given."""
    demonstrations: Path | None = None
    """Demonstrations that are to average 0; without, the best-ranked completions of the training data do."""
    seed: int = 0
    """Seed of the head, the adapters, the order of batches and the bootstrap."""
    epochs: int = 1
    """Passes over the data; InstructGPT: more than one overfits."""
    batch_size: int = 64
    """Rankings per optimizer step."""
    lr: float = 9e-6
    """Peak learning rate; a cosine takes it to a tenth. LoRA wants about thirty times as much."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""
    margin_per_tier: float = 0.0
    """Ask for this much score per tier between two completions (Llama 2's margin); 0 is InstructGPT."""
    max_tokens: int = 0
    """Longest prompt and completion together, in tokens; 0 is the model's context."""
    microbatch_tokens: int = 2048
    """Tokens forwarded at once: memory, never the result."""
    validation_fraction: float = 0.1
    """Share of dialogues held out where records carry no split."""
    precision: Precision = "fp32"
    """bf16 computes in bf16 over fp32 weights."""
    lora: bool = False
    """Train adapters only; the published weights have them merged in."""
    lora_rank: int = 16
    """Rank of the adapters."""
    train_last_layers: int = 0
    """Train only that many of the last layers and the head; 0 trains all."""
    save_every: int = 20
    """Optimizer steps between resumable states."""
    evaluate_every: int = 0
    """Optimizer steps between evaluations on the validation split, shown in TensorBoard; 0 is once, at the end."""
    resume: bool = False
    """Go on from the newest state in the work directory, or begin where there is none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""

    @property
    def work_directory(self) -> Path:
        """Where this run keeps its states and metrics."""
        return self.work or self.out.with_name(self.out.name + ".work")


# What may differ between the parts of an interrupted run.
_NOT_IDENTITY = {"data", "model", "out", "work", "demonstrations", "resume", "device", "save_every", "evaluate_every"}


def main(config: TrainConfig) -> None:
    """Read everything and refuse what is wrong; only then train, normalise, evaluate, publish."""
    require_options(config)
    torch.manual_seed(config.seed)
    tokenizer = load_tokenizer(config.model)
    model = start_reward_model(config.model, seed=config.seed, device=resolve_device(config.device))
    material = load_material(
        config.data,
        tokenizer,
        max_tokens=min(config.max_tokens or sys.maxsize, context_of(model.backbone)),
        demonstrations=config.demonstrations,
        validation_fraction=config.validation_fraction,
        seed=config.seed,
    )
    identity = run_identity(config, material)
    if is_published(config.out, identity, may_be=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return
    choose_parameters(model, lora_rank=config.lora_rank if config.lora else None, last_layers=config.train_last_layers)
    require_room(config.work_directory, model)
    train(
        model,
        material.comparisons,
        config,
        identity,
        lambda: validate(model, tokenizer, material, config, num_corrupted=0),
    )
    merge_adapters(model)
    with autocast(model.device, config.precision):
        normalisation = normalise(model, material.references, token_budget=config.microbatch_tokens)
    evaluation = validate(model, tokenizer, material, config, num_corrupted=NUM_CORRUPTED)
    facts = make_facts(config.out.name, config.model.name, identity, material, normalisation, evaluation)
    publish(config.out, config.work_directory, model, tokenizer, facts, evaluation)
    if evaluation is not None:
        print(summarise(evaluation))


def train(
    model: RewardModel,
    comparisons: Sequence[Comparison],
    config: TrainConfig,
    identity: dict[str, Any],
    judge: Callable[[], Evaluation | None],
) -> None:
    """The loop: every epoch's batches in seeded order, an optimizer step each, a state every few.

    `judge` evaluates the model as it is, where that is asked for along the way.
    """
    plan = [
        batches(comparisons, batch_size=config.batch_size, seed=config.seed, epoch=epoch)
        for epoch in range(config.epochs)
    ]
    total_steps = sum(map(len, plan))
    optimizer = build_adamw(model, lr=config.lr, betas=(0.9, 0.95), weight_decay=config.weight_decay)
    schedule = build_schedule(optimizer, kind="cosine", total_steps=total_steps)
    state = TrainingState({"model": model}, {"adam": optimizer}, {"lr": schedule}, run=identity)
    states = config.work_directory / STATES
    if config.resume:
        load_latest_training_state(states, state)
    log = MetricsLog(config.work_directory, state.step)
    with Progress(total_steps, description="reward model", done=state.step) as progress:
        for epoch in range(state.epoch, config.epochs):
            state.epoch = epoch
            for batch in plan[epoch][state.position :]:
                lr = float(schedule.get_last_lr()[0])
                metrics = take_step(model, optimizer, batch, config, state.step)
                schedule.step()
                state.step += 1
                state.position += 1
                log.write({"step": state.step, "epoch": epoch, "lr": lr, **metrics})
                progress.advance(1, metrics)
                if config.evaluate_every and state.step % config.evaluate_every == 0:
                    log.board(state.step, validation_figures(judge()))
                if state.step % config.save_every == 0 and state.step < total_steps:
                    save_training_state(states, state)
            state.epoch, state.position = epoch + 1, 0
        save_training_state(states, state)
    log.close()


def take_step(
    model: RewardModel, optimizer: torch.optim.Optimizer, batch: list[Comparison], config: TrainConfig, step: int
) -> dict[str, float]:
    """One optimizer step on one batch, in pieces that fit memory. TrainingStopped where a number is not finite."""
    started = time.monotonic()
    num_rankings = sum(len(comparison.tiers) for comparison in batch)
    loss = right = 0.0
    num_pairs = 0
    optimizer.zero_grad(set_to_none=True)
    for piece in microbatches(batch, token_budget=config.microbatch_tokens):
        pairs = pairs_of(piece, model.device)
        with stopping_without_memory(piece, step):
            with autocast(model.device, config.precision):
                scores = scores_of(model, piece)
            margin = config.margin_per_tier * pairs.tier_gaps.to(scores.dtype)
            losses = ranking_losses(scores, pairs.pairs, pairs.ranking_of_pair, pairs.num_rankings, margin)
            share = losses.sum() / num_rankings
            require_finite(share.item(), "the loss", piece, step)
            share.backward()  # type: ignore[no-untyped-call]
        loss += share.item()
        found = scores.detach()
        right += float(correctness(found[pairs.pairs[:, 0]] - found[pairs.pairs[:, 1]]).sum())
        num_pairs += len(pairs.pairs)
    norm = clip_gradients(model, max_norm=config.max_grad_norm)
    require_finite(norm, "the gradient's norm", batch, step)
    optimizer.step()
    seconds = time.monotonic() - started
    return {
        "loss": loss,
        "accuracy": right / num_pairs,
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


def run_identity(config: TrainConfig, material: Material) -> dict[str, Any]:
    """What makes two runs the same run: data, base model and every option that moves the result."""
    options = {name: value for name, value in asdict(config).items() if name not in _NOT_IDENTITY}
    return {
        "data": material.source.sha256,
        "demonstrations": material.demonstrations_sha256,
        "base": directory_sha256(config.model),
        **options,
    }


def require_options(config: TrainConfig) -> None:
    """Refuse contradictions before anything is read."""
    if config.lora and config.train_last_layers:
        raise OptionError("--lora and --train-last-layers exclude one another; choose one")
    for name in ("epochs", "batch_size", "lr", "microbatch_tokens", "save_every", "lora_rank"):
        if getattr(config, name) <= 0:
            raise OptionError(f"--{name.replace('_', '-')} must be above 0, not {getattr(config, name)}")
    if not 0 <= config.validation_fraction < 1:
        raise OptionError(f"--validation-fraction must be at least 0 and below 1, not {config.validation_fraction}")
    states = config.work_directory / STATES
    if not config.resume and states.is_dir() and any(states.iterdir()):
        raise OptionError(f"{states} holds an earlier run; go on with --resume, or remove it")


if __name__ == "__main__":
    run(main, TrainConfig)
