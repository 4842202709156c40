"""Best-of-n on rankings that people made: how good, by their order, is the one of n that scores highest.

Needs no new completions. For each n every subset of n completions of a comparison counts alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import torch

from rewardmodel.comparisons import Comparison
from rewardmodel.statistics import Estimate, estimate_mean


@dataclass(frozen=True)
class BestOfN:
    """Quality of the best of n by score, beside the longest of n and what people's own order would pick.

    Quality is the share of the comparison's other completions that are worse by people's order, ties half.
    The comparisons are those with n completions or more, so their number falls as n grows.
    """

    n: int
    by_score: Estimate
    by_length: Estimate
    by_people: Estimate


def best_of_n_curve(scored: Sequence[tuple[Comparison, Sequence[float]]], *, seed: int = 0) -> list[BestOfN]:
    """The curve from n = 1, which is chance, to the largest K there is."""
    prompt_numbers: dict[tuple[int, ...], int] = {}
    prompts = [prompt_numbers.setdefault(member.prompt_ids, len(prompt_numbers)) for member, _ in scored]
    qualities = [people_quality(member.tiers) for member, _ in scored]
    largest = max(len(row) for _, row in scored)
    curve = []
    for n in range(1, largest + 1):
        able = [i for i, (_, row) in enumerate(scored) if len(row) >= n]
        owner = torch.tensor([prompts[i] for i in able])
        columns = []
        for keys in (
            [list(scored[i][1]) for i in able],
            [list(map(float, scored[i][0].num_characters)) for i in able],
            [qualities[i] for i in able],
        ):
            picked = [expected_best(key, qualities[i], n) for key, i in zip(keys, able, strict=True)]
            columns.append(estimate_mean(torch.tensor(picked, dtype=torch.float64), owner, seed=seed))
        curve.append(BestOfN(n, *columns))
    return curve


def people_quality(tiers: Sequence[Sequence[int]]) -> list[float]:
    """Of each completion, the share of the others that are in a worse tier (ties half), averaged over rankings."""
    count = len(tiers[0])
    totals = [0.0] * count
    for own in tiers:
        for i in range(count):
            beaten = sum((own[i] < own[j]) + 0.5 * (own[i] == own[j]) for j in range(count) if j != i)
            totals[i] += beaten / (count - 1)
    return [total / len(tiers) for total in totals]


def expected_best(keys: Sequence[float], qualities: Sequence[float], n: int) -> float:
    """Mean quality of the member with the highest key over all subsets of n; the first of equals is taken.

    The member that j others exceed is the best of comb(K−1−j, n−1) of the comb(K, n) subsets.
    """
    count = len(keys)
    order = sorted(range(count), key=lambda i: -keys[i])
    return sum(comb(count - 1 - place, n - 1) * qualities[i] for place, i in enumerate(order)) / comb(count, n)
