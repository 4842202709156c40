"""What a network says of completions, token by token, every prompt forwarded once for all its completions.

Prompts and completions lie end to end in one row without padding, and logits are computed only where a
completion's token is predicted. A network that cannot be packed gets one padded row a completion; the
numbers are the same to rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from language.batching import Batch, pad_prompts_and_responses
from language.chunked_logprobs import chunked_logprobs, chunked_logprobs_and_entropies, chunking
from language.logprobs import entropy, response_logits, token_logprobs
from language.parallel import within
from policy.packing import attending_by_span, pack_row, packs
from rewardmodel.packing import PackedRow
from rewardmodel.reach import alike, forget_lengths, rejoin


@dataclass(frozen=True)
class PromptGroups:
    """Prompts and the completions of each, as token ids. Results have one row a completion, in this order.

    `shown` is what people see of the completions, which is all that a score may be read from; () where that is all.
    """

    prompts: tuple[tuple[int, ...], ...]
    completions: tuple[tuple[tuple[int, ...], ...], ...]
    device: torch.device
    shown: tuple[tuple[tuple[int, ...], ...], ...] = ()

    @cached_property
    def as_shown(self) -> "PromptGroups":
        """The same with each completion as people see it; for scores."""
        is_same = not self.shown or self.shown == self.completions
        return self if is_same else PromptGroups(self.prompts, self.shown, self.device)

    @cached_property
    def mask(self) -> Bool[Tensor, "rows length"]:
        """True on the completions' tokens, which begin in the first column."""
        lengths = torch.tensor([len(ids) for own in self.completions for ids in own], device=self.device)
        return torch.arange(int(lengths.max()), device=self.device) < lengths[:, None]

    @cached_property
    def token_ids(self) -> Int[Tensor, " tokens"]:
        """The completions' tokens, end to end."""
        return torch.tensor([index for own in self.completions for ids in own for index in ids], device=self.device)

    @cached_property
    def row(self) -> PackedRow:
        """All of it end to end: each prompt, then its completions."""
        return pack_row(self.prompts, self.completions, self.device)

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt with one completion."""
        return max(len(prompt) + len(ids) for prompt, ids in self.pairs)

    @property
    def num_tokens(self) -> int:
        """Tokens of the row."""
        return sum(map(len, self.prompts)) + sum(len(ids) for _, ids in self.pairs)

    @property
    def pairs(self) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Each completion with its prompt."""
        return [(prompt, ids) for prompt, own in zip(self.prompts, self.completions, strict=True) for ids in own]

    def apart(self, groups: Sequence[Sequence[int]]) -> "list[PromptGroups]":
        """The completions of each of these groups of rows, each with a prompt of its own."""
        parts = [list(zip(*(self.pairs[index] for index in group), strict=True)) for group in groups]
        return [PromptGroups(prompts, tuple((ids,) for ids in own), self.device) for prompts, own in parts]

    @cached_property
    def padded(self) -> Batch:
        """One row a completion, its prompt repeated: prompts padded left, completions right."""
        prompts, completions = zip(*self.pairs, strict=True)
        return pad_prompts_and_responses(prompts, completions, pad_token_id=0, device=self.device)

    def columns_before(self, *, and_after_last: bool) -> Int[Tensor, " columns"]:
        """The row's columns just before each completion's tokens; with the column of its last token if asked."""
        columns: list[int] = []
        for span in self.row.layout.spans:
            for own in span.completions:
                columns += [span.prompt.stop - 1, *range(own.start, own.stop - (not and_after_last))]
        return torch.tensor(columns, device=self.device)


def completion_logprobs(model: nn.Module, groups: PromptGroups, *, temperature: float) -> Float[Tensor, "rows length"]:
    """log π of every completion token given all before it, nats; 0 at padding."""
    if unembedding := chunking(model, len(groups.token_ids)):

        def by_chunks() -> Tensor:
            states = _states_before(unembedding.trunk, groups)
            return _widen(chunked_logprobs(unembedding, states, groups.token_ids, temperature=temperature), groups.mask)

        return within(model, by_chunks)
    logits = completion_logits(model, groups)
    return _widen(token_logprobs(logits, groups.token_ids, temperature=temperature), groups.mask)


