"""The loop that DPO and KTO share: batches in seeded order, an optimizer step each, held-out figures by epoch.

What a method says of a piece of a batch is its own (policy.dpo, policy.kto). A batch's gradient is exact however it is
cut: every loss is a sum over its members, divided by the number of the whole batch. Of the epochs the one with the
lowest held-out loss is kept; killed at any moment, --resume goes on to bit-identical weights (CPU, same threads).
"""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.checkpoints import load_causal_lm
from language.optimization import build_adamw, build_schedule, clip_gradients
from language.parallel import ALONE, Sharing, weight_of
from language.progress import Progress
from language.training_state import TrainingState, load_latest_training_state, save_training_state
from policy.dpo_config import DpoConfig
from policy.kto_config import KtoConfig
from policy.publishing import keep_checkpoint
from policy.selection import best_epoch, selection_facts
from policy.sequence_logprobs import Answered
from policy.stopping import in_smaller_pieces, require_finite
from rewardmodel.comparisons import microbatches
from rewardmodel.metrics import MetricsLog
from rewardmodel.publishing import STATES

BEST = "best-epoch"  # folder of the work directory

Member = TypeVar("Member", bound=Answered)
Figures = dict[str, int | float]
Sums = dict[str, float]
Network = PreTrainedModel | PeftModel


@runtime_checkable
class Method(Protocol[Member]):
    """What tells one method from another."""

    @property
    def validation(self) -> Sequence[Member]:
        """What is held out."""

    def batches(self, epoch: int) -> list[list[Member]]:
        """An epoch's batches: a pure function of the seed and the epoch."""

    def count(self, batch: Sequence[Member]) -> int:
        """By what the sum of a batch's losses is divided."""

    def begin(self, model: Network, batch: Sequence[Member], sharing: Sharing) -> float:
        """A number of the batch as a whole that its pieces' losses hang on; without gradient, shared by processes."""

    def losses(self, model: Network, piece: Sequence[Member], begun: float) -> tuple[Tensor, Sums]:
        """The sum of a piece's losses, with gradient, and sums from which `figures` makes those of the batch."""

    def figures(self, sums: Mapping[str, float], begun: float) -> Figures:
        """What is logged of a batch, by its sums."""


def train(
    model: Network,
    method: Method[Member],
    config: DpoConfig | KtoConfig,
    identity: dict[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    *,
    description: str,
    sharing: Sharing = ALONE,
) -> tuple[Figures, dict[str, Any]]:
    """Every epoch's batches, an optimizer step each; at an epoch's end the held-out figures, and the best is kept.

    Returns the figures to publish, of what is held out those of the epoch that is published, and which one that is
    (`policy.selection.selection_facts`).
    """
    plan = [(epoch, batch) for epoch in range(config.epochs) for batch in method.batches(epoch)]
    ends = {step for step in range(1, len(plan)) if plan[step - 1][0] != plan[step][0]}
    total_steps = min(len(plan), config.max_steps or sys.maxsize)
    optimizer = build_adamw(model, lr=config.lr, weight_decay=config.weight_decay)
    schedule = build_schedule(
        optimizer, kind="constant", total_steps=total_steps, warmup_steps=round(config.warmup_share * total_steps)
    )
    state = TrainingState({"policy": model}, {"adam": optimizer}, {"lr": schedule}, run=identity)
    state.facts = {"metrics": {}, "curve": []}
    states = config.work_directory / STATES
    if config.resume:
        load_latest_training_state(states, state, sharing=sharing)
    log = MetricsLog(config.work_directory, state.step) if sharing.is_main else None
    after = 1 + total_steps / 50
    with Progress(
        total_steps, description=description, done=state.step, after=after, tells=sharing.is_main
    ) as progress:
        if state.step == 0:
            figures = held_out_figures(model, method, config, sharing)
            state.facts["start_loss"] = figures.get("validation_loss")
            if log:
                log.write({"step": 0, **figures})
        while state.step < total_steps:
            epoch, batch = plan[state.step]
            lr = float(schedule.get_last_lr()[0])
            metrics = take_step(model, optimizer, batch, method, config, state.step, sharing)
            schedule.step()
            state.step += 1
            if state.step in ends or state.step == total_steps:
                figures = held_out_figures(model, method, config, sharing)
                state.facts["curve"] += [{"epoch": epoch + 1, **figures}] if figures else []
                if figures and best_epoch(state.facts["curve"]) == epoch + 1:
                    _keep(model, tokenizer, config, epoch + 1, sharing)
                metrics |= figures
            state.facts["metrics"] |= metrics
            if log:
                log.write({"step": state.step, "epoch": epoch, "lr": lr, **metrics})
            progress.advance(1, metrics)
            if state.step % config.save_every == 0 or state.step == total_steps:
                save_training_state(states, state, sharing=sharing)
    if log:
        log.close()
    return _outcome(state, num_epochs=plan[total_steps - 1][0] + 1)


def take_step(
    model: Network,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Member],
    method: Method[Member],
    config: DpoConfig | KtoConfig,
    step: int,
    sharing: Sharing = ALONE,
) -> Figures:
    """One optimizer step on one batch, in pieces that fit memory; of several processes each takes its share of them.

    TrainingStopped where a number is not finite.
    """
    started = time.monotonic()
    begun = method.begin(model, batch, sharing)
    count = method.count(batch)

    def accumulate(pieces: list[list[Member]]) -> Sums:
        optimizer.zero_grad(set_to_none=True)
        sums: Sums = {}
        for piece in pieces:
            loss, found = method.losses(model, piece, begun)
            require_finite(loss.item(), "the loss", [member.id for member in piece], step + 1)
            (loss / count * weight_of(piece)).backward()  # type: ignore[no-untyped-call]
            if weight_of(piece):
                _add(sums, {"loss": loss.item(), **found})
        return sums

    budget = sharing.budget(config.microbatch_tokens, sum(member.num_tokens for member in batch))
    pieces = sharing.pieces_of(microbatches(batch, token_budget=budget))
    sums = sharing.add_sums(in_smaller_pieces(accumulate, pieces, sharing=sharing))
    sharing.add_gradients(model)
    norm = clip_gradients(model, max_norm=config.max_grad_norm)
    require_finite(norm, "the gradient's norm", [member.id for member in batch], step + 1)
    optimizer.step()
    seconds = time.monotonic() - started
    return {
        "loss": sums["loss"] / count,
        **method.figures(sums, begun),
        "grad_norm": norm,
        "seconds": seconds,
        "tokens_per_second": sum(member.num_tokens for member in batch) / seconds,
    }


