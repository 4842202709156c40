"""Scores of comparisons: with shared prompts where the trunk can, one padded row a completion elsewhere."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rewardmodel.comparisons import Comparison, microbatches
from rewardmodel.model import RewardModel
from rewardmodel.packing import packed_scores, padded_scores, shares_prompts


def scores_of(model: RewardModel, comparisons: Sequence[Comparison]) -> Float[Tensor, " completions"]:
    """Scores of all completions, laid end to end. Each completion is forwarded once; gradients flow."""
    return (packed_scores if shares_prompts(model, comparisons) else padded_scores)(model, comparisons)


@torch.no_grad()
def score_comparisons(
    model: RewardModel, comparisons: Sequence[Comparison], *, token_budget: int
) -> Iterator[tuple[Comparison, list[float]]]:
    """Each comparison with the scores of its completions, in pieces of `token_budget`; not in the given order."""
    for piece in microbatches(comparisons, token_budget=token_budget):
        scores = scores_of(model, piece).tolist()
        start = 0
        for comparison in piece:
            end = start + len(comparison.completion_ids)
            yield comparison, scores[start:end]
            start = end