def completion_logprobs_and_entropies(
    model: nn.Module, groups: PromptGroups, *, temperature: float
) -> tuple[Float[Tensor, "rows length"], Float[Tensor, "rows length"]]:
    """The same, and the entropy of the distribution that each token was drawn from, nats, without gradients."""
    if unembedding := chunking(model, len(groups.token_ids)):

        def by_chunks() -> tuple[Tensor, Tensor]:
            states, token_ids = _states_before(unembedding.trunk, groups), groups.token_ids
            with torch.no_grad():
                found = chunked_logprobs_and_entropies(unembedding, states, token_ids, temperature=temperature)
            if torch.is_grad_enabled():  # to be trained from too: the chunks are computed again in its backward pass
                trained = chunked_logprobs(unembedding, states, token_ids, temperature=temperature)
                return _widen(trained, groups.mask), _widen(found[1], groups.mask)
            return _widen(found[0], groups.mask), _widen(found[1], groups.mask)

        return within(model, by_chunks)
    logits = completion_logits(model, groups)
    logprobs = token_logprobs(logits, groups.token_ids, temperature=temperature)
    return _widen(logprobs, groups.mask), _widen(entropy(logits.detach(), temperature=temperature), groups.mask)


def completion_states(backbone: nn.Module, groups: PromptGroups) -> Float[Tensor, "rows states hidden"]:
    """The trunk's states at the last prompt token and at every completion token: 1 + length a row.

    State t is what the policy saw before it chose token t; the state after the last token is where a
    reward model reads its score.
    """
    before_first = torch.ones_like(groups.mask[:, :1])
    return _widen(_states(backbone, groups), torch.cat([before_first, groups.mask], dim=1))


def completion_logits(model: nn.Module, groups: PromptGroups) -> Float[Tensor, "tokens vocab"]:
    """The logits that predict the completions' tokens, end to end; none for the prompts."""
    if not packs(model, longest=groups.longest, row=groups.num_tokens):
        parts = alike(model, [len(prompt) + len(ids) for prompt, ids in groups.pairs])
        if len(parts) > 1:
            found = [completion_logits(model, part) for part in groups.apart(parts)]
            return rejoin(found, parts, [len(ids) for _, ids in groups.pairs])
        forget_lengths(model)
        batch, length = groups.padded, groups.mask.shape[1]
        wide = response_logits(cast(PreTrainedModel, model), batch.input_ids, batch.attention_mask, length)
        return wide[groups.mask]
    with attending_by_span(model):
        logits: Tensor = model(
            input_ids=groups.row.input_ids,
            position_ids=groups.row.position_ids,
            use_cache=False,
            layout=groups.row.layout,
            logits_to_keep=groups.columns_before(and_after_last=False),
        ).logits
    return logits.squeeze(0)  # a view, whose gradient copies nothing


def _states_before(trunk: nn.Module, groups: PromptGroups) -> Float[Tensor, "tokens hidden"]:
    """The states that the completions' tokens are predicted from, end to end."""
    lengths = [len(ids) for _, ids in groups.pairs]
    is_before = torch.tensor([place < length for length in lengths for place in range(length + 1)])
    return _states(trunk, groups)[is_before.to(groups.device)]


def _states(backbone: nn.Module, groups: PromptGroups) -> Float[Tensor, "states hidden"]:
    """States before each of the completions' tokens and after the last, end to end."""
    if not packs(backbone, longest=groups.longest, row=groups.num_tokens):
        parts = alike(backbone, [len(prompt) + len(ids) for prompt, ids in groups.pairs])
        if len(parts) > 1:
            found = [_states(backbone, part) for part in groups.apart(parts)]
            return rejoin(found, parts, [1 + len(ids) for _, ids in groups.pairs])
        forget_lengths(backbone)
        batch, length = groups.padded, groups.mask.shape[1]
        hidden: Tensor = backbone(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            position_ids=batch.position_ids,
            use_cache=False,
        ).last_hidden_state[:, -length - 1 :]
        return hidden[torch.cat([torch.ones_like(groups.mask[:, :1]), groups.mask], dim=1)]
    with attending_by_span(backbone):
        hidden = backbone(
            input_ids=groups.row.input_ids,
            position_ids=groups.row.position_ids,
            use_cache=False,
            layout=groups.row.layout,
        ).last_hidden_state
    return hidden[0, groups.columns_before(and_after_last=True)]


def _widen(
    flat: Float[Tensor, " tokens *rest"], mask: Bool[Tensor, "rows length"]
) -> Float[Tensor, "rows length *rest"]:
    """Values end to end as rows padded with 0. Gradients flow."""
    wide = flat.new_zeros(*mask.shape, *flat.shape[1:])
    return wide.masked_scatter(mask.reshape(*mask.shape, *[1] * (flat.ndim - 1)), flat)
