"""Prompts with several completions each, forwarded so that every prompt is computed once.

The prompt's keys and values are computed with the gradient kept, repeated for its completions, and
continued by them; outputs exist at completion positions only. The numbers are those of one padded row
a completion, at a fraction of the work: completions of one prompt repeat nothing but what differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedConfig

from language.batching import Batch, pad_left, pad_right, position_ids
from language.logprobs import entropy, token_logprobs


@dataclass(frozen=True)
class PromptGroups:
    """`num_completions` completions of each prompt: completion row i belongs to prompt i // num_completions.

    Prompts are padded left, so that all end in the last column; completions are padded right.
    """

    prompts: Batch
    completions: Batch
    num_completions: int

    @property
    def num_forwarded(self) -> int:
        """Positions that a forward pass computes, padding included: what memory and time are made of."""
        return self.prompts.input_ids.numel() + self.completions.input_ids.numel()


def group_prompts(
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    *,
    pad_token_id: int,
    device: str | torch.device = "cpu",
) -> PromptGroups:
    """Pad prompts and their completions, which come in the prompts' order, equally many for each."""
    num_completions, left_over = divmod(len(completions), len(prompts))
    assert left_over == 0, f"{len(completions)} completions cannot be shared equally by {len(prompts)} prompts"
    return PromptGroups(
        pad_left(prompts, pad_token_id=pad_token_id, device=device),
        pad_right(completions, pad_token_id=pad_token_id, device=device),
        num_completions,
    )


def completion_logprobs(model: nn.Module, groups: PromptGroups, *, temperature: float) -> Float[Tensor, "rows length"]:
    """log π of every completion token given all before it, nats; values at padding mean nothing."""
    return torch.cat([token_logprobs(*part, temperature=temperature) for part in _logits(model, groups)], dim=1)


def completion_logprobs_and_entropies(
    model: nn.Module, groups: PromptGroups, *, temperature: float
) -> tuple[Float[Tensor, "rows length"], Float[Tensor, "rows length"]]:
    """The same, and the entropy of the distribution that each token was drawn from, nats."""
    parts = _logits(model, groups)
    logprobs = [token_logprobs(logits, ids, temperature=temperature) for logits, ids in parts]
    return torch.cat(logprobs, dim=1), torch.cat([entropy(part[0], temperature=temperature) for part in parts], dim=1)


def completion_states(backbone: nn.Module, groups: PromptGroups) -> Float[Tensor, "rows states hidden"]:
    """The trunk's states at the last prompt token and at every completion token: 1 + length a row.

    State t is what the policy saw before it chose token t; the state after the last token is where a
    reward model reads its score.
    """
    prompts, completions = _forward(backbone, groups, groups.completions.input_ids.shape[1], {})
    last = prompts.last_hidden_state[:, -1:].repeat_interleave(groups.num_completions, dim=0)
    states: Tensor = torch.cat([last, completions.last_hidden_state], dim=1)
    return states


def _logits(
    model: nn.Module, groups: PromptGroups
) -> list[tuple[Float[Tensor, "rows part vocab"], Int[Tensor, "rows part"]]]:
    """Logits and the tokens they predict: the first token's, from the prompt, then all others'."""
    ids = groups.completions.input_ids
    # Nothing is predicted from the last token, so it is not forwarded.
    prompts, completions = _forward(model, groups, ids.shape[1] - 1, {"logits_to_keep": 1})
    first = (prompts.logits.repeat_interleave(groups.num_completions, dim=0), ids[:, :1])
    return [first] if completions is None else [first, (completions.logits, ids[:, 1:])]


def _forward(model: nn.Module, groups: PromptGroups, length: int, prompt_options: dict[str, Any]) -> tuple[Any, Any]:
    """Outputs for the prompts, and for the first `length` columns of their completions (None for no column)."""
    prompts, completions = groups.prompts, groups.completions
    cache = DynamicCache(config=cast(PreTrainedConfig, model.config))
    of_prompts = model(
        input_ids=prompts.input_ids,
        attention_mask=prompts.attention_mask,
        position_ids=prompts.position_ids,
        past_key_values=cache,
        use_cache=True,
        **prompt_options,
    )
    if length == 0:
        return of_prompts, None
    cache.batch_repeat_interleave(groups.num_completions)
    prompt_mask = prompts.attention_mask.repeat_interleave(groups.num_completions, dim=0)
    mask = torch.cat([prompt_mask, completions.attention_mask[:, :length]], dim=1)
    of_completions = model(
        input_ids=completions.input_ids[:, :length],
        attention_mask=mask,
        position_ids=position_ids(mask)[:, prompt_mask.shape[1] :],
        past_key_values=cache,
        use_cache=True,
    )
    return of_prompts, of_completions
