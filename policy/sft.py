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
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from language.checkpoints import load_causal_lm
from language.commandline import autocast, run
from language.optimization import build_adamw, build_schedule, clip_gradients
from language.parallel import ALONE, Sharing, begin_sharing, weight_of
from language.progress import Progress, begin_stage, tell
from language.repeating import keep_options
from language.training_state import TrainingState, load_latest_training_state, save_training_state
from policy.dialogues import TokenizedDialogue, cut_batch, target_nlls
from policy.learner import load_learner
from policy.mixture import members_of_epoch
from policy.publishing import keep_checkpoint, publish_policy, require_place, require_room, run_identity
from policy.selection import (
    best_epoch,
    epoch_directory,
    forget_epochs_but,
    selection_facts,
    selection_sentence,
)
from policy.sft_config import SftConfig, require_options
from policy.sft_material import Material, load_material, require_members
from policy.stopping import in_smaller_pieces, require_finite
from rewardmodel.metrics import TRAINING_FIGURES, MetricsLog
from rewardmodel.publishing import STATES, directory_sha256

# What is shown of every epoch beside what it was selected by.
_CURVES = ("selection_score", "validation_loss")


def main(config: SftConfig) -> None:
    """Read everything and refuse what is wrong; only then train and publish."""
    require_options(config)
    begin_stage("loading")
    torch.manual_seed(config.seed)
    sharing = begin_sharing(config.sharding)
    device = sharing.device(config.device)
    material = load_material(config, device)
    require_members(material, config, sharing)
    start = directory_sha256(config.model)
    hashes = {part: source["sha256"] for part, source in material.made_from.items()}
    identity = run_identity(config, data=hashes.pop("demonstrations"), start=start, **hashes)
    if not require_place(config.out, config.work_directory, identity, resume=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return
    if sharing.is_main:
        keep_options(config, program="policy.sft")
    learner = load_learner(
        config.model,
        config.trainable,
        config.precision,
        device,
        sharing,
        activation_checkpointing=config.activation_checkpointing,
    )
    require_room(config.work_directory, [learner], num_kept=num_kept(material, config))
    metrics, selection = train(learner, material, config, identity, sharing=sharing)
    facts = {
        "name": config.out.name,
        "method": "sft",
        "start": {"name": config.model.name, "sha256": start},
        "made_from": material.made_from,
        "run": identity,
        "num_processes": sharing.count,
        "num_records": len(material.dialogues.train),
        "left_out": material.dialogues.left_out,
        "metrics": metrics,
        "selection": selection,
    }
    chosen = chosen_learner(learner, selection, config, sharing)
    if chosen is None:
        return
    tell(selection_sentence(selection))
    begin_stage("publishing")
    publish_policy(
        config.out,
        config.work_directory,
        model=chosen,
        base=config.model,
        trainable=config.trainable,
        tokenizer=material.tokenizer,
        facts=facts,
    )
    if material.examination is None:
        forget_epochs_but(config.work_directory, None)


def num_kept(material: Material, config: SftConfig) -> int:
    """Checkpoints of epochs that lie in the work directory at once: all that were scored, or the best and the next."""
    if material.examination is not None:
        return config.epochs
    return min(2, config.epochs - 1) if material.dialogues.validation else 0


def chosen_learner(
    learner: PreTrainedModel | PeftModel, selection: dict[str, Any], config: SftConfig, sharing: Sharing = ALONE
) -> PreTrainedModel | PeftModel | None:
    """The model of the chosen epoch: the one that was kept, or the live one where the last was chosen.

    All processes call it; those that do not publish get None.
    """
    epoch, by = selection["published_epoch"], selection["by"]
    if by == "last" or (by == "held-out loss" and epoch == len(selection["curve"])):
        return sharing.whole_on_main(learner)
    return load_causal_lm(epoch_directory(config.work_directory, epoch)) if sharing.is_main else None


def train(
    model: PreTrainedModel | PeftModel,
    material: Material,
    config: SftConfig,
    identity: dict[str, Any],
    *,
    share_before: float = 0.0,
    sharing: Sharing = ALONE,
) -> tuple[dict[str, int | float], dict[str, Any]]:
    """The loop: every epoch's batches in seeded order, an optimizer step each.

    `share_before` is what a longer run has done before, as a multiple of this. Returns the metrics of the epoch that is
    to be published, and which one that is (`selection_facts`).
    """
    dialogues = material.dialogues
    steps_per_epoch = -(-material.num_per_epoch // config.batch_size)
    total_steps = min(config.epochs * steps_per_epoch, config.max_steps or sys.maxsize)
    optimizer = build_adamw(model, lr=config.lr, weight_decay=config.weight_decay)
    schedule = build_schedule(optimizer, kind="cosine", total_steps=total_steps)
    state = TrainingState({"policy": model}, {"adam": optimizer}, {"lr": schedule}, run=identity)
    states = config.work_directory / STATES
    state.facts = {"metrics": {}, "curve": []}
    if config.resume:
        load_latest_training_state(states, state, sharing=sharing)
    log = MetricsLog(config.work_directory, state.step) if sharing.is_main else None
    before, after = share_before * total_steps, 1 + total_steps / 50
    with Progress(
        total_steps,
        description="sft",
        done=state.step,
        after=after,
        before=before,
        called=TRAINING_FIGURES,
        tells=sharing.is_main,
    ) as progress:
        if state.step == 0:
            state.facts["metrics"] = validate(model, dialogues.validation, config, sharing)
            state.facts["start_loss"] = state.facts["metrics"].get("validation_loss")
            if log:
                log.write({"step": 0, **state.facts["metrics"]})
        members: list[TokenizedDialogue] = []
        while state.step < total_steps:
            epoch, position = divmod(state.step, steps_per_epoch)
            if position == 0 or not members:
                members = members_of_epoch(dialogues.train, material.mixture, seed=config.seed, epoch=epoch)
            batch = members[position * config.batch_size : (position + 1) * config.batch_size]
            lr = float(schedule.get_last_lr()[0])
            metrics = take_step(model, optimizer, batch, config, state.step, sharing)
            schedule.step()
            state.step += 1
            ended = state.step % steps_per_epoch == 0 or state.step == total_steps
            if ended:
                metrics |= validate(model, dialogues.validation, config, sharing)
            if ended and material.examination is not None:
                metrics |= examine(model, material, config, epoch + 1, progress, sharing)
            state.facts["metrics"] |= metrics
            if ended:
                end_epoch(model, material, config, state, progress, sharing, is_last=state.step == total_steps)
            if log:
                log.write({"step": state.step, "epoch": epoch, "lr": lr, **metrics})
            progress.advance(1, metrics)
            if state.step % config.save_every == 0 or state.step == total_steps:
                save_training_state(states, state, sharing=sharing)
    if log:
        log.close()
    num_epochs = -(-total_steps // steps_per_epoch)
    selection = selection_facts(state.facts["curve"], num_epochs=num_epochs, start_loss=state.facts.get("start_loss"))
    published = state.facts.get("published", state.facts["metrics"])
    return {"steps": total_steps, "published_epoch": selection["published_epoch"], **published}, selection


def end_epoch(
    model: PreTrainedModel | PeftModel,
    material: Material,
    config: SftConfig,
    state: TrainingState,
    progress: Progress,
    sharing: Sharing = ALONE,
    *,
    is_last: bool,
) -> None:
    """Add a point to the curve, keep what is best by now, and say where the held-out loss rose."""
    curve, metrics = state.facts["curve"], state.facts["metrics"]
    epoch = len(curve) + 1
    point = {name: metrics[name] for name in _CURVES if name in metrics}
    if not point:
        return
    best_before = best_epoch(curve) if curve else None
    before = curve[-1].get("validation_loss") if curve else state.facts.get("start_loss")
    curve.append({"epoch": epoch, **point})
    if before is not None and not point["validation_loss"] <= before:
        progress.say(f"epoch {epoch}: the held-out loss rose from {before:.4g} to {point['validation_loss']:.4g}")
    if best_epoch(curve) == epoch:
        state.facts["published"] = dict(metrics)
        if material.examination is None and not is_last:
            if sharing.is_main:
                forget_epochs_but(config.work_directory, best_before)
            keep_epoch(model, material, config, epoch, sharing)


def examine(
    model: PreTrainedModel | PeftModel,
    material: Material,
    config: SftConfig,
    epoch: int,
    progress: Progress,
    sharing: Sharing = ALONE,
) -> dict[str, int | float]:
    """Keep what the model is at an epoch's end, and score its answers."""
    assert material.examination is not None
    keep_epoch(model, material, config, epoch, sharing)
    score = material.examination.score(model, sharing)
    progress.say(f"epoch {epoch}: score {score:.3f} on {len(material.examination.prompts)} validation prompts")
    return {"selection_score": score}


def keep_epoch(
    model: PreTrainedModel | PeftModel, material: Material, config: SftConfig, epoch: int, sharing: Sharing = ALONE
) -> None:
    """Keep what the model is at an epoch's end in the work directory. All processes call it."""
    whole = sharing.whole_on_main(model)
    if whole is None:
        return
    keep_checkpoint(
        epoch_directory(config.work_directory, epoch),
        whole,
        material.tokenizer,
        base=config.model,
        trainable=config.trainable,
        epoch=epoch,
    )


def take_step(
    model: PreTrainedModel | PeftModel,
    optimizer: torch.optim.Optimizer,
    dialogues: Sequence[TokenizedDialogue],
    config: SftConfig,
    step: int,
    sharing: Sharing = ALONE,
) -> dict[str, int | float]:
    """One optimizer step on one batch, in pieces that fit memory; of several processes each takes its share of them."""
    started = time.monotonic()
    total = sum(dialogue.num_targets for dialogue in dialogues)

    def accumulate(pieces: list[list[TokenizedDialogue]]) -> float:
        optimizer.zero_grad(set_to_none=True)
        return sum(add_gradient(model, piece, total, config, step) for piece in pieces)

    budget = sharing.budget(config.microbatch_tokens, sum(len(dialogue.token_ids) for dialogue in dialogues))
    pieces = sharing.pieces_of(cut_batch(dialogues, token_budget=budget, packing=config.packing))
    share = in_smaller_pieces(accumulate, pieces, sharing=sharing)
    loss = sharing.add_up(torch.tensor(share, dtype=torch.float64)).item()
    sharing.add_gradients(model)
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
        share = target_nlls(model, piece, packing=config.packing).sum() / total * weight_of(piece)
    require_finite(share.item(), "the loss", [dialogue.id for dialogue in piece], step + 1)
    share.backward()  # type: ignore[no-untyped-call]
    return share.item()


@torch.no_grad()
def validate(
    model: PreTrainedModel | PeftModel,
    dialogues: Sequence[TokenizedDialogue],
    config: SftConfig,
    sharing: Sharing = ALONE,
) -> dict[str, int | float]:
    """The mean loss over every target of the validation dialogues; nothing where there are none."""
    if not dialogues:
        return {}
    total = sum(dialogue.num_targets for dialogue in dialogues)
    loss = 0.0
    for piece in sharing.pieces_of(cut_batch(dialogues, token_budget=config.microbatch_tokens, packing=config.packing)):
        with autocast(model.device, config.precision):
            loss += target_nlls(model, piece, packing=config.packing).sum().item() / total * weight_of(piece)
    return {"validation_loss": sharing.add_up(torch.tensor(loss, dtype=torch.float64)).item()}


if __name__ == "__main__":
    run(main, SftConfig, shares_work=True)
