"""Completions of a split's prompts by one policy, as JSON lines, with the KL to another policy where one is named.

The same seed draws with the same random numbers from any policy, so two files of one seed can be compared prompt
by prompt. A run that was cut off goes on behind the last whole line.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from language.chat import end_token_id
from language.checkpoints import load_causal_lm, load_tokenizer
from language.commandline import autocast, run
from language.generation import Sampled, sample_batch
from language.seeds import derived_seed
from policy.judging import as_completion
from policy.learner import sampling_model
from policy.objective import kl_of_logits
from policy.prompts import TokenizedPrompt, load_prompts
from policy.shared_prompt import PromptGroups, completion_logits
from records import Completion, Message, SamplingParams, read_jsonl
from records.lines import to_line
from records.types import Split

_AT_ONCE = 16  # prompts sampled between two writes
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class SamplesConfig:
    """Whose completions of which prompts."""

    policy: Path
    """Directory of the policy to sample from."""
    prompts: Path
    """A .jsonl file of prompts."""
    split: Split
    """Which of them."""
    out: Path
    """The .jsonl file to write, or to go on with."""
    num_completions: int = 4
    """Completions of each prompt."""
    max_new_tokens: int = 48
    """Longest completion, in tokens."""
    max_prompt_tokens: int = 200
    """Longer prompts are left out."""
    seed: int = 0
    """Seed of the samples; every split has its own."""
    reference: Path | None = None
    """Directory of a policy: the KL to it is written beside every completion."""


@dataclass(frozen=True)
class Answers:
    """One prompt with its completions; `kls` are nats per completion to the reference, whole distributions summed."""

    id: str
    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]
    kls: tuple[float, ...] = ()


def main(config: SamplesConfig) -> None:
    """Sample what is missing, some prompts at a time."""
    tokenizer = load_tokenizer(config.policy)
    prompts = load_prompts(config.prompts, tokenizer, max_tokens=config.max_prompt_tokens, split=config.split).prompts
    done = _whole_lines(config.out)
    if done == len(prompts):
        return
    policy = load_causal_lm(config.policy)
    sampler = sampling_model(policy, precision="bf16")
    reference = load_causal_lm(config.reference) if config.reference else None
    seed = derived_seed(config.seed, "gold samples", config.split)  # of the first prompt, wherever a run goes on
    with open(config.out, "a", encoding="utf-8") as file:
        for start in range(done, len(prompts), _AT_ONCE):
            piece = prompts[start : start + _AT_ONCE]
            params = SamplingParams(
                temperature=1.0,
                max_new_tokens=config.max_new_tokens,
                seed=seed + start * config.num_completions,
            )
            sampled = sample_batch(
                sampler,
                [prompt.token_ids for prompt in piece],
                num_completions=config.num_completions,
                params=params,
                end_token_id=end_token_id(tokenizer),
            )
            for place, (prompt, own) in enumerate(zip(piece, sampled, strict=True)):
                first = params.seed + place * config.num_completions
                completions = tuple(
                    as_completion(
                        one, tokenizer, f"{prompt.id}-{i}", config.policy.name, replace(params, seed=first + i)
                    )
                    for i, one in enumerate(own)
                )
                kls = tuple(_kls(policy, reference, prompt, own)) if reference is not None else ()
                file.write(to_line(Answers(prompt.id, prompt.prompt.messages, completions, kls)))
            file.flush()
            os.fsync(file.fileno())
            print(f"{config.out.name}: {start + len(piece)} of {len(prompts)} prompts", file=sys.stderr, flush=True)


def read_answers(path: Path) -> list[Answers]:
    """All answers of a file."""
    return list(read_jsonl(path, Answers))


@torch.no_grad()
def _kls(
    policy: PreTrainedModel, reference: PreTrainedModel, prompt: TokenizedPrompt, sampled: Sequence[Sampled]
) -> Iterator[float]:
    groups = PromptGroups((prompt.token_ids,), (tuple(tuple(one.token_ids) for one in sampled),), _CPU)
    with autocast(_CPU, "bf16"):
        logits, ref_logits = (completion_logits(model, groups) for model in (policy, reference))
    kls = kl_of_logits(logits, ref_logits, temperature=1.0)
    for own in torch.split(kls, [len(one.token_ids) for one in sampled]):
        yield float(own.sum())


def _whole_lines(path: Path) -> int:
    """How many prompts are answered already; half a line, which a kill leaves, is taken away."""
    if not path.exists():
        return 0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        path.write_text("".join(whole), encoding="utf-8")
    return len(whole)


if __name__ == "__main__":
    run(main, SamplesConfig)
