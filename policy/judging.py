"""Sampled answers as text, and what a reward model says of them. It may have another tokenizer than the policy.

Picking the best of n, selecting an epoch of SFT and watching PPO all ask it the same way.
"""

import json
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from language.chat import end_token_id
from language.checkpoints import load_tokenizer
from language.commandline import Precision, autocast
from language.generation import Sampled, sample_batch
from language.options import OptionError
from language.parallel import ALONE, Sharing
from language.stop_ids import STOPPED, decode_text
from policy.prompts import TokenizedPrompt
from records import Completion, SamplingParams
from records.lines import to_line
from rewardmodel.model import RewardModel, load_reward_model
from rewardmodel.score import Candidates, Question, answer_questions

_TOKEN_BUDGET = 8192  # tokens that a reward model forwards at once
_REPEATED_LENGTH = 4  # tokens in a row that count as repeated when they come again


Asked = tuple[TokenizedPrompt, Sequence[Completion]]


@dataclass(frozen=True)
class Judge:
    """A reward model with the tokenizer it reads text by, and its rule for completions without an end token."""

    model: RewardModel
    tokenizer: PreTrainedTokenizerBase
    missing_end_score: float
    precision: Precision = "fp32"

    def scores(self, asked: Sequence[Asked]) -> list[tuple[float, ...]]:
        """One score a completion, read from its text; `missing_end_score` where it has no end token."""
        questions = [
            Question(Candidates(prompt.id, prompt.prompt.messages, tuple(completions))) for prompt, completions in asked
        ]
        with autocast(self.model.device, self.precision):
            answers = answer_questions(self.model, self.tokenizer, questions, token_budget=_TOKEN_BUDGET)
        return [
            tuple(
                answer["scores"][completion.id] if completion.finish_reason == "stop" else self.missing_end_score
                for completion in completions
            )
            for answer, (_, completions) in zip(answers, asked, strict=True)
        ]


@dataclass(frozen=True)
class CommandJudge:
    """A program that scores: one JSON object a line in, one out, as `python -m rewardmodel.score` reads and writes.

    It is told how each completion ended ("finish_reason"), and judges those without an end token by itself.
    """

    command: str

    def scores(self, asked: Sequence[Asked]) -> list[tuple[float, ...]]:
        """One score a completion. OptionError where the program fails or answers something else."""
        questions = [Candidates(str(i), prompt.prompt.messages, tuple(own)) for i, (prompt, own) in enumerate(asked)]
        ended = subprocess.run(
            shlex.split(self.command), input="".join(map(to_line, questions)), capture_output=True, text=True
        )
        if ended.returncode != 0:
            last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise OptionError(f"the scoring command ended with {ended.returncode}: {last}")
        try:
            answers = {str(line["id"]): line["scores"] for line in map(json.loads, ended.stdout.splitlines())}
            return [
                tuple(float(answers[question.id][completion.id]) for completion in question.completions)
                for question in questions
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(
                f'the scoring command must print {{"id": …, "scores": {{completion id: number}}}} a line: {error!r}'
            ) from error


# Whatever scores completions by their text.
Scorer = Judge | CommandJudge


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


def sample_shares(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[TokenizedPrompt],
    *,
    params: SamplingParams,
    sharing: Sharing = ALONE,
) -> list[tuple[Sampled, Completion]]:
    """What `sample_answers` says, with the prompts shared among processes; all of it on every one."""
    own = sharing.span(len(prompts))
    shifted = replace(params, seed=params.seed + own.start)
    return sharing.rejoin(sample_answers(model, tokenizer, prompts[own], policy="", params=shifted))


def as_completion(
    sampled: Sampled, tokenizer: PreTrainedTokenizerBase, completion_id: str, policy: str, params: SamplingParams
) -> Completion:
    """The record of what was sampled, with the text that people are shown of it."""
    ended_by = sampled.token_ids[-1:] if sampled.finish_reason in STOPPED else ()
    return Completion(
        id=completion_id,
        content=decode_text(tokenizer, sampled.token_ids, ended_by),
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
