"""Drawing tokens from next-token distributions: exact, seeded per completion, and cheap.

Inverse transform sampling: one uniform number a token, so that a completion's draws are its own and
do not depend on who shares the batch. (torch.multinomial takes a millisecond a row here; this takes ten
microseconds.)
"""

import random
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

_BLOCK = 256


class Draws:
    """The uniform numbers in [0, 1) of one completion, one a token: a pure function of its seed.

    Drawn on the CPU whatever the model's device, so that a seed means the same everywhere. Python's generator
    hashes a text with SHA-512, so every digit of the seed counts and neighbours have nothing in common; torch's
    on the CPU would read the low 32 bits only.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"draws/{seed}")

    def next(self) -> float:
        """The next number, with the 53 bits of a double."""
        return self._random.random()


def next_token_probabilities(
    logits: Float[Tensor, "rows vocab"], temperatures: Sequence[float]
) -> Float[Tensor, "rows vocab"]:
    """softmax(logits / temperature) in fp32, one temperature a row; 0 (greedy) counts as 1 here."""
    divisors = [temperature or 1.0 for temperature in temperatures]
    scaled = logits.to(torch.float32)
    if any(divisor != 1.0 for divisor in divisors):
        scaled = scaled / torch.tensor(divisors, device=logits.device).unsqueeze(1)
    return scaled.softmax(dim=-1)


def truncate(probabilities: Float[Tensor, " vocab"], *, top_k: int, top_p: float) -> Float[Tensor, " vocab"]:
    """Zero all but the `top_k` likeliest (0: all) and of these the smallest set that holds `top_p` of the mass.

    Not renormalised: `draw` needs no sum of 1. Nucleus: Holtzman et al. 2020, arXiv 1904.09751.
    """
    kept = min(top_k or probabilities.shape[0], probabilities.shape[0])
    values, order = probabilities.topk(kept)
    before = values.cumsum(0, dtype=torch.float64) - values
    values = values.masked_fill(before >= top_p * values.sum(dtype=torch.float64), 0.0)
    return torch.zeros_like(probabilities).scatter(0, order, values)


def draw(probabilities: Float[Tensor, "rows vocab"], uniforms: Float[Tensor, " rows"]) -> Int[Tensor, " rows"]:
    """The token at which the cumulative sum of a row passes `uniform` of its total; never one of probability 0.

    Sums are doubles. Two levels, blocks and then within one, since a running sum over a whole vocabulary
    is the dearest way to the same token.
    """
    vocab = probabilities.shape[1]
    blocks = torch.nn.functional.pad(probabilities, (0, -vocab % _BLOCK))
    blocks = blocks.view(len(blocks), -1, _BLOCK)
    masses = blocks.sum(dim=-1, dtype=torch.float64)
    block, rest = _passes(masses, uniforms * masses.sum(dim=-1))
    inside = blocks.gather(1, block.view(-1, 1, 1).expand(-1, 1, _BLOCK)).squeeze(1).to(torch.float64)
    place, _ = _passes(inside, rest)
    return block * _BLOCK + place


def _passes(
    masses: Float[Tensor, "rows parts"], targets: Float[Tensor, " rows"]
) -> tuple[Int[Tensor, " rows"], Float[Tensor, " rows"]]:
    """Where the cumulative sum first exceeds the target, and what of the target is left there."""
    cumulative = masses.cumsum(dim=-1)
    # Rounding could put a target on the very end, beyond which there is only what has no mass.
    targets = torch.minimum(targets, cumulative[:, -1] * (1 - 2**-50))
    place = torch.searchsorted(cumulative, targets.unsqueeze(1), right=True)
    passed = cumulative.gather(1, place) - masses.gather(1, place)
    return place.squeeze(1), (targets - passed.squeeze(1)).clamp(min=0)
