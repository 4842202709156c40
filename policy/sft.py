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
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.checkpoints import load_causal_lm, load_tokenizer
from language.commandline import autocast, resolve_device, run
from language.optimization import build_adamw, build_schedule, clip_gradients
from language.options import OptionError
from language.progress import Progress, begin_stage, tell
from language.reading import say_read
from language.repeating import keep_options
from language.seeds import derived_seed
from language.training_state import TrainingState, load_latest_training_state, save_training_state
from policy.dialogues import DialogueSet, TokenizedDialogue, cut_batch, load_dialogues, target_nlls
from policy.judging import load_judge
from policy.mixture import Mixture, load_mixture, members_of_epoch
from policy.prompts import TokenizedPrompt, load_prompts, prompts_of
from policy.publishing import keep_checkpoint, publish_policy, require_place, require_room, run_identity
from policy.selection import (
    Examination,
    best_epoch,
    epoch_directory,
    forget_epochs_but,
    selection_facts,
    selection_sentence,
)
from policy.sft_config import SftConfig, require_options
from policy.stopping import in_smaller_pieces, require_finite
from records import SamplingParams
from rewardmodel.limits import BEYOND, at_most
from rewardmodel.metrics import TRAINING_FIGURES, MetricsLog
from rewardmodel.publishing import STATES, directory_sha256

# What is shown of every epoch beside what it was selected by.
_CURVES = ("selection_score", "validation_loss")

# The score of an answer without an end token, as in PPO (LMHP, N+).
MISSING_END_SCORE = -1.0


@dataclass(frozen=True)
class Material:
    """What a run reads: dialogues, what is mixed in, how epochs are selected, and the lineage of all."""

    tokenizer: PreTrainedTokenizerBase
    dialogues: DialogueSet
    mixture: Mixture | None
    examination: Examination | None
    made_from: dict[str, dict[str, str]]

    @property
    def num_per_epoch(self) -> int:
        """Dialogues of one epoch, mixed-in ones included."""
        return len(self.dialogues.train) + (self.mixture.per_epoch if self.mixture else 0)