@torch.no_grad()
def held_out_figures(
    model: Network, method: Method[Member], config: DpoConfig | KtoConfig, sharing: Sharing = ALONE
) -> Figures:
    """The same figures of all that is held out, as one batch; nothing where nothing is."""
    members = method.validation
    if not members:
        return {}
    begun = method.begin(model, members, sharing)
    own: Sums = {}
    for piece in sharing.pieces_of(microbatches(members, token_budget=config.microbatch_tokens)):
        loss, found = method.losses(model, piece, begun)
        if weight_of(piece):
            _add(own, {"loss": loss.item(), **found})
    sums = sharing.add_sums(own)
    figures = {"loss": sums["loss"] / method.count(members), **method.figures(sums, begun)}
    return {f"validation_{name}": value for name, value in figures.items()}


def network_to_publish(
    model: Network, config: DpoConfig | KtoConfig, selection: Mapping[str, Any], sharing: Sharing = ALONE
) -> Network | None:
    """The kept epoch's; where nothing was held out, the last. All processes call it; None where it does not publish."""
    if selection["by"] == "last":
        return sharing.whole_on_main(model)
    return load_causal_lm(config.work_directory / BEST) if sharing.is_main else None


def forget_kept(work: Path) -> None:
    """Remove the kept epoch once it is published."""
    shutil.rmtree(work / BEST, ignore_errors=True)


def _keep(
    model: Network, tokenizer: PreTrainedTokenizerBase, config: DpoConfig | KtoConfig, epoch: int, sharing: Sharing
) -> None:
    place = config.work_directory / BEST
    whole = sharing.whole_on_main(model)
    if whole is not None:
        keep_checkpoint(place, whole, tokenizer, base=config.model, trainable=config.trainable, epoch=epoch)


def _outcome(state: TrainingState, *, num_epochs: int) -> tuple[Figures, dict[str, Any]]:
    """The last step's figures, of what is held out the published epoch's; and which one that is."""
    curve = state.facts["curve"]
    selection = selection_facts(curve, num_epochs=num_epochs, start_loss=state.facts.get("start_loss"))
    kept: dict[str, Any] = next((point for point in curve if point["epoch"] == selection["published_epoch"]), {})
    held_out = {name: value for name, value in kept.items() if name != "epoch"}
    metrics = {**state.facts["metrics"], **held_out, "published_epoch": selection["published_epoch"]}
    return {"steps": state.step, **metrics}, selection


def _add(sums: Sums, found: Mapping[str, float]) -> None:
    for name, value in found.items():
        sums[name] = sums.get(name, 0.0) + value
