"""What of a score's gain is more than length: an answer is held against the start's own of its length.

Pure functions of tensors; they know neither models nor records.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MOST_STRATA = 8  # of each ending
LEAST_IN_A_STRATUM = 4  # answers of the start


def expected_by_length(
    start_scores: Float[Tensor, " start"],
    start_lengths: Float[Tensor, " start"],
    start_ended: Bool[Tensor, " start"],
    lengths: Float[Tensor, " answers"],
    ended: Bool[Tensor, " answers"],
) -> Float[Tensor, ""]:
    """The mean score that the start's answers would have, had they the lengths and endings of the others.

    Post-stratification: the start's answers are parted by whether they ended and, within that, by quantiles of
    their length into at most eight strata of at least four; every other answer counts as the mean of its stratum,
    those shorter or longer than any of the start's as that of the outermost, and one that ended as none of the
    start's did as the mean of all. Lengths in tokens. For the start's own answers this is their mean.
    Singhal et al. 2023, §3 (there in buckets of 20 tokens, which 64 answers would not fill).
    """
    expected = start_scores.mean().expand(len(lengths)).clone()
    for ending in (True, False):
        own, others = start_ended == ending, ended == ending
        if own.any() and others.any():
            edges = _edges(start_lengths[own])
            of_own, of_others = (torch.bucketize(x, edges) for x in (start_lengths[own], lengths[others]))
            sums = torch.zeros(len(edges) + 1, dtype=start_scores.dtype).index_add(0, of_own, start_scores[own])
            expected[others] = (sums / of_own.bincount(minlength=len(sums)))[of_others]
    return expected.mean()


def _edges(lengths: Float[Tensor, " own"]) -> Float[Tensor, " edges"]:
    """The longest length of every stratum but the last; no stratum is empty."""
    strata = min(MOST_STRATA, max(1, len(lengths) // LEAST_IN_A_STRATUM))
    shares = torch.arange(1, strata, dtype=lengths.dtype) / strata
    edges: Tensor = torch.unique(torch.quantile(lengths, shares, interpolation="lower"))
    return edges[edges < lengths.max()]
