"""What the programs of DPO and KTO do alike once their data is read: the reference's word, the loop, the publishing."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from language.activation_checkpointing import checkpoint_activations
from language.checkpoints import load_causal_lm
from language.parallel import begin_sharing
from language.progress import begin_stage, tell
from language.reading import say_read
from language.repeating import keep_options
from policy.dpo_config import DpoConfig
from policy.kto_config import KtoConfig
from policy.placing import place
from policy.preference_loop import Member, Method, forget_kept, network_to_publish, train
from policy.publishing import publish_policy, require_place, require_room, run_identity
from policy.selection import selection_sentence
from policy.sequence_logprobs import ReferenceLogprobs, reference_logprobs, require_known_tokens
from records.types import TrainingKind
from rewardmodel.data import Source
from rewardmodel.publishing import directory_sha256


@dataclass(frozen=True)
class Lesson:
    """What is learnt: the method, what its records are called, how many of them, and what was left out.

    Of rankings that are learnt from, `num_tied_pairs` say nothing."""

    method: TrainingKind
    records: str
    num_train: int
    num_held_out: int
    source: Source
    left_out: dict[str, int]
    num_tied_pairs: int = 0


def learn(
    config: DpoConfig | KtoConfig,
    tokenizer: PreTrainedTokenizerBase,
    lesson: Lesson,
    members: Sequence[Member],
    method_of: Callable[[ReferenceLogprobs], Method[Member]],
) -> None:
    """Ask the reference policy of all `members`, train by the method, publish; nothing where that was done already."""
    start = directory_sha256(config.model)
    sharing = begin_sharing(config.sharding)
    identity = run_identity(config, data=lesson.source.sha256, start=start)
    if not require_place(config.out, config.work_directory, identity, resume=config.resume):
        print(f"{config.out} is already published by this run", file=sys.stderr)
        return
    sharing.require_members(lesson.num_train, f"{lesson.records} to learn from in {config.data}")
    sharing.require_members(config.batch_size, f"{lesson.records} of a batch (--batch-size)")
    if sharing.is_main:
        say_what_is_read(config, lesson)
        keep_options(config, program=f"policy.{lesson.method}")
    dtype = config.trainable.trunk_dtype(config.precision)
    network = load_causal_lm(config.model, dtype=dtype, device=sharing.loading_device(sharing.device(config.device)))
    require_known_tokens(network, members, config.model)
    if config.activation_checkpointing:
        checkpoint_activations(network)
    learner = config.trainable.choose(network)
    require_room(config.work_directory, [learner], num_kept=1)
    place(sharing, learner)
    begin_stage("reference")
    references = reference_logprobs(
        config.work_directory,
        {"data": lesson.source.sha256, "start": start, "precision": config.precision, "weights": str(dtype)},
        learner,
        members,
        token_budget=config.microbatch_tokens,
        precision=config.precision,
        sharing=sharing,
    )
    metrics, selection = train(
        learner, method_of(references), config, identity, tokenizer, description=lesson.method, sharing=sharing
    )
    published = network_to_publish(learner, config, selection, sharing)
    if published is None:
        return
    tell(selection_sentence(selection))
    begin_stage("publishing")
    facts: dict[str, Any] = {
        "name": config.out.name,
        "method": lesson.method,
        "start": {"name": config.model.name, "sha256": start},
        "made_from": {lesson.records: {"name": config.data.name, "sha256": lesson.source.sha256}},
        "run": identity,
        "num_processes": sharing.count,
        "num_records": lesson.num_train,
        "left_out": {**lesson.left_out, "tied_pairs": lesson.num_tied_pairs},
        "metrics": metrics,
        "selection": selection,
    }
    publish_policy(
        config.out,
        config.work_directory,
        model=published,
        base=config.model,
        trainable=config.trainable,
        tokenizer=tokenizer,
        facts=facts,
    )
    forget_kept(config.work_directory)


def say_what_is_read(config: DpoConfig | KtoConfig, lesson: Lesson) -> None:
    """The first words of a run: how much is learnt from, held out and left out, and why."""
    used = {"to learn from": lesson.num_train, "held out": lesson.num_held_out}
    say_read(config.data, lesson.records, used, lesson.left_out, limit=f"--max-tokens {config.max_tokens}")
    if lesson.num_tied_pairs:
        print(
            f"{lesson.num_tied_pairs} pairs of those to learn from are tied, so that they say nothing", file=sys.stderr
        )
