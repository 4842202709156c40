"""The plain way, one copy of the prompt to a completion: what the packed and shared ways are held against."""

from torch import Tensor, nn

from language.logprobs import response_logits, token_logprobs
from rewardmodel.model import RewardModel, last_states


def response_logprobs(
    model: nn.Module, input_ids: Tensor, attention_mask: Tensor, num_response: int, *, temperature: float = 1.0
) -> Tensor:
    """Log-probabilities of the tokens in the last `num_response` columns, each given all before it."""
    logits = response_logits(model, input_ids, attention_mask, num_response)
    return token_logprobs(logits, input_ids[:, -num_response:], temperature=temperature)


def score_tokens(model: RewardModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Scores of whole sequences [prompt; completion]."""
    return model.values_of(last_states(model, input_ids, attention_mask))
