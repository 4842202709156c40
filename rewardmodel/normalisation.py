"""Scores that average 0 over the references, without a bias beside the weights.

InstructGPT adds a bias (§3.5). The sequence classifiers of transformers have none, and a reader that
does not know of one loses it unseen. So the constant goes into the head's weights, along the direction
in which the states at end tokens are all alike; what that does to differences of scores is measured.
"""

import math
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
    unevenness: float | None
    """Standard deviation of what is added to a completion that the direction was not fitted to."""


@torch.no_grad()
def normalise(model: RewardModel, references: Sequence[Comparison], *, token_budget: int) -> Normalisation:
    """Let the references average 0 by changing the head's weights; its bias is 0 afterwards."""
    states = torch.cat(list(states_of_all(model, references, token_budget=token_budget))).double().cpu()
    weight, bias = model.head.weight[0].double().cpu(), model.head.bias.double().cpu()
    shift = normalisation_bias(states @ weight + bias)
    constant = shift + bias
    change = constant * constant_direction(states)
    model.head.weight[0] += change.to(model.head.weight)
    model.head.bias.zero_()
    strays = float(constant.abs() * spread_on_others(states))
    return Normalisation(float(shift), None if math.isnan(strays) else strays)


def spread_on_others(states: Float[Tensor, "references hidden"]) -> Float[Tensor, ""]:
    """How far v·x strays from 1, root mean square, over states that v was not fitted to: each half by the other's v.

    On the states that it was fitted to, it hardly strays wherever they are fewer than their dimensions.
    """
    halves = (states[::2], states[1::2])
    if len(halves[1]) < 2:
        return states.new_tensor(torch.nan)  # too few to tell
    strayed = [own @ constant_direction(other) - 1.0 for own, other in (halves, halves[::-1])]
    return torch.cat(strayed).square().mean().sqrt()


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
