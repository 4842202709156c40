"""Batch elements: one prompt with its K completions as tokens, and every ranking of them.

All pairs of a ranking, and all rankings of a comparison, are in one element: their pairs are highly
correlated, and in one element each completion is forwarded once (InstructGPT §3.5, footnote 5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from language.batching import seeded_order
from language.chat import render_completion, render_prompt
from records import Message, Ranking
from rewardmodel.loss import merge_rankings, pairs_of_tiers

# What must be left of a question that is cut itself: its end.
LEAST_PROMPT_TOKENS = 16


@runtime_checkable
class Sized(Protocol):
    """What takes so many tokens to forward."""

    @property
    def num_tokens(self) -> int:
        """Tokens to be forwarded."""


Member = TypeVar("Member", bound=Sized)


@dataclass(frozen=True)
class Comparison:
    """One prompt, its completions (each ending with the end token), and `tiers[r][i]`: where ranking r put i.

    `num_characters[i]` is the length of completion i's text, the same whatever the tokenizer. `adjudicated` are the
    indices of rankings that are no trainer's, but settle what trainers ranked differently. `strengths[r]` says how much
    better each tier of ranking r but the last is than the next; it is empty where that was not said. `weights[r]` is
    how much ranking r counts (rewardmodel.trainer_weights); where all count alike it is empty.
    """

    id: str
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[tuple[int, ...], ...]
    num_characters: tuple[int, ...]
    ranking_ids: tuple[str, ...]
    tiers: tuple[tuple[int, ...], ...]
    adjudicated: frozenset[int] = frozenset()
    strengths: tuple[tuple[int, ...], ...] = ()
    weights: tuple[float, ...] = ()

    @property
    def num_tokens(self) -> int:
        """Tokens to be forwarded where the prompt is shared."""
        return len(self.prompt_ids) + sum(map(len, self.completion_ids))


@dataclass(frozen=True)
class FittedComparison:
    """A comparison that fits the model, and what its prompt lost: tokens in all, and whole messages."""

    comparison: Comparison
    num_cut: int
    num_messages_cut: int = 0


@dataclass(frozen=True)
class TokenizedRankings:
    """Comparisons that fit the model, how many prompts were cut, and which rankings did not fit."""

    comparisons: tuple[Comparison, ...]
    num_prompts_cut: int
    too_long: tuple[str, ...]


@dataclass(frozen=True)
class RankingPairs:
    """The pairs of some comparisons, as indices into their completions laid end to end.

    `strengths` are those of the gaps between a pair's two tiers together; where none were said, the number of gaps.
    """

    pairs: Int[Tensor, "pairs 2"]
    ranking_of_pair: Int[Tensor, " pairs"]
    tier_gaps: Int[Tensor, " pairs"]
    strengths: Int[Tensor, " pairs"]
    probabilities: Float[Tensor, " pairs"]
    weights: Float[Tensor, " rankings"]
    num_rankings: int


def tokenize_rankings(
    rankings: Iterable[Ranking], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int
) -> TokenizedRankings:
    """Join rankings of one comparison and turn its texts into ids.

    Where a completion leaves no room for a prompt, the rankings are named in `too_long` and left out.
    """
    grouped: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        grouped.setdefault(ranking.comparison_id, []).append(ranking)
    comparisons, too_long, num_prompts_cut = [], [], 0
    for identifier, members in grouped.items():
        contents = [completion.content for completion in members[0].completions]
        fitted = tokenize_comparison(identifier, members[0].messages, contents, tokenizer, max_tokens=max_tokens)
        if fitted is None:
            too_long += [ranking.id for ranking in members]
            continue
        num_prompts_cut += fitted.num_cut > 0
        comparisons.append(_with_rankings(fitted.comparison, members))
    return TokenizedRankings(tuple(comparisons), num_prompts_cut, tuple(too_long))


def tokenize_comparison(
    identifier: str,
    messages: Sequence[Message],
    contents: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_tokens: int,
) -> FittedComparison | None:
    """One prompt with its completions, ranked by nobody yet.

    A prompt too long for its longest completion is cut by `fit_prompt`, alike for all completions. A
    completion is never cut: where one leaves no room for a prompt the answer is None.
    """
    completions = [render_completion(tokenizer, content) for content in contents]
    fitted = fit_prompt(messages, tokenizer, num_completion=max(map(len, completions)), max_tokens=max_tokens)
    if fitted is None:
        return None
    comparison = Comparison(
        id=identifier,
        prompt_ids=tuple(fitted.token_ids),
        completion_ids=tuple(map(tuple, completions)),
        num_characters=tuple(map(len, contents)),
        ranking_ids=(),
        tiers=(),
    )
    return FittedComparison(comparison, fitted.num_tokens_cut, fitted.num_messages_cut)


@dataclass(frozen=True)
class FittedPrompt:
    """A prompt's ids as they fit, and what was cut for that: whole messages, and tokens in all."""

    token_ids: list[int]
    num_messages_cut: int = 0
    num_tokens_cut: int = 0


