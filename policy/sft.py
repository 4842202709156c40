"""Fine-tune a policy on demonstrations: dialogues in the chat template, loss on assistants' words only.

Batches of dialogues in seeded order, the mean loss over a batch's target tokens however it is cut, a
cosine to a tenth; validation loss after every epoch; one published checkpoint. Killed at any moment,
--resume goes on to bit-identical weights (CPU, same threads).

InstructGPT trained two such models (App. C): the baseline, 16 epochs; and the start of PPO, 2 epochs.
Defaults are of the second. It prints no loss mask; ours is the assistant's tokens with their end token.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from language.batching import seeded_order
from language.checkpoints import load_causal_lm, load_tokenizer
from language.optimization import build_adamw, build_schedule, clip_gradients
from language.progress import Progress
from language.training_state import TrainingState, load_latest_training_state, save_training_state
from policy.dialogues import DialogueSet, TokenizedDialogue, cut_batch, load_dialogues, target_nlls
from policy.learner import Trainable
from policy.publishing import OptionError, publish_policy, require_place, require_positive, require_room, run_identity
from policy.stopping import in_smaller_pieces, require_finite
from rewardmodel.commandline import Precision, autocast, resolve_device, run
from rewardmodel.metrics import MetricsLog
from rewardmodel.publishing import STATES, directory_sha256

# Every number that a run logs, each by one name.
METRICS = {
    "step": "optimizer steps taken",
    "epoch": "passes over the data begun before this one",
    "loss": "mean negative log-likelihood of the batch's target tokens, nats",
    "validation_loss": "the same over all validation dialogues; in the lines that end an epoch, and before the first",
    "lr": "learning rate of the step",
    "grad_norm": "norm of the gradient before clipping",
    "num_targets": "target tokens in the batch",
    "tokens_per_second": "tokens of the batch, prompts included, over the step's seconds",
    "seconds": "wall time of the step",
}


@dataclass(frozen=True)
class SftConfig:
    """Supervised fine-tuning on an export of demonstrations. IG marks what InstructGPT printed."""

    data: Path
    """An export of demonstrations, or a .jsonl file of them."""
    model: Path
    """Directory of the language model to start from."""
    out: Path
    """Where the trained policy is published, whole or not at all."""
    work: Path | None = None
    """Where resumable states and metrics are kept; <out>.work unless given."""
    seed: int = 0
    """Seed of the adapters and of the order of batches."""
    epochs: int = 2
    """Passes over the data. IG C.3, for PPO's start; its baseline has 16 (C.1)."""
    batch_size: int = 32
    """Dialogues per optimizer step. IG C.1."""
    lr: float = 9.65e-6
    """Peak learning rate; a cosine takes it to a tenth. IG C.1, for 1.3B and 6B. LoRA wants about thirty times that."""
    weight_decay: float = 0.0
    """AdamW's decay of matrices. Not printed in IG."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm. Not printed in IG."""
    max_tokens: int = 1024
    """Longer dialogues are left out. IG: a context of 2k, prompts over 1k removed."""
    packing: bool = True
    """Lay dialogues end to end instead of padding them; none sees another, and the loss is the same."""
    microbatch_tokens: int = 2048
    """Positions forwarded at once: memory, never the result."""
    validation_fraction: float = 0.1
    """Share of dialogues held out where records carry no split."""
    precision: Precision = "fp32"
    """bf16 computes in bf16 over fp32 weights."""
    lora: bool = False
    """Train adapters only; the published weights have them merged in."""
    lora_rank: int = 16
    """Rank of the adapters."""
    train_last_layers: int = 0
    """Train only that many of the last layers; 0 trains all."""
    save_every: int = 50
    """Optimizer steps between resumable states."""
    resume: bool = False
    """Go on from the newest state in the work directory, or begin where there is none."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""

    @property
    def work_directory(self) -> Path:
        """Where this run keeps its states and metrics."""
        return self.work or self.out.with_name(self.out.name + ".work")

    @property
    def trainable(self) -> Trainable:
        """Which parameters move."""
        return Trainable(lora_rank=self.lora_rank if self.lora else 0, last_layers=self.train_last_layers)


def main(config: SftConfig) -> None:
    """Read everything and refuse what is wrong; only then train and publish."""
    require_options(config)
    torch.manual_seed(config.seed)
    device, tokenizer = resolve_device(config.device), load_tokenizer(config.model)
    dialogues = load_dialogues(
        config.data, tokenizer, max_tokens=config.max_tokens, validation_fraction=config.validation_fraction
    )
    start = directory_sha256(config.model)
    identity = run_identity(config, data=dialogues.source.sha256, start=start)
    if not require_place(config.out, config.work_directory, identity, resume=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return
    dtype = config.trainable.trunk_dtype(config.precision)
    learner = config.trainable.choose(load_causal_lm(config.model, dtype=dtype, device=device))
    require_room(config.work_directory, [learner])
    metrics = train(learner, dialogues, config, identity)
    facts = {
        "name": config.out.name,
        "method": "sft",
        "start": {"name": config.model.name, "sha256": start},
        "made_from": {"demonstrations": {"name": config.data.name, "sha256": dialogues.source.sha256}},
        "run": identity,
        "left_out": dialogues.left_out,
        "metrics": metrics,
    }
    publish_policy(
        config.out,
        config.work_directory,
        model=learner,
        base=config.model,
        trainable=config.trainable,
        tokenizer=tokenizer,
        facts=facts,
    )


def train(
    model: PreTrainedModel | PeftModel, dialogues: DialogueSet, config: SftConfig, identity: dict[str, Any]
) -> dict[str, int | float]:
    """The loop: every epoch's batches in seeded order, an optimizer step each. Returns the last metrics."""
    steps_per_epoch = -(-len(dialogues.train) // config.batch_size)
    total_steps = config.epochs * steps_per_epoch
    optimizer = build_adamw(model, lr=config.lr, weight_decay=config.weight_decay)
    schedule = build_schedule(optimizer, kind="cosine", total_steps=total_steps)
    state = TrainingState({"policy": model}, {"adam": optimizer}, {"lr": schedule}, run=identity)
    states = config.work_directory / STATES
    if config.resume:
        load_latest_training_state(states, state)
    log = MetricsLog(config.work_directory, state.step)
    with Progress(total_steps, description="sft", done=state.step) as progress:
        if state.step == 0:
            state.facts = validate(model, dialogues.validation, config)
            log.write({"step": 0, **state.facts})
        while state.step < total_steps:
            epoch, position = divmod(state.step, steps_per_epoch)
            order = seeded_order(len(dialogues.train), seed=config.seed, epoch=epoch)
            chosen = order[position * config.batch_size : (position + 1) * config.batch_size]
            lr = float(schedule.get_last_lr()[0])
            metrics = take_step(model, optimizer, [dialogues.train[i] for i in chosen], config, state.step)
            schedule.step()
            state.step += 1
            if state.step % steps_per_epoch == 0:
                metrics |= validate(model, dialogues.validation, config)
            state.facts |= metrics
            log.write({"step": state.step, "epoch": epoch, "lr": lr, **metrics})
            progress.advance(1, metrics)
            if state.step % config.save_every == 0 or state.step == total_steps:
                save_training_state(states, state)
    log.close()
    return {"steps": total_steps, **state.facts}


def take_step(
    model: PreTrainedModel | PeftModel,
    optimizer: torch.optim.Optimizer,
    dialogues: Sequence[TokenizedDialogue],
    config: SftConfig,
    step: int,
) -> dict[str, int | float]:
    """One optimizer step on one batch, in pieces that fit memory."""
    started = time.monotonic()
    total = sum(dialogue.num_targets for dialogue in dialogues)

    def accumulate(pieces: list[list[TokenizedDialogue]]) -> float:
        optimizer.zero_grad(set_to_none=True)
        return sum(add_gradient(model, piece, total, config, step) for piece in pieces)

    pieces = cut_batch(dialogues, token_budget=config.microbatch_tokens, packing=config.packing)
    loss = in_smaller_pieces(accumulate, pieces)
    norm = clip_gradients(model, max_norm=config.max_grad_norm)
    require_finite(norm, "the gradient's norm", [dialogue.id for dialogue in dialogues], step + 1)
    optimizer.step()
    seconds = time.monotonic() - started
    num_tokens = sum(len(dialogue.token_ids) for dialogue in dialogues)
    return {
        "loss": loss,
        "grad_norm": norm,
        "num_targets": total,
        "tokens_per_second": num_tokens / seconds,
        "seconds": seconds,
    }


def add_gradient(
    model: PreTrainedModel | PeftModel, piece: Sequence[TokenizedDialogue], total: int, config: SftConfig, step: int
) -> float:
    """Add one piece's share of the batch's gradient; returns its share of the loss."""
    with autocast(model.device, config.precision):
        share = target_nlls(model, piece, packing=config.packing).sum() / total
    require_finite(share.item(), "the loss", [dialogue.id for dialogue in piece], step + 1)
    share.backward()  # type: ignore[no-untyped-call]
    return share.item()


@torch.no_grad()
def validate(
    model: PreTrainedModel | PeftModel, dialogues: Sequence[TokenizedDialogue], config: SftConfig
) -> dict[str, int | float]:
    """The mean loss over every target of the validation dialogues; nothing where there are none."""
    if not dialogues:
        return {}
    total = sum(dialogue.num_targets for dialogue in dialogues)
    loss = 0.0
    for piece in cut_batch(dialogues, token_budget=config.microbatch_tokens, packing=config.packing):
        with autocast(model.device, config.precision):
            loss += target_nlls(model, piece, packing=config.packing).sum().item() / total
    return {"validation_loss": loss}


def require_options(config: SftConfig) -> None:
    """Refuse contradictions before anything is read."""
    if config.lora and config.train_last_layers:
        raise OptionError("--lora and --train-last-layers exclude one another; choose one")
    require_positive(config, "epochs", "batch_size", "lr", "max_tokens", "microbatch_tokens", "save_every", "lora_rank")
    if not 0 <= config.validation_fraction < 1:
        raise OptionError(f"--validation-fraction must be at least 0 and below 1, not {config.validation_fraction}")


if __name__ == "__main__":
    run(main, SftConfig)
