"""Sampled answers as text, and what a reward model says of them. It may have another tokenizer than the policy.

Picking the best of n, selecting an epoch of SFT and watching PPO all ask it the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from language.chat import end_token_id
from language.checkpoints import load_tokenizer
from language.generation import Sampled, sample_batch
from policy.prompts import TokenizedPrompt
from records import Completion, SamplingParams
from rewardmodel.commandline import Precision, autocast
from rewardmodel.model import RewardModel, load_reward_model
from rewardmodel.score import Candidates, Question, answer_questions

_TOKEN_BUDGET = 8192  # tokens that a reward model forwards at once
_REPEATED_LENGTH = 4  # tokens in a row that count as repeated when they come again


@dataclass(frozen=True)
class Judge:
    """A reward model with the tokenizer it reads text by, and its rule for completions without an end token."""

    model: RewardModel
    tokenizer: PreTrainedTokenizerBase
    missing_end_score: float
    precision: Precision = "fp32"

    def scores(self, prompt: TokenizedPrompt, completions: Sequence[Completion]) -> tuple[float, ...]:
        """One score a completion, read from its text; `missing_end_score` where it has no end token."""
        question = Question(Candidates(prompt.id, prompt.prompt.messages, tuple(completions)))
        with autocast(self.model.device, self.precision):
            (answer,) = answer_questions(self.model, self.tokenizer, [question], token_budget=_TOKEN_BUDGET)
        return tuple(
            answer["scores"][completion.id] if completion.finish_reason == "stop" else self.missing_end_score
            for completion in completions
        )


def load_judge(path: Path, device: torch.device, *, missing_end_score: float, precision: Precision = "fp32") -> Judge:
    """The reward model of a directory as a judge of text."""
    return Judge(load_reward_model(path, device=device), load_tokenizer(path), missing_end_score, precision)


def sample_answers(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[TokenizedPrompt],
    *,
    policy: str,
    params: SamplingParams,
) -> list[tuple[Sampled, Completion]]:
    """One answer a prompt, as tokens and as text. The same seed draws with the same numbers from any policy."""
    sampled = sample_batch(
        model,
        [prompt.token_ids for prompt in prompts],
        num_completions=1,
        params=params,
        end_token_id=end_token_id(tokenizer),
    )
    return [
        (one, as_completion(one, tokenizer, f"{prompt.id}-0", policy, replace(params, seed=params.seed + index)))
        for index, (prompt, (one,)) in enumerate(zip(prompts, sampled, strict=True))
    ]


def as_completion(
    sampled: Sampled, tokenizer: PreTrainedTokenizerBase, completion_id: str, policy: str, params: SamplingParams
) -> Completion:
    """The record of what was sampled."""
    return Completion(
        id=completion_id,
        content=str(tokenizer.decode(sampled.token_ids, skip_special_tokens=True)),
        policy=policy,
        sampling=params,
        finish_reason=sampled.finish_reason,
        num_tokens=len(sampled.token_ids),
        logprob=sum(sampled.logprobs),
    )


def repeated_share(token_ids: Sequence[int]) -> float:
    """Of the runs of four tokens in a completion, the share that came before in it; 0 where it is shorter."""
    runs = [tuple(token_ids[i : i + _REPEATED_LENGTH]) for i in range(len(token_ids) - _REPEATED_LENGTH + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
