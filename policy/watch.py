"""A second reward model that watches PPO or RLOO: is what the first one likes ever more still any better?

Every kept state of a run answers the same held-out prompts with the same random numbers; both reward models
score the answers. Where the second one's scores have turned while the first one's climb, the policy is learning
the first one's errors (Gao et al. 2022; Bai et al. 2022, §4.2), and a stop is suggested, never forced.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from language.commandline import Precision, autocast
from language.parallel import ALONE, Sharing
from policy.beyond_length import expected_by_length
from policy.disagreements import Disagreement, largest_disagreements
from policy.ensembles import ONE_REWARD_MODEL, RewardEnsemble, RewardSource
from policy.judging import Asked, Judge, Scorer, repeated_share, sample_shares
from policy.learner import PolicyLearner, Trainable, sampling_model
from policy.objective import kl_of_logits, length_scores
from policy.prompts import TokenizedPrompt
from policy.publishing import keep_checkpoint
from policy.shared_prompt import PromptGroups, completion_logits
from records import SamplingParams

BEST = "best-by-watch"  # folder of the work directory

_STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Look:
    """What a policy was like after `update` updates. Scores are one a prompt, always in one order."""

    update: int
    scores: list[float]
    held_out_scores: list[float]
    kl: float
    lengths: list[int]
    ended: list[bool]
    repeated_share: float
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def completion_tokens(self) -> float:
        """Mean length of an answer, in tokens."""
        return float(mean(self.lengths))

    def metrics(self, start: "Look") -> dict[str, float]:
        """The look's means by the names that are logged; `start` is the look at update 0."""
        return {
            "watch_score": mean(self.scores),
            "watch_held_out_score": mean(self.held_out_scores),
            "watch_beyond_length": self.beyond_length(start),
            "watch_kl": self.kl,
            "watch_tokens": self.completion_tokens,
            "watch_unended_share": 1 - mean(map(float, self.ended)),
            "watch_repeated_share": self.repeated_share,
        }

    def beyond_length(self, start: "Look") -> float:
        """What the watching score is above that of the start's answers of like length and ending; of the start 0."""
        start_scores, start_lengths, lengths = (
            torch.tensor(x, dtype=torch.float64) for x in (start.held_out_scores, start.lengths, self.lengths)
        )
        ended = torch.tensor(self.ended)
        expected = expected_by_length(start_scores, start_lengths, torch.tensor(start.ended), lengths, ended)
        return mean(self.held_out_scores) - float(expected)