def main(config: SftConfig) -> None:
    """Read everything and refuse what is wrong; only then train and publish."""
    require_options(config)
    begin_stage("loading")
    torch.manual_seed(config.seed)
    device = resolve_device(config.device)
    material = load_material(config, device)
    start = directory_sha256(config.model)
    hashes = {part: source["sha256"] for part, source in material.made_from.items()}
    identity = run_identity(config, data=hashes.pop("demonstrations"), start=start, **hashes)
    if not require_place(config.out, config.work_directory, identity, resume=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return
    keep_options(config, program="policy.sft")
    dtype = config.trainable.trunk_dtype(config.precision)
    learner = config.trainable.choose(load_causal_lm(config.model, dtype=dtype, device=device))
    require_room(config.work_directory, [learner], num_kept=num_kept(material, config))
    metrics, selection = train(learner, material, config, identity)
    facts = {
        "name": config.out.name,
        "method": "sft",
        "start": {"name": config.model.name, "sha256": start},
        "made_from": material.made_from,
        "run": identity,
        "num_records": len(material.dialogues.train),
        "left_out": material.dialogues.left_out,
        "metrics": metrics,
        "selection": selection,
    }
    tell(selection_sentence(selection))
    learner = chosen_learner(learner, selection, config)
    begin_stage("publishing")
    publish_policy(
        config.out,
        config.work_directory,
        model=learner,
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
    learner: PreTrainedModel | PeftModel, selection: dict[str, Any], config: SftConfig
) -> PreTrainedModel | PeftModel:
    """The model of the chosen epoch: the one that was kept, or the live one where the last was chosen."""
    epoch, by = selection["published_epoch"], selection["by"]
    if by == "last" or (by == "held-out loss" and epoch == len(selection["curve"])):
        return learner
    return load_causal_lm(epoch_directory(config.work_directory, epoch))


def load_material(config: SftConfig, device: torch.device) -> Material:
    """Tokenizer, dialogues, mixture and examination. Raises DataError, RecordError or OptionError."""
    tokenizer = load_tokenizer(config.model)
    dialogues = load_dialogues(
        config.data, tokenizer, max_tokens=config.max_tokens, validation_fraction=config.validation_fraction
    )
    learnt = at_most(dialogues.train, config.max_records, id_of=lambda dialogue: dialogue.id)
    if beyond := len(dialogues.train) - len(learnt):
        dialogues = replace(dialogues, train=learnt, left_out={**dialogues.left_out, BEYOND: beyond})
    limit = f"--max-tokens {config.max_tokens}"
    used = {"to learn from": len(dialogues.train), "held out": len(dialogues.validation)}
    say_read(config.data, "dialogues", used, dialogues.left_out, limit=limit)
    made_from = {"demonstrations": {"name": config.data.name, "sha256": dialogues.source.sha256}}
    mixture = examination = None
    if config.mix_data is not None:
        mixture = load_mixture(
            config.mix_data,
            tokenizer,
            per_epoch=round(config.mix_ratio * len(dialogues.train)),
            max_tokens=config.max_tokens,
            held_out=dialogues.held_out,
        )
        say_read(config.mix_data, "dialogues", {"to mix in": len(mixture.dialogues)}, mixture.left_out, limit=limit)
        made_from["mixed_in"] = {"name": config.mix_data.name, "sha256": mixture.source.sha256}
    if config.select_reward is not None:
        prompts = tuple(prompts_of(dialogues.held_out, tokenizer, max_tokens=config.max_tokens))
        if config.select_prompts is not None:
            chosen = load_prompts(config.select_prompts, tokenizer, max_tokens=config.max_tokens, split="validation")
            made_from["selection_prompts"] = {"name": config.select_prompts.name, "sha256": chosen.source.sha256}
            say_read(config.select_prompts, "prompts", {"held out": len(chosen.prompts)}, chosen.left_out, limit=limit)
            prompts = chosen.prompts
        examination = load_examination(config, prompts, tokenizer, device)
        reward = config.select_reward
        made_from["selecting_reward_model"] = {"name": reward.name, "sha256": directory_sha256(reward)}
    return Material(tokenizer, dialogues, mixture, examination, made_from)


def load_examination(
    config: SftConfig, prompts: tuple[TokenizedPrompt, ...], tokenizer: PreTrainedTokenizerBase, device: torch.device
) -> Examination:
    """The selecting reward model with its prompts. OptionError where there is none."""
    assert config.select_reward is not None
    if not prompts:
        raise OptionError(
            f"{config.data}: no validation dialogue to take prompts from for --select-reward; "
            "give --select-prompts, or a higher --validation-fraction"
        )
    judge = load_judge(config.select_reward, device, missing_end_score=MISSING_END_SCORE, precision=config.precision)
    seed = derived_seed(config.seed, "selection")
    params = SamplingParams(max_new_tokens=config.select_max_new_tokens, seed=seed)
    return Examination(judge, prompts[: config.select_max_prompts or None], tokenizer, params, config.precision)


def train(
    model: PreTrainedModel | PeftModel,
    material: Material,
    config: SftConfig,
    identity: dict[str, Any],
    *,
    share_before: float = 0.0,
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
        load_latest_training_state(states, state)
    log = MetricsLog(config.work_directory, state.step)
    before, after = share_before * total_steps, 1 + total_steps / 50
    with Progress(
        total_steps, description="sft", done=state.step, after=after, before=before, called=TRAINING_FIGURES
    ) as progress:
        if state.step == 0:
            state.facts["metrics"] = validate(model, dialogues.validation, config)
            state.facts["start_loss"] = state.facts["metrics"].get("validation_loss")
            log.write({"step": 0, **state.facts["metrics"]})
        members: list[TokenizedDialogue] = []
        while state.step < total_steps:
            epoch, position = divmod(state.step, steps_per_epoch)
            if position == 0 or not members:
                members = members_of_epoch(dialogues.train, material.mixture, seed=config.seed, epoch=epoch)
            batch = members[position * config.batch_size : (position + 1) * config.batch_size]
            lr = float(schedule.get_last_lr()[0])
            metrics = take_step(model, optimizer, batch, config, state.step)
            schedule.step()
            state.step += 1
            ended = state.step % steps_per_epoch == 0 or state.step == total_steps
            if ended:
                metrics |= validate(model, dialogues.validation, config)
            if ended and material.examination is not None:
                metrics |= examine(model, material, config, epoch + 1, progress)
            state.facts["metrics"] |= metrics
            if ended:
                end_epoch(model, material, config, state, progress, is_last=state.step == total_steps)
            log.write({"step": state.step, "epoch": epoch, "lr": lr, **metrics})
            progress.advance(1, metrics)
            if state.step % config.save_every == 0 or state.step == total_steps:
                save_training_state(states, state)
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
            forget_epochs_but(config.work_directory, best_before)
            keep_epoch(model, material, config, epoch)


def examine(
    model: PreTrainedModel | PeftModel, material: Material, config: SftConfig, epoch: int, progress: Progress
) -> dict[str, int | float]:
    """Keep what the model is at an epoch's end, and score its answers."""
    assert material.examination is not None
    keep_epoch(model, material, config, epoch)
    score = material.examination.score(model)
    progress.say(f"epoch {epoch}: score {score:.3f} on {len(material.examination.prompts)} validation prompts")
    return {"selection_score": score}


def keep_epoch(model: PreTrainedModel | PeftModel, material: Material, config: SftConfig, epoch: int) -> None:
    """Keep what the model is at an epoch's end in the work directory."""
    keep_checkpoint(
        epoch_directory(config.work_directory, epoch),
        model,
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


if __name__ == "__main__":
    run(main, SftConfig)
