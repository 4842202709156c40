"""Rollouts: completions sampled under the current policy, and what every network says of them.

Rows are ordered by length once, and pieces are runs of a minibatch's rows (`policy.plan`); the pass that
records the old log-probabilities and the pass that trains forward the same pieces, so that their ratio
begins at exactly 1, in any precision (method reference §4.4 row 11).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from peft import PeftModel
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedModel

from language.commandline import Precision, autocast
from language.generation import Sampled
from language.parallel import ALONE, Sharing, weight_of
from language.stop_ids import shown_ids
from policy.ensembles import ONE_REWARD_MODEL, RewardEnsemble, RewardSource
from policy.first_pass import FirstPass
from policy.learner import PolicyLearner
from policy.prompts import TokenizedPrompt
from policy.rollout_source import LOCAL_ENGINE, RolloutSource, Wanted
from policy.shared_prompt import PromptGroups, completion_logprobs, completion_logprobs_and_entropies
from policy.stopping import in_smaller_pieces, require_finite
from policy.value import ValueLearner, completion_values
from records import SamplingParams


@dataclass(frozen=True)
class Rollouts:
    """`num_completions` completions of each prompt: row i is of prompts[i // num_completions].

    A completion ends with its first end token, or has none where it reached the limit. `mask` is True on its
    tokens, `ended` where it closes with the chat template's own end token: one that stopped at another end token
    of the model has not ended as SFT taught it. `shown` is what a person sees of each, and a reward model may read.
    """

    prompts: tuple[TokenizedPrompt, ...]
    completions: tuple[tuple[int, ...], ...]
    num_completions: int
    mask: Bool[Tensor, "rows length"]
    ended: Bool[Tensor, " rows"]
    sampled_logprobs: Float[Tensor, "rows length"]
    shown: tuple[tuple[int, ...], ...]

    def prompt_ids(self, rows: Sequence[int]) -> list[str]:
        """The record ids of the prompts of these rows, for messages."""
        return [self.prompts[row // self.num_completions].id for row in rows]

    def pieces(self, size: int, rows: Sequence[int] | None = None) -> list[list[int]]:
        """These rows, or all, in runs of at most `size`: neighbours are of like length, so little is padded."""
        ordered = sorted(range(len(self.completions)) if rows is None else rows)
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def groups(self, rows: Sequence[int]) -> PromptGroups:
        """These rows, each of their prompts once. Rows must come in order: those of one prompt side by side."""
        owned: dict[int, list[int]] = {}
        for row in rows:
            owned.setdefault(row // self.num_completions, []).append(row)
        return PromptGroups(
            tuple(self.prompts[owner].token_ids for owner in owned),
            tuple(tuple(self.completions[row] for row in own) for own in owned.values()),
            self.mask.device,
            tuple(tuple(self.shown[row] for row in own) for own in owned.values()),
        )

    def take(self, x: Tensor, rows: Sequence[int]) -> Tensor:
        """These rows of a tensor over all tokens, as wide as the longest completion among them."""
        return x[list(rows), : max(len(self.completions[row]) for row in rows)]


@dataclass(frozen=True)
class ScoredRollouts:
    """Rollouts with what policy and reference say of every token, and reward models of every completion.

    In nats and points; `scores` is one of each reward model's, `member_scores`, where there are several.
    """

    rollouts: Rollouts
    logprobs: Float[Tensor, "rows length"]
    entropies: Float[Tensor, "rows length"]
    ref_logprobs: Float[Tensor, "rows length"]
    scores: Float[Tensor, " rows"]
    member_scores: Float[Tensor, "members rows"] | None = None
    first_pass: FirstPass = field(default_factory=FirstPass)
    """The forwards of what is trained with their graphs, where all was one piece."""


@dataclass(frozen=True, kw_only=True)
class MeasuredRollouts(ScoredRollouts):
    """The same with a value model's word on every token."""

    values: Float[Tensor, "rows length"]


def collect_rollouts(
    model: PreTrainedModel | PeftModel,
    prompts: Sequence[TokenizedPrompt],
    *,
    num_completions: int,
    params: SamplingParams,
    end_token_id: int,
    hidden_ids: frozenset[int],
    precision: Precision,
    sharing: Sharing = ALONE,
    source: RolloutSource = LOCAL_ENGINE,
    update: int = 0,
) -> Rollouts:
    """Sample from the policy as it is, temperature only; of several processes each its share of the prompts.

    Any narrowing of the distribution (top-k, top-p) would bias the KL estimate (method reference §4.4 row 5).
    """
    assert params.top_p == 1.0 and params.top_k == 0, "rollouts are pure samples"  # noqa: PT018
    span = sharing.span(len(prompts))
    wanted = Wanted(
        prompts[span],
        update=update,
        num_completions=num_completions,
        params=replace(params, seed=params.seed + span.start * num_completions),
        end_token_id=end_token_id,
        precision=precision,
        sharing=sharing,
    )
    sampled = sharing.rejoin(source.sample(model, wanted))
    return arrange(prompts, sampled, end_token_id=end_token_id, hidden_ids=hidden_ids, device=model.device)


def arrange(
    prompts: Sequence[TokenizedPrompt],
    sampled: Sequence[Sequence[Sampled]],
    *,
    end_token_id: int,
    hidden_ids: frozenset[int],
    device: str | torch.device = "cpu",
) -> Rollouts:
    """Samples as rollouts, prompts with like numbers of tokens side by side.

    `end_token_id` is the template's own, `hidden_ids` are the control tokens, which have no text.
    """
    order = sorted(
        range(len(prompts)), key=lambda i: len(prompts[i].token_ids) + max(len(one.token_ids) for one in sampled[i])
    )
    rows = [one for index in order for one in sampled[index]]
    length = max(len(one.token_ids) for one in rows)
    lengths = torch.tensor([len(one.token_ids) for one in rows], device=device)
    logprobs = [pad(torch.tensor(one.logprobs), (0, length - len(one.logprobs))) for one in rows]
    return Rollouts(
        prompts=tuple(prompts[index] for index in order),
        completions=tuple(tuple(one.token_ids) for one in rows),
        num_completions=len(sampled[0]),
        mask=torch.arange(length, device=device) < lengths[:, None],
        # Only completions are looked at: every chat prompt has end tokens of its own.
        ended=torch.tensor([one.token_ids[-1] == end_token_id for one in rows], device=device),
        sampled_logprobs=torch.stack(logprobs).to(device),
        shown=tuple(_shown(one.token_ids, hidden_ids, end_token_id) for one in rows),
    )


def measure_rollouts(
    policy: PolicyLearner,
    value: ValueLearner,
    rollouts: Rollouts,
    *,
    pieces: Sequence[list[int]],
    temperature: float,
    precision: Precision,
    sharing: Sharing = ALONE,
    ensemble: RewardEnsemble = ONE_REWARD_MODEL,
) -> MeasuredRollouts:
    """What `score_rollouts` says, and the values, computed in the same pieces."""
    scored = score_rollouts(
        policy,
        value,
        rollouts,
        pieces=pieces,
        temperature=temperature,
        precision=precision,
        sharing=sharing,
        ensemble=ensemble,
    )
    with autocast(rollouts.mask.device, precision):
        (values,) = over_trained(
            lambda groups: completion_values(value.model, groups),
            rollouts,
            "value",
            scored.first_pass,
            pieces=pieces,
            sharing=sharing,
        )
    return MeasuredRollouts(**vars(scored), values=values)


def score_rollouts(
    policy: PolicyLearner,
    rewards: RewardSource,
    rollouts: Rollouts,
    *,
    pieces: Sequence[list[int]],
    temperature: float,
    precision: Precision,
    sharing: Sharing = ALONE,
    ensemble: RewardEnsemble = ONE_REWARD_MODEL,
) -> ScoredRollouts:
    """Log-probabilities under the policy and its reference, entropies and scores, without gradients.

    Computed in `pieces`, which hold every row once: those in which the first epoch will train.
    """

    def over(function: Callable[[PromptGroups], Tensor | tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        return over_rollouts(function, rollouts, pieces=pieces, sharing=sharing)

    with autocast(rollouts.mask.device, precision):
        with policy.as_reference() as reference:
            (ref_logprobs,) = over(lambda groups: completion_logprobs(reference, groups, temperature=temperature))
        with rewards.as_reward_model() as first:
            members = torch.stack(over(lambda groups: ensemble.member_scores(first, groups)))
    first_pass = FirstPass()
    with autocast(rollouts.mask.device, precision):  # apart: what was cast without gradients would have none
        logprobs, entropies = over_trained(
            lambda groups: completion_logprobs_and_entropies(policy.model, groups, temperature=temperature),
            rollouts,
            "policy",
            first_pass,
            pieces=pieces,
            sharing=sharing,
        )
    several = members if len(members) > 1 else None
    return ScoredRollouts(
        rollouts, logprobs, entropies, ref_logprobs, ensemble.combined(members), several, first_pass=first_pass
    )


def over_trained(
    function: Callable[[PromptGroups], Tensor | tuple[Tensor, ...]],
    rollouts: Rollouts,
    network: str,
    first_pass: FirstPass,
    *,
    pieces: Sequence[list[int]],
    sharing: Sharing,
) -> tuple[Tensor, ...]:
    """What `over_rollouts` says, with the graph kept for the first step where all rows are one piece and fit."""
    is_whole = len(pieces) == 1 and sharing.count == 1
    found = first_pass.forward(network, function, rollouts.groups(pieces[0])) if is_whole else None
    return over_rollouts(function, rollouts, pieces=pieces, sharing=sharing) if found is None else found


@torch.no_grad()
def over_rollouts(
    function: Callable[[PromptGroups], Tensor | tuple[Tensor, ...]],
    rollouts: Rollouts,
    *,
    pieces: Sequence[list[int]],
    sharing: Sharing = ALONE,
) -> tuple[Tensor, ...]:
    """What `function` says of every row, in their order, computed in pieces; token-wise results at full width."""

    def run(cut: list[list[int]]) -> list[tuple[Tensor, ...]]:
        found = [function(rollouts.groups(rows)) for rows in cut]
        parts = [part if isinstance(part, tuple) else (part,) for part in found]
        columns = [torch.cat([_widen(part, rollouts) for part in column]) for column in zip(*parts, strict=True)]
        sizes = [len(piece) for piece in shares]
        return list(zip(*(torch.split(column, sizes) for column in columns), strict=True))

    shares = sharing.pieces_of(pieces)
    found = in_smaller_pieces(run, shares, sharing=sharing)
    own = [parts for parts, piece in zip(found, shares, strict=True) if weight_of(piece)]
    if sharing.count > 1:  # a tensor on another process's GPU is not to be opened there
        own = [tuple(part.cpu() for part in parts) for parts in own]
    whole = sharing.interleave(own)
    device = rollouts.mask.device
    in_order = torch.tensor([row for piece in pieces for row in piece], device=device).argsort()
    return tuple(torch.cat([part.to(device) for part in column])[in_order] for column in zip(*whole, strict=True))


def _shown(token_ids: Sequence[int], hidden_ids: frozenset[int], end_token_id: int) -> tuple[int, ...]:
    # Where nothing is left there was no end token either, and the rule for missing ends gives the score.
    return shown_ids(token_ids, hidden=hidden_ids, end_token_id=end_token_id) or tuple(token_ids[:1])


def _widen(part: Tensor, rollouts: Rollouts) -> Tensor:
    return part if part.ndim == 1 else pad(part, (0, rollouts.mask.shape[1] - part.shape[1]))


def require_finite_rollouts(measured: ScoredRollouts, step: int) -> None:
    """Raise TrainingStopped naming the prompts of the first number that is none, before it can be trained on."""
    rollouts = measured.rollouts
    for name in ("logprobs", "ref_logprobs", "values", "scores"):
        x = getattr(measured, name, None)
        if x is None:
            continue
        wrong = ~torch.isfinite(torch.where(rollouts.mask, x, 0.0).sum(dim=1) if x.ndim == 2 else x)
        if wrong.any():
            rows = wrong.nonzero().flatten().tolist()
            require_finite(float("nan"), f"one of {name}", rollouts.prompt_ids(rows), step)
