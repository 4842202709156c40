"""How far trainers agree on the pairs that several of them ordered: what no reward model can much exceed.

InstructGPT's trainers agreed with one another on 72.6 % of pairs, and its reward model with them on 72.4.
"""

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rewardmodel.loss import pairs_of_tiers


def agreement_with_others(
    tiers: Sequence[Sequence[int]], *, adjudicated: Collection[int] = ()
) -> Float[Tensor, " pairs"]:
    """For each pair of each ranking of one comparison, the share of other rankings that order it alike.

    `tiers[r][i]` is where ranking r put completion i. Others who tied the pair are not counted (Stiennon et
    al. 2020, App. C.2: the share of non-tied pairs ordered alike); NaN where nobody else ordered it. The rankings
    named in `adjudicated` are no trainer's: they are nobody's others, and their own pairs are NaN.
    """
    shares = []
    for number, own in enumerate(tiers):
        others = [other for index, other in enumerate(tiers) if index not in {number, *adjudicated}]
        if number in adjudicated:
            others = []
        for chosen, rejected in pairs_of_tiers(own):
            votes = [other[chosen] < other[rejected] for other in others if other[chosen] != other[rejected]]
            shares.append(sum(votes) / len(votes) if votes else float("nan"))
    return torch.tensor(shares, dtype=torch.float64)
