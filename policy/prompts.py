"""Prompts from an export or a file, as tokens: read strictly, counted where left out, in seeded order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from transformers import PreTrainedTokenizerBase

from language.batching import seeded_order
from language.chat import render_prompt
from records import Demonstration, Prompt, RecordError, read_jsonl
from records.names import PROMPTS_FILE
from records.types import Split
from rewardmodel.data import DataError, Source, find_source

Member = TypeVar("Member")


@dataclass(frozen=True)
class TokenizedPrompt:
    """A prompt and its token ids, which end with the header that opens the answer."""

    prompt: Prompt
    token_ids: tuple[int, ...]

    @property
    def id(self) -> str:
        """The record's id."""
        return self.prompt.id


@dataclass(frozen=True)
class PromptSet:
    """The prompts of one split, and how many records were left out for which reason."""

    source: Source
    prompts: tuple[TokenizedPrompt, ...]
    left_out: dict[str, int]

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt."""
        return max(len(prompt.token_ids) for prompt in self.prompts)


def load_prompts(
    path: Path, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int, split: Split = "train"
) -> PromptSet:
    """The prompts of `split` in an export directory or a .jsonl file. Raises as `tokenize_prompts` does."""
    return tokenize_prompts(find_source(path, PROMPTS_FILE), tokenizer, max_tokens=max_tokens, split=split)


def tokenize_prompts(
    source: Source, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int, split: Split = "train"
) -> PromptSet:
    """The prompts of `split` in a file of them; a record without a split is in "train".

    Prompts longer than `max_tokens` are left out, not cut (InstructGPT App. C removes those over 1k tokens).
    Raises DataError or RecordError, which name file, record and field, where there is nothing to answer.
    """
    reasons: Counter[str] = Counter()
    kept: dict[str, TokenizedPrompt] = {}
    for prompt in read_jsonl(source.path, Prompt):
        _require_text(prompt, source.path)
        if prompt.id in kept:
            raise RecordError(f'{source.path.name}: prompt {prompt.id}: "id" is used twice in this file')
        if (prompt.split or "train") != split:
            reasons["other_split"] += 1
            continue
        token_ids = tuple(render_prompt(tokenizer, prompt.messages))
        if len(token_ids) > max_tokens:
            reasons["too_long"] += 1
        else:
            kept[prompt.id] = TokenizedPrompt(prompt, token_ids)
    if not kept:
        raise DataError(
            f"{source.path}: no prompt of split {split} fits {max_tokens} tokens; left out: {dict(reasons) or 'none'}"
        )
    return PromptSet(source, tuple(kept.values()), dict(reasons))


def prompts_of(
    demonstrations: Sequence[Demonstration], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int
) -> list[TokenizedPrompt]:
    """What each dialogue's last answer answers; dialogues without a user's word before it have none."""
    found = []
    for demonstration in demonstrations:
        last = max(i for i, message in enumerate(demonstration.messages) if message.role == "assistant")
        asked = demonstration.messages[:last]
        if asked and asked[-1].role == "user":
            prompt = Prompt(id=demonstration.id, messages=asked, split=demonstration.split)
            found.append(TokenizedPrompt(prompt, tuple(render_prompt(tokenizer, asked))))
    return [prompt for prompt in found if len(prompt.token_ids) <= max_tokens]


def draw(members: Sequence[Member], *, start: int, count: int, seed: int) -> list[Member]:
    """`count` members from place `start` of an endless stream: one seeded order after another.

    A pure function of its arguments: a resumed run draws what the uninterrupted one would have drawn.
    """
    first, last = start // len(members), (start + count - 1) // len(members)
    stream = [index for epoch in range(first, last + 1) for index in seeded_order(len(members), seed=seed, epoch=epoch)]
    offset = start - first * len(members)
    return [members[index] for index in stream[offset : offset + count]]


def _require_text(prompt: Prompt, path: Path) -> None:
    for index, message in enumerate(prompt.messages):
        if not message.content.strip():
            raise RecordError(f'{path.name}: prompt {prompt.id}: "messages[{index}].content" is empty')
