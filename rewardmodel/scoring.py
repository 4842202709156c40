"""Scores of comparisons: with shared prompts where the trunk can, one padded row a completion elsewhere."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from rewardmodel.comparisons import Comparison, microbatches
from rewardmodel.model import RewardModel
from rewardmodel.packing import packed_states, padded_states, shares_prompts


def scores_of(model: RewardModel, comparisons: Sequence[Comparison]) -> Float[Tensor, " completions"]:
    """Scores of all completions, laid end to end. Each completion is forwarded once; gradients flow."""
    return model.values_of(states_of(model, comparisons))


def states_of(model: RewardModel, comparisons: Sequence[Comparison]) -> Float[Tensor, "completions hidden"]:
    """The hidden states that the scores are read from."""
    return (packed_states if shares_prompts(model, comparisons) else padded_states)(model, comparisons)


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


@torch.no_grad()
def states_of_all(
    model: RewardModel, comparisons: Sequence[Comparison], *, token_budget: int
) -> Iterator[Float[Tensor, "completions hidden"]]:
    """The same in pieces of `token_budget`, for what needs no gradient; not in the given order."""
    for piece in microbatches(comparisons, token_budget=token_budget):
        yield states_of(model, piece)
