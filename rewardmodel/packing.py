"""Completions of one prompt in one row: the prompt is forwarded once, with gradients, for all of them.

The row is [prompt; completion; completion; …; prompt; completion; …]. Positions go on after the prompt
for each of its completions, and attention is computed span by span: a completion sees its own prompt
and itself, nothing else. K completions then cost prompt + Σ completions tokens, not K × (prompt +
completion), without padding; scores and gradients equal those of separate forwards to rounding.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import AttentionInterface

from language.activation_checkpointing import attending
from language.batching import pad_right
from rewardmodel.comparisons import Comparison
from rewardmodel.model import Backbone, RewardModel, last_states
from rewardmodel.reach import alike, forget_lengths, reach_of, rejoin

_ATTENTION = "parley_shared_prompt"


@dataclass(frozen=True)
class Span:
    """Where one prompt and its completions lie in the row."""

    prompt: slice
    completions: tuple[slice, ...]


@dataclass(frozen=True)
class Layout:
    """The spans of a row, and the masks that their completions need, made once for all layers."""

    spans: tuple[Span, ...]
    _masks: dict[tuple[int, int, torch.dtype], Tensor] = field(default_factory=dict)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each prompt and of each of its completions, in the order in which they lie."""
        parts = [part for span in self.spans for part in (span.prompt, *span.completions)]
        return [part.stop - part.start for part in parts]

    def mask(self, num_prompt: int, num_completion: int, like: Tensor) -> Float[Tensor, "completion both"]:
        """0 where a completion's token may look, −∞ where not: all of the prompt, and itself up to the token."""
        key = (num_prompt, num_completion, like.dtype)
        if key not in self._masks:
            visible = completion_mask(num_prompt, num_completion, like.device)
            self._masks[key] = torch.zeros_like(visible, dtype=like.dtype).masked_fill_(~visible, -torch.inf)
        return self._masks[key]


@dataclass(frozen=True)
class PackedRow:
    """Comparisons as one row of tokens. `read_at` holds the column of each completion's last token."""

    input_ids: Int[Tensor, "1 length"]
    position_ids: Int[Tensor, "1 length"]
    read_at: Int[Tensor, " completions"]
    layout: Layout


def packed_scores(model: RewardModel, comparisons: Sequence[Comparison]) -> Float[Tensor, " completions"]:
    """Scores of all completions, laid end to end, each prompt forwarded once. Gradients flow."""
    return model.values_of(packed_states(model, comparisons))


def packed_states(model: RewardModel, comparisons: Sequence[Comparison]) -> Float[Tensor, "completions hidden"]:
    """The hidden states that `packed_scores` reads scores from: those of each completion's last token."""
    row = pack(comparisons, model.device)
    with _attending_by_span(model.backbone):
        hidden: Tensor = model.backbone(
            input_ids=row.input_ids, position_ids=row.position_ids, use_cache=False, layout=row.layout
        ).last_hidden_state
    return hidden[0, row.read_at]


def padded_scores(model: RewardModel, comparisons: Sequence[Comparison]) -> Float[Tensor, " completions"]:
    """The same scores the plain way: one padded row a completion, its prompt repeated in each.

    What packed rows are tested against, and the way for trunks that cannot have them.
    """
    return model.values_of(padded_states(model, comparisons))


def padded_states(model: RewardModel, comparisons: Sequence[Comparison]) -> Float[Tensor, "completions hidden"]:
    """The hidden states that `padded_scores` reads scores from."""
    sequences = [
        [*comparison.prompt_ids, *completion] for comparison in comparisons for completion in comparison.completion_ids
    ]
    groups = alike(model.backbone, list(map(len, sequences)))
    found = [_padded_states(model, [sequences[index] for index in group]) for group in groups]
    return found[0] if len(found) == 1 else rejoin(found, groups, [1] * len(sequences))


def _padded_states(model: RewardModel, sequences: Sequence[Sequence[int]]) -> Float[Tensor, "sequences hidden"]:
    forget_lengths(model.backbone)
    batch = pad_right(sequences, pad_token_id=0, device=model.device)
    return last_states(model, batch.input_ids, batch.attention_mask)


def pack(comparisons: Sequence[Comparison], device: torch.device) -> PackedRow:
    """Lay prompts and completions end to end."""
    ids: list[int] = []
    positions: list[int] = []
    read_at: list[int] = []
    spans = []
    for comparison in comparisons:
        num_prompt = len(comparison.prompt_ids)
        prompt = slice(len(ids), len(ids) + num_prompt)
        ids += comparison.prompt_ids
        positions += range(num_prompt)
        completions = []
        for completion in comparison.completion_ids:
            completions.append(slice(len(ids), len(ids) + len(completion)))
            ids += completion
            positions += range(num_prompt, num_prompt + len(completion))
            read_at.append(len(ids) - 1)
        spans.append(Span(prompt, tuple(completions)))
    row, places, ends = (torch.tensor(column, dtype=torch.long, device=device) for column in (ids, positions, read_at))
    return PackedRow(row[None], places[None], ends, Layout(tuple(spans)))


