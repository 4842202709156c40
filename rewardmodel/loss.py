"""The loss of the reward model: pure formulas over scores, each with its source.

One rule runs from the ranking page to this file. A ranking orders its completions in tiers, best
first. Two completions in different tiers make a pair: the one in the better tier is chosen, the other
rejected. Two in one tier are tied and make no pair (InstructGPT, App. C.2: ties are dropped). The line
of acceptability lies between two tiers, so what is above it is already in a better tier than what is
below: it adds no pair and removes none, and completions below it are still ordered among themselves.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def pairs_of_tiers(tiers: Sequence[int]) -> list[tuple[int, int]]:
    """Every (chosen, rejected) of one ranking, as indices of its completions.

    `tiers[i]` is the index of the tier that holds completion i, 0 the best. K completions without
    ties give K(K−1)/2 pairs (InstructGPT §3.5); each tie takes one away. Numbers that no completion
    has (an empty rank column) change nothing.
    """
    count = len(tiers)
    return [(i, j) for i in range(count) for j in range(count) if tiers[i] < tiers[j]]


def merge_rankings(tiers: Sequence[Sequence[int]]) -> list[tuple[int, int, float]]:
    """(chosen, rejected, p) of every pair that some ranking of one comparison orders.

    `tiers[r][i]` is where ranking r put completion i. p = (rankings that prefer the chosen one + half of
    those that tie the two) / rankings, and chosen is whichever has p ≥ ½. A tie speaks here, since it
    says that a trainer saw no difference where another did; a pair that all tie is dropped as before.
    """
    merged = []
    count = len(tiers[0])
    for i in range(count):
        for j in range(i + 1, count):
            votes = [(own[i] < own[j]) + 0.5 * (own[i] == own[j]) for own in tiers]
            if any(vote != 0.5 for vote in votes):
                p = sum(votes) / len(votes)
                merged.append((i, j, p) if p >= 0.5 else (j, i, 1.0 - p))
    return merged


def pair_loss(
    chosen: Float[Tensor, "*pairs"],
    rejected: Float[Tensor, "*pairs"],
    margin: Float[Tensor, "*pairs"] | float = 0.0,
    probability: Float[Tensor, "*pairs"] | float = 1.0,
) -> Float[Tensor, "*pairs"]:
    """−p log σ(Δ) − (1−p) log σ(−Δ) with Δ = r_chosen − r_rejected − margin, one per pair.

    Stiennon et al. 2020, §3.4, where p = 1; the margin is Llama 2's (Touvron et al. 2023, Eq. 2), 0 in
    InstructGPT. p is the share of trainers who prefer the chosen one. Written as softplus(−Δ) + (1−p) Δ,
    which is finite where σ underflows.
    """
    gap = chosen - rejected - margin
    return F.softplus(-gap) + (1.0 - probability) * gap


def ranking_losses(
    scores: Float[Tensor, " completions"],
    pairs: Int[Tensor, "pairs 2"],
    ranking_of_pair: Int[Tensor, " pairs"],
    num_rankings: int,
    margin: Float[Tensor, " pairs"] | float = 0.0,
    probability: Float[Tensor, " pairs"] | float = 1.0,
) -> Float[Tensor, " rankings"]:
    """The loss of each ranking: the mean over its kept pairs (Ouyang et al. 2022, Eq. 1).

    `pairs` holds (chosen, rejected) as indices into `scores`; `ranking_of_pair` says which ranking each
    pair belongs to. Eq. 1 divides by C(K,2); where ties were dropped we divide by the number of pairs
    kept, so that a ranking with ties is no quieter than one without. The loss of a batch is the mean over
    its rankings; a flat mean over pairs would weigh a ranking of nine 36 times as much as a ranking of two.
    Raises ValueError for a ranking without a pair: it has no loss, and counting it as 0 would change the mean.
    """
    counts = torch.bincount(ranking_of_pair, minlength=num_rankings)
    if len(counts) != num_rankings or not bool(counts.all()):
        raise ValueError(f"every ranking needs at least one pair; pairs per ranking are {counts.tolist()}")
    losses = pair_loss(scores[pairs[:, 0]], scores[pairs[:, 1]], margin, probability)
    totals = losses.new_zeros(num_rankings).index_add(0, ranking_of_pair, losses)
    return totals / counts


def normalisation_bias(scores: Float[Tensor, " references"]) -> Float[Tensor, ""]:
    """What to add to every score so that the references average 0 (Ouyang et al. 2022, §3.5).

    The references are people's demonstrations. The loss sees differences only and cannot tell.
    """
    if len(scores) == 0:
        raise ValueError("no scores to normalise by")
    return -scores.mean()