def fit_prompt(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, *, num_completion: int, max_tokens: int
) -> FittedPrompt | None:
    """What of a prompt fits before a completion of that many tokens; None where too little would.

    What opens a dialogue (BOS) and its system messages stay. Between them and the last question whole turns
    go, the oldest first, so that what is left begins with a user's message. Where the question alone is too long,
    its own beginning goes, and never its header: LEAST_PROMPT_TOKENS of it must be left.
    """
    room = max_tokens - num_completion
    whole = render_prompt(tokenizer, messages)
    if len(whole) <= room:
        return FittedPrompt(whole)
    num_system = next((i for i, message in enumerate(messages) if message.role != "system"), len(messages))
    system, turns = list(messages[:num_system]), messages[num_system:]
    for start in range(1, len(turns)):
        if turns[start].role == "user":
            ids = render_prompt(tokenizer, [*system, *turns[start:]])
            if len(ids) <= room:
                return FittedPrompt(ids, start, len(whole) - len(ids))
    asked = [*system, *turns[-1:]]
    around = len(render_prompt(tokenizer, asked, last_tokens=0))
    if room - around < LEAST_PROMPT_TOKENS:
        return None
    ids = render_prompt(tokenizer, asked, last_tokens=room - around)
    return FittedPrompt(ids, max(0, len(turns) - 1), len(whole) - len(ids))


def batches(comparisons: Sequence[Comparison], *, batch_size: int, seed: int, epoch: int) -> list[list[Comparison]]:
    """One epoch: comparisons in seeded order, cut where a batch reaches `batch_size` rankings.

    A pure function of its arguments, so that a resumed run continues the same order.
    """
    result: list[list[Comparison]] = []
    room = 0
    for index in seeded_order(len(comparisons), seed=seed, epoch=epoch):
        if room <= 0:
            result.append([])
            room = batch_size
        result[-1].append(comparisons[index])
        room -= len(comparisons[index].tiers)
    return result


def microbatches(batch: Sequence[Member], *, token_budget: int) -> list[list[Member]]:
    """The batch in pieces of at most `token_budget` shared tokens; a larger member is a piece of its own.

    Similar sizes go together: first the largest, each into the first piece with room.
    """
    pieces: list[list[Member]] = []
    rooms: list[int] = []
    for member in sorted(batch, key=lambda member: -member.num_tokens):
        place = next((i for i, room in enumerate(rooms) if room >= member.num_tokens), len(pieces))
        if place == len(pieces):
            pieces.append([])
            rooms.append(token_budget)
        pieces[place].append(member)
        rooms[place] -= member.num_tokens
    return pieces


def pairs_of(
    comparisons: Sequence[Comparison], device: str | torch.device = "cpu", *, soft_labels: bool = False
) -> RankingPairs:
    """Every (chosen, rejected) of every ranking of the comparisons.

    With soft labels the rankings of one comparison count as one, with a probability a pair and no tiers.
    """
    pairs: list[tuple[int, int]] = []
    owners: list[int] = []
    gaps: list[int] = []
    strengths: list[int] = []
    probabilities: list[float] = []
    weights: list[float] = []
    offset = num_rankings = 0
    for comparison in comparisons:
        for found in [_merged_pairs(comparison)] if soft_labels else _certain_pairs(comparison):
            pairs += [(offset + i, offset + j) for i, j, _, _, _ in found]
            probabilities += [p for _, _, p, _, _ in found]
            gaps += [gap for _, _, _, gap, _ in found]
            strengths += [strength for _, _, _, _, strength in found]
            owners += [num_rankings] * len(found)
            num_rankings += 1
        weights += [1.0] if soft_labels else comparison.weights or [1.0] * len(comparison.tiers)
        offset += len(comparison.completion_ids)
    columns = [torch.tensor(column, dtype=torch.long, device=device) for column in (pairs, owners, gaps, strengths)]
    chances, shares = (torch.tensor(one, dtype=torch.float32, device=device) for one in (probabilities, weights))
    return RankingPairs(columns[0].reshape(-1, 2), columns[1], columns[2], columns[3], chances, shares, num_rankings)


def _certain_pairs(comparison: Comparison) -> list[list[tuple[int, int, float, int, int]]]:
    """(chosen, rejected, probability, tiers between them, strength) of each ranking."""
    unsaid = ((),) * len(comparison.tiers)
    return [
        [
            (i, j, 1.0, tiers[j] - tiers[i], sum(strengths[tiers[i] : tiers[j]]) or tiers[j] - tiers[i])
            for i, j in pairs_of_tiers(tiers)
        ]
        for tiers, strengths in zip(comparison.tiers, comparison.strengths or unsaid, strict=True)
    ]


def _merged_pairs(comparison: Comparison) -> list[tuple[int, int, float, int, int]]:
    """The same of all its rankings together, which have no tiers in common."""
    return [(i, j, p, 0, 0) for i, j, p in merge_rankings(comparison.tiers)]


def _with_rankings(comparison: Comparison, members: list[Ranking]) -> Comparison:
    ids = [completion.id for completion in members[0].completions]
    return replace(
        comparison,
        ranking_ids=tuple(ranking.id for ranking in members),
        tiers=tuple(_tiers_by_completion(ranking, ids) for ranking in members),
        adjudicated=frozenset(index for index, ranking in enumerate(members) if ranking.adjudication is not None),
        strengths=tuple(ranking.strengths for ranking in members),
    )


def _tiers_by_completion(ranking: Ranking, ids: Sequence[str]) -> tuple[int, ...]:
    tier_of = {identifier: index for index, tier in enumerate(ranking.tiers) for identifier in tier}
    return tuple(tier_of[identifier] for identifier in ids)
