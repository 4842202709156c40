"""A reward model that learns what length does not explain: a product with an expert that knows length alone.

Clark et al. 2019 (arXiv 1909.03683), §3.2, "bias product"; for reward models and length, Shen et al. 2023
(arXiv 2310.05199). In training the expert's log-odds are added to the difference of scores; nothing of it
is left in the published model, which then has no need to say again what the expert said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rewardmodel.comparisons import Comparison, pairs_of

_NEWTON_STEPS = 50


@dataclass(frozen=True)
class LengthExpert:
    """Log-odds weight · tanh(difference / scale) that the longer one is better: AlpacaEval's length term.

    Dubois et al. 2024, arXiv 2404.04475, Eq. 2; lengths are in characters, `scale` is the differences' deviation.
    """

    weight: float
    scale: float

    def logits(self, comparisons: Sequence[Comparison], pairs: Int[Tensor, "pairs 2"]) -> Float[Tensor, " pairs"]:
        """The expert's log-odds that the first of each pair is chosen."""
        gaps = _length_gaps(comparisons, pairs)
        return self.weight * torch.tanh(gaps / self.scale)


def fit_length_expert(comparisons: Sequence[Comparison]) -> LengthExpert:
    """The maximum-likelihood weight over all training pairs, by Newton's method; 0 where lengths do not differ.

    A ridge of one pair keeps the weight finite where the longer one always wins.
    """
    gaps = _length_gaps(comparisons, pairs_of(comparisons).pairs)
    scale = float(gaps.square().mean().sqrt())
    if scale == 0:
        return LengthExpert(0.0, 1.0)
    features = torch.tanh(gaps / scale)
    weight = 0.0
    for _ in range(_NEWTON_STEPS):
        wrong = torch.sigmoid(-weight * features)
        slope = float((features * wrong).sum()) - weight
        curvature = float((features.square() * wrong * (1 - wrong)).sum()) + 1.0
        weight += slope / curvature
    return LengthExpert(weight, scale)


def _length_gaps(comparisons: Sequence[Comparison], pairs: Int[Tensor, "pairs 2"]) -> Float[Tensor, " pairs"]:
    lengths = torch.tensor([float(n) for member in comparisons for n in member.num_characters], device=pairs.device)
    return lengths[pairs[:, 0]] - lengths[pairs[:, 1]]
