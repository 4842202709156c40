"""Scores that average 0 over the references, without a bias beside the weights.

InstructGPT adds a bias (§3.5). The sequence classifiers of transformers have none, and a reader that
does not know of one loses it unseen. So the constant goes into the head's weights, along the direction
in which the states at end tokens are all alike; what that does to differences of scores is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rewardmodel.comparisons import Comparison
from rewardmodel.loss import normalisation_bias
from rewardmodel.model import RewardModel
from rewardmodel.scoring import states_of_all

# Of the mean variance: keeps directions that the references hardly know from carrying the constant.
RIDGE = 0.01


@dataclass(frozen=True)
class Normalisation:
    """What was added to the scores on average, and by how much that differed from one reference to the next."""

    shift: float
    unevenness: float
    """Standard deviation of what was added: an error of this size in differences of scores."""


@torch.no_grad()
def normalise(model: RewardModel, references: Sequence[Comparison], *, token_budget: int) -> Normalisation:
    """Let the references average 0 by changing the head's weights; its bias is 0 afterwards."""
    states = torch.cat(list(states_of_all(model, references, token_budget=token_budget))).double().cpu()
    weight, bias = model.head.weight[0].double().cpu(), model.head.bias.double().cpu()
    shift = normalisation_bias(states @ weight + bias)
    change = (shift + bias) * constant_direction(states)
    model.head.weight[0] += change.to(model.head.weight)
    model.head.bias.zero_()
    return Normalisation(float(shift), float((states @ change).std(correction=0)))


def constant_direction(states: Float[Tensor, "references hidden"]) -> Float[Tensor, " hidden"]:
    """The v whose v·x is 1 on average over the states x and varies least: C⁻¹m / mᵀC⁻¹m.

    m is the mean and C the covariance of the states, with RIDGE of their mean variance added: Capon's
    minimum-variance filter (1969). Of a pretrained trunk at its end token v·x is 1 within about 1 %.
    """
    mean = states.mean(dim=0)
    centred = states - mean
    covariance = centred.T @ centred / len(states)
    spread = covariance.diagonal().mean().clamp(min=1e-12)
    solved: Tensor = torch.linalg.solve(covariance + RIDGE * spread * torch.eye(len(mean), dtype=states.dtype), mean)
    return solved / (mean @ solved)
