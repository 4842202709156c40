"""Demonstrations as tokens with their targets, cut into microbatches, and the loss over them.

Targets are an assistant's text and the end token that closes it; the loss is the mean over the
targets of a whole batch, however it is cut. Packed or padded, a dialogue never sees another.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from language.batching import length_buckets, pad_right
from language.chat import render_dialogue
from language.logprobs import token_logprobs
from records import Demonstration, RecordError, read_jsonl
from records.names import DEMONSTRATIONS_FILE
from rewardmodel.data import DataError, Source, find_source
from rewardmodel.splits import dialogue_key


@dataclass(frozen=True)
class TokenizedDialogue:
    """A dialogue's token ids and which of them are to be learnt."""

    id: str
    token_ids: tuple[int, ...]
    is_target: tuple[bool, ...]

    @property
    def num_targets(self) -> int:
        """Tokens that count in the loss."""
        return sum(self.is_target)


@dataclass(frozen=True)
class DialogueSet:
    """Dialogues to train on and to validate on, and how many were left out for which reason."""

    source: Source
    train: tuple[TokenizedDialogue, ...]
    validation: tuple[TokenizedDialogue, ...]
    left_out: dict[str, int]

    @property
    def longest(self) -> int:
        """Tokens of the longest dialogue."""
        return max(len(dialogue.token_ids) for dialogue in (*self.train, *self.validation))


@dataclass(frozen=True)
class DialogueBatch:
    """Dialogues in rows. `attention_mask` is True on real tokens, or additive [1, 1, length, length] where packed."""

    ids: tuple[str, ...]
    input_ids: Int[Tensor, "rows length"]
    is_target: Bool[Tensor, "rows length"]
    attention_mask: Tensor
    position_ids: Int[Tensor, "rows length"]


def load_dialogues(
    path: Path, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int, validation_fraction: float
) -> DialogueSet:
    """The demonstrations of an export directory or a .jsonl file, as tokens.

    A record without a split gets one by its first message. Dialogues longer than `max_tokens` are left out
    and counted. Raises DataError or RecordError, naming file, record and field, where nothing can be learnt.
    """
    source = find_source(path, DEMONSTRATIONS_FILE)
    reasons: Counter[str] = Counter()
    kept: dict[str, list[TokenizedDialogue]] = {"train": [], "validation": [], "test": []}
    for demonstration in read_jsonl(source.path, Demonstration):
        dialogue = tokenize_dialogue(demonstration, tokenizer, where=source.path.name)
        if len(dialogue.token_ids) > max_tokens:
            reasons["too_long"] += 1
        else:
            kept[demonstration.split or _drawn_split(demonstration, validation_fraction)].append(dialogue)
    if not kept["train"]:
        raise DataError(f"{source.path}: no training dialogue fits {max_tokens} tokens; left out: {dict(reasons)}")
    return DialogueSet(source, tuple(kept["train"]), tuple(kept["validation"]), dict(reasons))


def tokenize_dialogue(
    demonstration: Demonstration, tokenizer: PreTrainedTokenizerBase, *, where: str = "demonstrations"
) -> TokenizedDialogue:
    """Ids and targets of a demonstration by the model's chat template."""
    for index, message in enumerate(demonstration.messages):
        if not message.content.strip():
            raise RecordError(f'{where}: demonstration {demonstration.id}: "messages[{index}].content" is empty')
    token_ids, is_target = render_dialogue(tokenizer, demonstration.messages)
    return TokenizedDialogue(demonstration.id, tuple(token_ids), tuple(is_target))


def cut_batch(
    dialogues: Sequence[TokenizedDialogue], *, token_budget: int, packing: bool
) -> list[list[TokenizedDialogue]]:
    """A batch in pieces of at most `token_budget` positions; a longer dialogue is a piece of its own."""
    if packing:
        return _first_fit(dialogues, token_budget)
    buckets = length_buckets([len(dialogue.token_ids) for dialogue in dialogues], token_budget=token_budget)
    return [[dialogues[index] for index in bucket] for bucket in buckets]