@dataclass(frozen=True)
class Watch:
    """The watching reward model, the prompts it watches, and how they are answered."""

    judge: Scorer
    prompts: tuple[TokenizedPrompt, ...]
    tokenizer: PreTrainedTokenizerBase
    params: SamplingParams
    missing_end_score: float
    precision: Precision
    length_only_tokens: int = 0  # of a control, whose scores are its lengths'
    ensemble: RewardEnsemble = ONE_REWARD_MODEL  # the reward models beside the first that the run is trained on

    def look(self, policy: PolicyLearner, rewards: RewardSource, update: int, sharing: Sharing = ALONE) -> Look:
        """Answer every prompt and have both reward models read the answers.

        Processes share the prompts. What networks that are shared out say of the answers all ask together, of them all.
        """
        answers = sample_shares(
            sampling_model(policy.model, precision=self.precision),
            self.tokenizer,
            self.prompts,
            params=self.params,
            sharing=sharing,
        )
        asked = [(prompt, [completion]) for prompt, (_, completion) in zip(self.prompts, answers, strict=True)]
        token_ids = [sampled.token_ids for sampled, _ in answers]
        lengths = list(map(len, token_ids))
        own = slice(None) if sharing.is_sharded else sharing.span(len(asked))
        read = (
            self._scores(rewards, asked[own], lengths[own]),
            [score for (score,) in self.judge.scores(asked[own])],
            [self._kl(policy, prompt, ids) for prompt, ids in zip(self.prompts[own], token_ids[own], strict=True)],
        )
        parts = [read] if sharing.is_sharded else sharing.gather(read)
        scores, held_out_scores, kls = (
            [value for part in column for value in part] for column in zip(*parts, strict=True)
        )
        return Look(
            update=update,
            scores=scores,
            held_out_scores=held_out_scores,
            kl=mean(kls),
            lengths=lengths,
            ended=[completion.finish_reason == "stop" for _, completion in answers],
            repeated_share=float(mean(map(repeated_share, token_ids))),
            disagreements=largest_disagreements(asked, lengths, scores, held_out_scores),
        )

    def _scores(self, rewards: RewardSource, asked: Sequence[Asked], lengths: Sequence[int]) -> list[float]:
        """What the run is trained on: the reward models', or the control's."""
        if not asked:
            return []  # more processes than prompts
        if self.length_only_tokens:
            mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
            return [float(score) for score in length_scores(mask, self.length_only_tokens)]
        with rewards.as_reward_model() as first:
            judges = [
                Judge(model, self.tokenizer, self.missing_end_score, self.precision)
                for model in (first, *self.ensemble.further)
            ]
            members = [[score for (score,) in judge.scores(asked)] for judge in judges]
        return [float(score) for score in self.ensemble.combined(torch.tensor(members, dtype=torch.float64))]

    @torch.no_grad()
    def _kl(self, policy: PolicyLearner, prompt: TokenizedPrompt, token_ids: Sequence[int]) -> float:
        """KL(π ‖ π_ref) of the distributions met along one answer, summed over its tokens, nats."""
        groups = PromptGroups((prompt.token_ids,), ((tuple(token_ids),),), policy.model.device)
        with autocast(policy.model.device, self.precision):
            logits = completion_logits(policy.model, groups)
            with policy.as_reference() as reference:
                ref_logits = completion_logits(reference, groups)
        return float(kl_of_logits(logits, ref_logits, temperature=self.params.temperature).sum())


def best_look(looks: Sequence[Look]) -> Look:
    """The look that the watching reward model scores highest; of equal ones the first."""
    return max(looks, key=lambda look: (mean(look.held_out_scores), -look.update))


def has_turned(looks: Sequence[Look]) -> bool:
    """Whether the watching scores have fallen from their best while the trained-on scores climbed.

    Fallen: by more than two standard errors of the paired differences over prompts, so that chance among
    a few prompts seldom raises the alarm.
    """
    best, now = best_look(looks), looks[-1]
    falls = [before - after for before, after in zip(best.held_out_scores, now.held_out_scores, strict=True)]
    if len(falls) < 2 or mean(now.scores) <= mean(best.scores):
        return False
    return mean(falls) > _STANDARD_ERRORS * stdev(falls) / math.sqrt(len(falls))


def suggestion(looks: Sequence[Look], work: Path) -> str:
    """Words for a person: what turned, since when, and where the better weights are."""
    best, now = best_look(looks), looks[-1]
    return (
        f"consider stopping: since update {best.update} the watching reward model's score fell from "
        f"{mean(best.held_out_scores):.3f} to {mean(now.held_out_scores):.3f} while the trained-on one's rose from "
        f"{mean(best.scores):.3f} to {mean(now.scores):.3f}; the weights of update {best.update} are in {work / BEST}"
    )


def keep_if_best(
    looks: Sequence[Look],
    policy: PolicyLearner,
    tokenizer: PreTrainedTokenizerBase,
    work: Path,
    *,
    base: Path,
    trainable: Trainable,
    sharing: Sharing = ALONE,
) -> None:
    """Publish the policy in the work directory where its look is the best so far, in place of the one before."""
    best = best_look(looks)
    if best is not looks[-1]:
        return
    whole = sharing.whole_on_main(policy.model)
    if whole is not None:
        keep_checkpoint(work / BEST, whole, tokenizer, base=base, trainable=trainable, update=best.update)


def looks_of(facts: Sequence[dict[str, Any]]) -> list[Look]:
    """Looks from a training state's JSON."""
    return [
        Look(**{**values, "disagreements": [Disagreement(**one) for one in values["disagreements"]]})
        for values in facts
    ]


def facts_of(looks: Sequence[Look]) -> list[dict[str, Any]]:
    """Looks as a training state's JSON."""
    return [asdict(look) for look in looks]
