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
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from language.batching import length_buckets, pad_right
from language.chat import render_dialogue
from language.chunked_logprobs import chunked_logprobs, chunking
from language.logprobs import token_logprobs
from language.parallel import within
from policy.packing import attending_by_span, pack_row, packs
from records import Demonstration, RecordError, read_jsonl
from records.names import DEMONSTRATIONS_FILE
from rewardmodel.data import DataError, Source, find_source
from rewardmodel.reach import alike, forget_lengths, rejoin
from rewardmodel.splits import dialogue_key


@dataclass(frozen=True)
class TokenizedDialogue:
    """A dialogue's token ids and which of them are to be learnt."""

    id: str
    token_ids: tuple[int, ...]
    is_target: tuple[bool, ...]

    @property
    def learnt(self) -> tuple[bool, ...]:
        """`is_target`, but never the first token, which nothing comes before."""
        return (False, *self.is_target[1:])

    @property
    def num_targets(self) -> int:
        """Tokens that count in the loss."""
        return sum(self.learnt)


@dataclass(frozen=True)
class DialogueSet:
    """Dialogues to train on and to validate on, and how many were left out for which reason."""

    source: Source
    train: tuple[TokenizedDialogue, ...]
    validation: tuple[TokenizedDialogue, ...]
    left_out: dict[str, int]
    held_out: tuple[Demonstration, ...] = ()
    """The records of `validation`."""


def load_dialogues(
    path: Path, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int, validation_fraction: float
) -> DialogueSet:
    """The demonstrations of an export directory or a .jsonl file. Raises as `tokenize_dialogues` does."""
    source = find_source(path, DEMONSTRATIONS_FILE)
    return tokenize_dialogues(source, tokenizer, max_tokens=max_tokens, validation_fraction=validation_fraction)


def tokenize_dialogues(
    source: Source, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int, validation_fraction: float
) -> DialogueSet:
    """The demonstrations of a file, as tokens.

    A record without a split gets one by its first message. Dialogues longer than `max_tokens` are left out
    and counted. Raises DataError or RecordError, naming file, record and field, where nothing can be learnt.
    """
    reasons: Counter[str] = Counter()
    kept: dict[str, list[TokenizedDialogue]] = {"train": [], "validation": [], "test": []}
    held_out = []
    for demonstration in read_jsonl(source.path, Demonstration):
        dialogue = tokenize_dialogue(demonstration, tokenizer, where=source.path.name)
        if len(dialogue.token_ids) > max_tokens:
            reasons["too_long"] += 1
        elif not any(dialogue.learnt):
            reasons["nothing_by_a_person"] += 1  # every answer is wholly a policy's
        else:
            split = demonstration.split or drawn_split(demonstration, validation_fraction)
            kept[split].append(dialogue)
            if split == "validation":
                held_out.append(demonstration)
            elif split == "test":
                reasons["other_split"] += 1
    if not kept["train"]:
        raise DataError(f"{source.path}: no training dialogue fits {max_tokens} tokens; left out: {dict(reasons)}")
    return DialogueSet(source, tuple(kept["train"]), tuple(kept["validation"]), dict(reasons), tuple(held_out))


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


def target_nlls(
    model: nn.Module, dialogues: Sequence[TokenizedDialogue], *, packing: bool
) -> Float[Tensor, " targets"]:
    """−log π of every target token, in nats, dialogue by dialogue.

    With `packing` dialogues lie end to end in one row without padding, each attending to itself only; without,
    or where the model cannot, each in a padded row. A user's words cost no unembedding in the first case.
    """
    lengths = [len(dialogue.token_ids) for dialogue in dialogues]
    if packing and packs(model, longest=max(lengths), row=sum(lengths)):
        return _packed_nlls(model, dialogues)
    groups = alike(model, lengths)
    found = [_padded_nlls(model, [dialogues[index] for index in group]) for group in groups]
    return found[0] if len(found) == 1 else rejoin(found, groups, [dialogue.num_targets for dialogue in dialogues])


def _packed_nlls(model: nn.Module, dialogues: Sequence[TokenizedDialogue]) -> Float[Tensor, " targets"]:
    device = next(model.parameters()).device
    row = pack_row(tuple(dialogue.token_ids for dialogue in dialogues), ((),) * len(dialogues), device)
    is_target = torch.tensor([flag for dialogue in dialogues for flag in dialogue.learnt], device=device)
    targets = is_target.nonzero().squeeze(1)
    if unembedding := chunking(model, len(targets)):

        def by_chunks() -> Tensor:
            with attending_by_span(unembedding.trunk):
                states: Tensor = unembedding.trunk(
                    input_ids=row.input_ids, position_ids=row.position_ids, use_cache=False, layout=row.layout
                ).last_hidden_state
            return -chunked_logprobs(unembedding, states[0, targets - 1], row.input_ids[0, targets])

        return within(model, by_chunks)
    with attending_by_span(model):
        logits: Tensor = model(
            input_ids=row.input_ids,
            position_ids=row.position_ids,
            use_cache=False,
            layout=row.layout,
            logits_to_keep=targets - 1,
        ).logits
    return -token_logprobs(logits[0], row.input_ids[0, targets])


def _padded_nlls(model: nn.Module, dialogues: Sequence[TokenizedDialogue]) -> Float[Tensor, " targets"]:
    forget_lengths(model)
    device = next(model.parameters()).device
    batch = pad_right([dialogue.token_ids for dialogue in dialogues], pad_token_id=0, device=device)
    flags = pad_right([dialogue.learnt for dialogue in dialogues], pad_token_id=0, device=device)
    is_predictor = flags.input_ids[:, 1:].bool()
    inputs = {"attention_mask": batch.attention_mask, "position_ids": batch.position_ids, "use_cache": False}
    if unembedding := chunking(model, int(is_predictor.any(dim=0).sum()) * len(dialogues)):

        def by_chunks() -> Tensor:
            states: Tensor = unembedding.trunk(input_ids=batch.input_ids, **inputs).last_hidden_state
            return -chunked_logprobs(unembedding, states[:, :-1][is_predictor], batch.input_ids[:, 1:][is_predictor])

        return within(model, by_chunks)
    # Columns in which some row has a target: the others cost no unembedding.
    columns = is_predictor.any(dim=0).nonzero().squeeze(1)
    logits: Tensor = model(input_ids=batch.input_ids, **inputs, logits_to_keep=columns).logits
    return -token_logprobs(logits, batch.input_ids[:, 1:][:, columns])[is_predictor[:, columns]]


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


def drawn_split(demonstration: Demonstration, validation_fraction: float) -> str:
    """By the dialogue's own beginning, so that it never depends on what else is in the file."""
    asked = any(message.role == "user" for message in demonstration.messages)
    key = dialogue_key(demonstration.messages) if asked else demonstration.messages[0].content
    digest = hashlib.sha256(key.encode()).digest()
    return "validation" if int.from_bytes(digest[:8]) / 2**64 < validation_fraction else "train"
