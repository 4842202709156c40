"""Log-probabilities over a large vocabulary without ever holding all its logits.

Logits of 2,048 tokens over 128,000 words are 1 GiB in fp32, and a loss holds several copies. From the trunk's
hidden states they are computed a few hundred tokens at a time, and again in the backward pass, so that no more
than a chunk of them exists at once. Numbers and gradients are those of the plain form to rounding.

What a model does after its trunk must be known for that: an output embedding, then a scale or a soft cap named
in its configuration. Whether that is all is asked of the model itself, once; others keep the plain form.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int
from peft import PeftModel
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from language.logprobs import entropy, token_logprobs

# Below this the plain form is used, so that small runs keep their bits: 1 GiB a copy in fp32.
MOST_LOGITS = 2**28
# Logits of one chunk: 128 MiB in fp32, some hundred tokens, at which the product runs at full speed.
CHUNK_LOGITS = 2**25

_known: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


@dataclass(frozen=True)
class Unembedding:
    """What turns the states of `trunk` into logits: `head`, then a factor, then a soft cap c·tanh(x/c)."""

    trunk: nn.Module
    head: nn.Module
    vocab: int
    factor: float = 1.0
    divisor: float = 1.0
    cap: float | None = None

    def logits(self, hidden: Float[Tensor, "*tokens hidden"]) -> Float[Tensor, "*tokens vocab"]:
        """As the model's own forward has them."""
        logits: Tensor = self.head(hidden)
        if self.factor != 1.0:
            logits = logits * self.factor
        if self.divisor != 1.0:
            logits = logits / self.divisor
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap


def chunking(model: nn.Module, num_tokens: int) -> Unembedding | None:
    """How to chunk so many predicted tokens of `model`; None where they are few or the plain form is the only one."""
    config = getattr(model, "config", None)
    if config is None or num_tokens * int(config.get_text_config().vocab_size) <= MOST_LOGITS:
        return None
    found = _unembedding(model)
    if found is not None and model not in _known:
        _known[model] = _is_all(model, found)
    return found if found is not None and _known[model] else None


def known_unembedding(model: nn.Module) -> Unembedding | None:
    """What `chunking` would find for many tokens, found out now."""
    if not hasattr(getattr(model, "config", None), "get_text_config"):
        return None
    return chunking(model, MOST_LOGITS + 1)


def chunked_logprobs(
    unembedding: Unembedding,
    hidden: Float[Tensor, "tokens hidden"],
    token_ids: Int[Tensor, " tokens"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, " tokens"]:
    """`language.logprobs.token_logprobs` of the states' logits, nats, chunk by chunk. Gradients flow."""

    def of_chunk(states: Tensor, ids: Tensor) -> Tensor:
        return token_logprobs(unembedding.logits(states), ids, temperature=temperature)

    return torch.cat(_over_chunks(of_chunk, hidden, token_ids, unembedding.vocab))


@torch.no_grad()
def chunked_logprobs_and_entropies(
    unembedding: Unembedding,
    hidden: Float[Tensor, "tokens hidden"],
    token_ids: Int[Tensor, " tokens"],
    *,
    temperature: float = 1.0,
) -> tuple[Float[Tensor, " tokens"], Float[Tensor, " tokens"]]:
    """The same and the entropies of the distributions, nats; without gradients."""

    def of_chunk(states: Tensor, ids: Tensor) -> Tensor:
        logits = unembedding.logits(states)
        logprobs = token_logprobs(logits, ids, temperature=temperature)
        return torch.stack([logprobs, entropy(logits, temperature=temperature)])

    logprobs, entropies = torch.cat(_over_chunks(of_chunk, hidden, token_ids, unembedding.vocab), dim=1)
    return logprobs, entropies


def _over_chunks(
    of_chunk: Callable[[Tensor, Tensor], Tensor], hidden: Tensor, token_ids: Tensor, vocab: int
) -> list[Tensor]:
    size = max(1, CHUNK_LOGITS // vocab)
    chunks = zip(torch.split(hidden, size), torch.split(token_ids, size), strict=True)
    if not torch.is_grad_enabled():
        return [of_chunk(*chunk) for chunk in chunks]
    # Dropout is off everywhere, so there is no random state to put back for the second computation.
    return [checkpoint(of_chunk, *chunk, use_reentrant=False, preserve_rng_state=False) for chunk in chunks]


def _unembedding(model: nn.Module) -> Unembedding | None:
    inner: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    trunk = getattr(inner, getattr(inner, "base_model_prefix", "") or "model", None) or getattr(inner, "model", None)
    head = inner.get_output_embeddings() if hasattr(inner, "get_output_embeddings") else None
    if not isinstance(trunk, nn.Module) or not isinstance(head, nn.Module):
        return None
    config = inner.config.get_text_config()
    return Unembedding(
        trunk,
        head,
        int(config.vocab_size),
        factor=float(getattr(config, "logit_scale", None) or 1.0),  # Cohere
        divisor=float(getattr(config, "logits_scaling", None) or 1.0),  # Granite
        cap=getattr(config, "final_logit_softcapping", None),  # Gemma 2
    )


@torch.no_grad()
def _is_all(model: nn.Module, unembedding: Unembedding) -> bool:
    """Whether the model's own logits of a few tokens are these: one that does more would differ."""
    first = next(model.parameters())
    probe = torch.arange(1, 9, device=first.device)[None]
    with torch.autocast(first.device.type, enabled=False):
        try:
            expected = model(input_ids=probe, use_cache=False).logits.float()
            states = unembedding.trunk(input_ids=probe, use_cache=False).last_hidden_state
            found = unembedding.logits(states).float()
        except (TypeError, ValueError, RuntimeError, AttributeError):
            return False
    tolerance = 1e-5 if first.dtype == torch.float32 else 2e-2
    scale = float(expected.abs().max())
    return expected.shape == found.shape and bool((found - expected).abs().max() <= tolerance * scale)