def lay_out(
    dialogues: Sequence[TokenizedDialogue], *, packing: bool, device: str | torch.device = "cpu"
) -> DialogueBatch:
    """Dialogues as tensors: packed into one row without any padding, or padded, a row each."""
    return pack(dialogues, device=device) if packing else pad(dialogues, device=device)


def pad(dialogues: Sequence[TokenizedDialogue], *, device: str | torch.device = "cpu") -> DialogueBatch:
    """One row a dialogue, padded right."""
    batch = pad_right([dialogue.token_ids for dialogue in dialogues], pad_token_id=0, device=device)
    targets = pad_right([dialogue.is_target for dialogue in dialogues], pad_token_id=0, device=device)
    return DialogueBatch(
        tuple(dialogue.id for dialogue in dialogues),
        batch.input_ids,
        targets.input_ids.bool(),
        batch.attention_mask,
        batch.position_ids,
    )


def pack(dialogues: Sequence[TokenizedDialogue], *, device: str | torch.device = "cpu") -> DialogueBatch:
    """All dialogues end to end in one row. Each attends to itself only and counts positions from 0."""
    lengths = torch.tensor([len(dialogue.token_ids) for dialogue in dialogues], device=device)
    owner = torch.arange(len(dialogues), device=device).repeat_interleave(lengths)
    positions = torch.cat([torch.arange(int(length), device=device) for length in lengths])
    place = torch.arange(len(owner), device=device)
    allowed = (owner[:, None] == owner[None, :]) & (place[:, None] >= place[None, :])
    mask = torch.zeros(allowed.shape, device=device).masked_fill(~allowed, torch.finfo(torch.float32).min)
    is_target = [flag for dialogue in dialogues for flag in dialogue.is_target]
    for start in (lengths.cumsum(0) - lengths).tolist():
        is_target[start] = False  # nothing before a first token may predict it, least of all a neighbour
    return DialogueBatch(
        tuple(dialogue.id for dialogue in dialogues),
        torch.tensor([[index for dialogue in dialogues for index in dialogue.token_ids]], device=device),
        torch.tensor([is_target], device=device),
        mask[None, None],
        positions[None],
    )


def target_nlls(model: nn.Module, batch: DialogueBatch) -> tuple[Float[Tensor, "rows kept"], Bool[Tensor, "rows kept"]]:
    """−log π of the next token where one is a target, in nats, and which entries are targets.

    Logits are computed only for columns in which some row has a target: a user's words cost no unembedding.
    """
    is_predictor = batch.is_target[:, 1:]
    columns = is_predictor.any(dim=0).nonzero().squeeze(1)
    logits = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        logits_to_keep=columns,
        use_cache=False,
    ).logits
    return -token_logprobs(logits, batch.input_ids[:, 1:][:, columns]), is_predictor[:, columns]


def _first_fit(dialogues: Sequence[TokenizedDialogue], token_budget: int) -> list[list[TokenizedDialogue]]:
    """Longest first, each into the first piece with room."""
    pieces: list[list[TokenizedDialogue]] = []
    rooms: list[int] = []
    for dialogue in sorted(dialogues, key=lambda member: -len(member.token_ids)):
        length = len(dialogue.token_ids)
        place = next((i for i, room in enumerate(rooms) if room >= length), len(pieces))
        if place == len(pieces):
            pieces.append([])
            rooms.append(token_budget)
        pieces[place].append(dialogue)
        rooms[place] -= length
    return pieces


def _drawn_split(demonstration: Demonstration, validation_fraction: float) -> str:
    """By the dialogue's own beginning, so that it never depends on what else is in the file."""
    asked = any(message.role == "user" for message in demonstration.messages)
    key = dialogue_key(demonstration.messages) if asked else demonstration.messages[0].content
    digest = hashlib.sha256(key.encode()).digest()
    return "validation" if int.from_bytes(digest[:8]) / 2**64 < validation_fraction else "train"
