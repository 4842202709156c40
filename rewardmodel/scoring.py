"""Scores of comparisons: the plain way, each completion with its own copy of the prompt.

`padded_scores` is the reference that faster ways are tested against.
"""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from language.batching import pad_right
from rewardmodel.comparisons import Comparison, microbatches
from rewardmodel.model import RewardModel, score_tokens


def padded_scores(model: RewardModel, comparisons: Sequence[Comparison]) -> Float[Tensor, " completions"]:
    """Scores of all completions, laid end to end: one padded row a completion, its prompt repeated."""
    sequences = [
        [*comparison.prompt_ids, *completion] for comparison in comparisons for completion in comparison.completion_ids
    ]
    batch = pad_right(sequences, pad_token_id=0, device=model.device)
    return score_tokens(model, batch.input_ids, batch.attention_mask)


@torch.no_grad()
def score_comparisons(
    model: RewardModel, comparisons: Sequence[Comparison], *, token_budget: int
) -> Iterator[tuple[Comparison, list[float]]]:
    """Each comparison with the scores of its completions, in pieces of `token_budget`; not in the given order."""
    for piece in microbatches(comparisons, token_budget=token_budget):
        scores = padded_scores(model, piece).tolist()
        start = 0
        for comparison in piece:
            end = start + len(comparison.completion_ids)
            yield comparison, scores[start:end]
            start = end
