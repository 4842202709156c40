"""Rejection sampling: sample several answers to every prompt, keep the best, fine-tune on what was kept.

Llama 2's first way of learning from a reward model (Touvron et al. 2023, §3.2.2–3.2.3): PPO's wide search without its
small steps, or best-of-n paid for once. Samples are kept prompt by prompt and training states as in fine-tuning:
killed in either stage, --resume goes on to bit-identical weights (CPU, same threads).

What is learnt of a prompt is the answer that scores highest among those that ended and say something, of equal ones
the first sampled. An answer without an end is never learnt: its end would have to be made up. A prompt without any is
left out and counted.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from language.chat import render_completion, render_prompt
from language.checkpoints import load_tokenizer
from language.commandline import run
from language.parallel import ALONE, Sharing, begin_sharing
from language.progress import begin_stage, tell
from language.reading import say_read
from language.repeating import keep_options
from policy.best_of_n import SAMPLES_FILE, BestOfNConfig, ScoredSamples
from policy.best_of_n import main as sample_best_of_n
from policy.dialogues import DialogueSet, TokenizedDialogue, drawn_split
from policy.learner import load_learner
from policy.prompts import PromptSet, load_prompts
from policy.publishing import publish_policy, require_place, require_room, run_identity
from policy.rejection_sampling_config import RejectionSamplingConfig, require_options
from policy.selection import forget_epochs_but, selection_sentence
from policy.sft import chosen_learner, num_kept, train
from policy.sft_config import SftConfig
from policy.sft_material import Material, require_members
from records import Completion, Demonstration, Message, Prompt, read_jsonl, write_jsonl
from rewardmodel.data import DataError
from rewardmodel.publishing import PublishingError, directory_sha256

SAMPLES = "samples"  # folder of the work directory
CHOSEN_FILE = "chosen.jsonl"

# Of the whole run's time; sixteen samples of a prompt cost far more than two passes over one answer.
_SAMPLING, _LEARNING = 0.75, 0.25

# Options of both stages, by their names.
_OF_SAMPLING = ("num_samples", "max_new_tokens", "max_prompt_tokens", "temperature", "missing_end_score", "max_records")
_OF_LEARNING = (
    *("epochs", "max_steps", "batch_size", "lr", "weight_decay", "max_grad_norm", "packing", "microbatch_tokens"),
    *("validation_fraction", "lora", "lora_rank", "train_last_layers", "save_every"),
)
_OF_BOTH = ("seed", "precision", "device")


@dataclass(frozen=True)
class Chosen:
    """What is to be learnt: demonstrations, one a prompt, and why other prompts have none."""

    demonstrations: tuple[Demonstration, ...]
    left_out: dict[str, int]
    metrics: dict[str, float]


def main(config: RejectionSamplingConfig) -> None:
    """Read everything and refuse what is wrong; sample, choose, fine-tune, publish."""
    require_options(config)
    begin_stage("loading")
    sharing = begin_sharing(config.sharding)
    device = sharing.device(config.device)
    tokenizer = load_tokenizer(config.policy)
    prompts = load_prompts(config.prompts, tokenizer, max_tokens=config.max_prompt_tokens)
    start = {"name": config.policy.name, "sha256": directory_sha256(config.policy)}
    made_from = {
        "reward_model": {"name": config.reward.name, "sha256": directory_sha256(config.reward)},
        "prompts": {"name": config.prompts.name, "sha256": prompts.source.sha256},
    }
    identity = run_identity(
        config, **{part: source["sha256"] for part, source in {"start": start, **made_from}.items()}
    )
    if not require_place(config.out, config.work_directory, identity, resume=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return
    require_no_samples(config)
    if sharing.is_main:
        keep_options(config, program="policy.rejection_sampling")
    chosen = choose(sample(config, sharing), prompts, config, sharing)
    material = make_material(chosen, prompts, tokenizer, config, made_from)
    learning = learning_config(config)
    require_members(material, learning, sharing)
    torch.manual_seed(config.seed)
    learner = load_learner(
        config.policy,
        config.trainable,
        config.precision,
        device,
        sharing,
        activation_checkpointing=config.activation_checkpointing,
    )
    require_room(config.work_directory, [learner], num_kept=num_kept(material, learning))
    metrics, selection = train(
        learner, material, learning, identity, share_before=_SAMPLING / _LEARNING, sharing=sharing
    )
    published = chosen_learner(learner, selection, learning, sharing)
    if published is None:
        return
    tell(selection_sentence(selection))
    facts = {
        "name": config.out.name,
        "method": "rejection_sampling",
        "start": start,
        "made_from": made_from,
        "run": identity,
        "num_processes": sharing.count,
        "num_records": len(material.dialogues.train),
        "left_out": material.dialogues.left_out,
        "metrics": {**metrics, **chosen.metrics},
        "selection": selection,
    }
    begin_stage("publishing")
    publish_policy(
        config.out,
        config.work_directory,
        model=published,
        base=config.policy,
        trainable=config.trainable,
        tokenizer=tokenizer,
        facts=facts,
    )
    forget_epochs_but(config.work_directory, None)


def require_no_samples(config: RejectionSamplingConfig) -> None:
    """Raise PublishingError where the work directory holds an earlier run's samples that are not to be gone on with."""
    found = [place for place in sample_places(config) if place.exists()]
    if found and not config.resume:
        raise PublishingError(f"{found[0]} holds an earlier run's samples; go on with --resume, or remove it")