def shared_prompt_attention(
    module: nn.Module,
    query: Float[Tensor, "1 heads length dim"],
    key: Float[Tensor, "1 kv_heads length dim"],
    value: Float[Tensor, "1 kv_heads length dim"],
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    layout: Layout,
    **_: Any,
) -> tuple[Float[Tensor, "1 length heads dim"], None]:
    """Attention over a packed row, in the form that transformers calls.

    Keys and values of a prompt serve all its completions, so their gradients add up where they meet.
    """
    del module, attention_mask
    # Split and not sliced: the gradient of a slice is as large as the whole row, and that of a split is one joining.
    queries, keys, values = (
        iter(torch.split(tensor.to(_compute_dtype(tensor)), layout.lengths, dim=2)) for tensor in (query, key, value)
    )
    outputs = []
    for span in layout.spans:
        prompt_key, prompt_value = next(keys), next(values)
        outputs.append(attend(next(queries), prompt_key, prompt_value, layout, scaling))
        for _own in span.completions:
            both_keys, both_values = torch.cat([prompt_key, next(keys)], 2), torch.cat([prompt_value, next(values)], 2)
            outputs.append(attend(next(queries), both_keys, both_values, layout, scaling))
    return torch.cat(outputs, dim=2).transpose(1, 2).contiguous(), None


def completion_mask(
    num_prompt: int, num_completion: int, device: torch.device | str = "cpu"
) -> Bool[Tensor, "completion both"]:
    """True where a completion's token may look: every token of the prompt, its own up to itself."""
    visible = torch.ones(num_completion, num_prompt + num_completion, dtype=torch.bool, device=device)
    return visible.tril(diagonal=num_prompt)


def attend(
    query: Float[Tensor, "1 heads length dim"],
    key: Float[Tensor, "1 kv_heads both dim"],
    value: Float[Tensor, "1 kv_heads both dim"],
    layout: Layout,
    scaling: float | None,
) -> Float[Tensor, "1 heads length dim"]:
    """Causal attention of the last `length` of `both` tokens, by whichever way is faster here.

    PyTorch's own kernel, but for bf16 on a CPU: there plain products take a third of its time on spans of
    a few hundred tokens (measured with 2.13).
    """
    num_before = key.shape[2] - query.shape[2]
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        mask = layout.mask(num_before, query.shape[2], query)
        return _multiplied_attention(query, key, value, mask, scaling or query.shape[-1] ** -0.5)
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=layout.mask(num_before, query.shape[2], query) if num_before else None,
        is_causal=num_before == 0,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )


def shares_prompts(model: RewardModel, comparisons: Sequence[Comparison]) -> bool:
    """Whether this trunk computes packed rows rightly: asked of the model itself, not of its name.

    Told by a probe, once a model: a small row must score as its completions do apart. What bites on longer
    sequences only is told from the configuration (rewardmodel.reach).
    """
    reach = reach_of(model.backbone)
    longest = max(map(_longest, comparisons), default=0)
    if reach.sequence < longest or reach.row < sum(comparison.num_tokens for comparison in comparisons):
        return False
    if model.shares_prompts is None:
        model.shares_prompts = _probe(model)
    return model.shares_prompts


def _compute_dtype(tensor: Tensor) -> torch.dtype:
    """What autocast would compute in. Rotary positions leave fp32 queries behind; cast once, not in every span."""
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tensor.dtype


def _multiplied_attention(
    query: Float[Tensor, "1 heads length dim"],
    key: Float[Tensor, "1 kv_heads both dim"],
    value: Float[Tensor, "1 kv_heads both dim"],
    mask: Float[Tensor, "length both"],
    scaling: float,
) -> Float[Tensor, "1 heads length dim"]:
    """Attention as two products and a softmax in fp32; the heads that share keys are rows of one product."""
    _, heads, length, dim = query.shape
    kv_heads = key.shape[1]
    rows = query.reshape(kv_heads, heads // kv_heads * length, dim)
    scores = (rows @ key[0].transpose(1, 2)).reshape(kv_heads, heads // kv_heads, length, -1)
    weights = (scores.float() * scaling + mask).softmax(dim=-1).to(query.dtype)
    return (weights.reshape(kv_heads, rows.shape[1], -1) @ value[0]).reshape(1, heads, length, dim)


def _attending_by_span(backbone: Backbone) -> AbstractContextManager[None]:
    # The name is in no table of mask functions, so transformers makes no mask and hands None through.
    return attending(backbone, _ATTENTION)


@torch.no_grad()
def _probe(model: RewardModel) -> bool:
    probes = [_made_up(0, 5, (2, 4)), _made_up(9, 3, (3, 1, 2))]
    with torch.autocast(model.device.type, enabled=False):
        expected = padded_scores(model, probes)
        try:
            found = packed_scores(model, probes)
        except (TypeError, ValueError, RuntimeError, KeyError):
            return False  # a trunk that does not take the layout, or has attention of its own
    tolerance = 1e-3 if next(model.backbone.parameters()).dtype == torch.float32 else 5e-2
    return torch.allclose(found, expected, rtol=tolerance, atol=tolerance)


def _made_up(first: int, num_prompt: int, lengths: tuple[int, ...]) -> Comparison:
    completions = tuple(tuple(range(first + i + 1, first + i + 1 + length)) for i, length in enumerate(lengths))
    prompt = tuple(range(first, first + num_prompt))
    return Comparison("probe", prompt, completions, lengths, (), ())


def _longest(comparison: Comparison) -> int:
    return len(comparison.prompt_ids) + max(map(len, comparison.completion_ids))


AttentionInterface.register(_ATTENTION, shared_prompt_attention)