def sample_places(config: RejectionSamplingConfig) -> tuple[Path, Path]:
    """Where samples lie once all are there, and until then."""
    return config.work_directory / SAMPLES, config.work_directory / f"{SAMPLES}.work"


def sample(config: RejectionSamplingConfig, sharing: Sharing) -> list[ScoredSamples]:
    """N scored completions of every training prompt: sampled now, or by what was interrupted."""
    out, work = sample_places(config)
    sample_best_of_n(
        BestOfNConfig(
            policy=config.policy,
            reward=config.reward,
            prompts=config.prompts,
            out=out,
            work=work,
            split="train",
            resume=True,
            **{name: getattr(config, name) for name in (*_OF_SAMPLING, *_OF_BOTH)},
        ),
        share_after=_LEARNING / _SAMPLING,
        sharing=sharing,
    )
    return list(read_jsonl(out / SAMPLES_FILE, ScoredSamples))


def choose(
    samples: Sequence[ScoredSamples], prompts: PromptSet, config: RejectionSamplingConfig, sharing: Sharing = ALONE
) -> Chosen:
    """The best answer to every prompt that has one, written to the work directory as demonstrations by a policy."""
    asked = {prompt.id: prompt.prompt for prompt in prompts.prompts}
    reasons: Counter[str] = Counter()
    demonstrations, scores = [], []
    for row in samples:
        best = best_of(row.completions, row.scores)
        if best is None:
            reasons["none_ended"] += 1
            continue
        demonstrations.append(as_demonstration(asked[row.prompt_id], row.completions[best]))
        scores.append(row.scores[best])
    say_read(config.work_directory / SAMPLES, "prompts", {"with an answer to learn": len(scores)}, dict(reasons))
    if not scores:
        raise DataError(
            f"{config.prompts}: not one of {len(samples)} prompts has a sample that ended within "
            f"{config.max_new_tokens} tokens; raise --max-new-tokens, or start from a policy that ends its answers"
        )
    if sharing.is_main:
        write_jsonl(config.work_directory / CHOSEN_FILE, demonstrations)
    sampled = [completion for row in samples for completion in row.completions]
    metrics = {
        "sampled_score": mean(mean(row.scores) for row in samples),
        "chosen_score": mean(scores),
        "unended_share": mean(completion.finish_reason != "stop" for completion in sampled),
    }
    tell(f"chosen answers score {metrics['chosen_score']:.3f}, all samples {metrics['sampled_score']:.3f} (training)")
    return Chosen(tuple(demonstrations), dict(reasons), {name: float(value) for name, value in metrics.items()})


def best_of(completions: Sequence[Completion], scores: Sequence[float]) -> int | None:
    """The place of the answer to learn: the highest score of those that ended and say something, of equals the first.

    None where there is no such answer.
    """
    fit = [i for i, one in enumerate(completions) if one.finish_reason == "stop" and one.content.strip()]
    return max(fit, key=lambda i: (scores[i], -i)) if fit else None


def as_demonstration(prompt: Prompt, completion: Completion) -> Demonstration:
    """Prompt and chosen answer as a record that says who wrote the answer: a policy."""
    answer = Message(role="assistant", content=completion.content, authorship="policy", policy=completion.policy)
    return Demonstration(id=prompt.id, messages=(*prompt.messages, answer))


def make_material(
    chosen: Chosen,
    prompts: PromptSet,
    tokenizer: PreTrainedTokenizerBase,
    config: RejectionSamplingConfig,
    made_from: Mapping[str, dict[str, str]],
) -> Material:
    """The chosen answers as tokens, those of some prompts held out. DataError where none is left to learn from."""
    kept: dict[str, list[TokenizedDialogue]] = {"train": [], "validation": []}
    for demonstration in chosen.demonstrations:
        split = drawn_split(demonstration, config.validation_fraction)
        kept[split].append(tokenize_last_answer(demonstration, tokenizer))
    if not kept["train"]:
        raise DataError(f"{config.prompts}: all chosen answers are held out; lower --validation-fraction")
    left_out = {**prompts.left_out, **chosen.left_out}
    dialogues = DialogueSet(prompts.source, tuple(kept["train"]), tuple(kept["validation"]), left_out)
    return Material(tokenizer, dialogues, None, None, dict(made_from))


def tokenize_last_answer(demonstration: Demonstration, tokenizer: PreTrainedTokenizerBase) -> TokenizedDialogue:
    """Ids of a dialogue of which the last answer with its end token is learnt and nothing before it.

    Fine-tuning teaches what people wrote and passes over a policy's words; here it is the other way round.
    """
    *asked, answer = demonstration.messages
    prompt_ids = render_prompt(tokenizer, asked)
    answer_ids = render_completion(tokenizer, answer.content)
    is_target = (False,) * len(prompt_ids) + (True,) * len(answer_ids)
    return TokenizedDialogue(demonstration.id, (*prompt_ids, *answer_ids), is_target)


def learning_config(config: RejectionSamplingConfig) -> SftConfig:
    """The second stage as fine-tuning: its options are this run's."""
    options: dict[str, Any] = {name: getattr(config, name) for name in (*_OF_LEARNING, *_OF_BOTH)}
    chosen = config.work_directory / CHOSEN_FILE
    return SftConfig(
        data=chosen, model=config.policy, out=config.out, work=config.work_directory, resume=config.resume, **options
    )


if __name__ == "__main__":
    run(main, RejectionSamplingConfig, shares_work=True)
