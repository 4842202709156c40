"""Batch elements: one prompt with its K completions as tokens, and every ranking of them.

All pairs of a ranking, and all rankings of a comparison, are in one element: their pairs are highly
correlated, and in one element each completion is forwarded once (InstructGPT §3.5, footnote 5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from language.batching import seeded_order
from language.chat import render_completion, render_prompt
from records import Message, Ranking
from rewardmodel.loss import pairs_of_tiers

# What must be left of a prompt that is cut from the left: the end of the question and the header of the answer.
LEAST_PROMPT_TOKENS = 16


@dataclass(frozen=True)
class Comparison:
    """One prompt, its completions (each ending with the end token), and `tiers[r][i]`: where ranking r put i."""

    id: str
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[tuple[int, ...], ...]
    ranking_ids: tuple[str, ...]
    tiers: tuple[tuple[int, ...], ...]

    @property
    def num_tokens(self) -> int:
        """Tokens to be forwarded where the prompt is shared."""
        return len(self.prompt_ids) + sum(map(len, self.completion_ids))


@dataclass(frozen=True)
class TokenizedRankings:
    """Comparisons that fit the model, how many prompts were cut, and which rankings did not fit."""

    comparisons: tuple[Comparison, ...]
    num_truncated: int
    too_long: tuple[str, ...]


@dataclass(frozen=True)
class RankingPairs:
    """The pairs of some comparisons, as indices into their completions laid end to end."""

    pairs: Int[Tensor, "pairs 2"]
    ranking_of_pair: Int[Tensor, " pairs"]
    tier_gaps: Int[Tensor, " pairs"]
    num_rankings: int


def tokenize_rankings(
    rankings: Iterable[Ranking], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int
) -> TokenizedRankings:
    """Join rankings of one comparison and turn its texts into ids.

    A prompt too long for its longest completion is cut from the left, alike for all completions, and
    counted. A completion is never cut: where it leaves no room for a prompt, its rankings are named in
    `too_long` and left out.
    """
    grouped: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        grouped.setdefault(ranking.comparison_id, []).append(ranking)
    comparisons, too_long, num_truncated = [], [], 0
    for members in grouped.values():
        first = members[0]
        completions = [render_completion(tokenizer, completion.content) for completion in first.completions]
        prompt = render_prompt(tokenizer, first.messages)
        fitted = fit_prompt(prompt, max(map(len, completions)), max_tokens)
        if fitted is None:
            too_long += [ranking.id for ranking in members]
            continue
        num_truncated += len(fitted) < len(prompt)
        comparisons.append(_comparison(members, fitted, completions))
    return TokenizedRankings(tuple(comparisons), num_truncated, tuple(too_long))


def tokenize_answer(
    messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int
) -> tuple[list[int], list[int]] | None:
    """Prompt and completion ids of a dialogue's last message; None where the completion does not fit."""
    completion = render_completion(tokenizer, messages[-1].content)
    prompt = fit_prompt(render_prompt(tokenizer, messages[:-1]), len(completion), max_tokens)
    return None if prompt is None else (prompt, completion)


def fit_prompt(prompt_ids: list[int], num_completion: int, max_tokens: int) -> list[int] | None:
    """The end of the prompt that fits before a completion of that many tokens; None where too little would."""
    room = max_tokens - num_completion
    if room < min(len(prompt_ids), LEAST_PROMPT_TOKENS):
        return None
    return prompt_ids[-room:]


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


def microbatches(batch: Sequence[Comparison], *, token_budget: int) -> list[list[Comparison]]:
    """The batch in pieces of at most `token_budget` shared tokens; a larger comparison is a piece of its own.

    Similar sizes go together: first the largest, each into the first piece with room.
    """
    pieces: list[list[Comparison]] = []
    rooms: list[int] = []
    for comparison in sorted(batch, key=lambda member: -member.num_tokens):
        place = next((i for i, room in enumerate(rooms) if room >= comparison.num_tokens), len(pieces))
        if place == len(pieces):
            pieces.append([])
            rooms.append(token_budget)
        pieces[place].append(comparison)
        rooms[place] -= comparison.num_tokens
    return pieces


def pairs_of(comparisons: Sequence[Comparison], device: str | torch.device = "cpu") -> RankingPairs:
    """Every (chosen, rejected) of every ranking of the comparisons."""
    pairs: list[tuple[int, int]] = []
    owners: list[int] = []
    gaps: list[int] = []
    offset = num_rankings = 0
    for comparison in comparisons:
        for tiers in comparison.tiers:
            found = pairs_of_tiers(tiers)
            pairs += [(offset + i, offset + j) for i, j in found]
            gaps += [tiers[j] - tiers[i] for i, j in found]
            owners += [num_rankings] * len(found)
            num_rankings += 1
        offset += len(comparison.completion_ids)
    columns = [torch.tensor(column, dtype=torch.long, device=device) for column in (pairs, owners, gaps)]
    return RankingPairs(columns[0].reshape(-1, 2), columns[1], columns[2], num_rankings)


def _comparison(members: list[Ranking], prompt: list[int], completions: list[list[int]]) -> Comparison:
    ids = [completion.id for completion in members[0].completions]
    return Comparison(
        id=members[0].comparison_id,
        prompt_ids=tuple(prompt),
        completion_ids=tuple(map(tuple, completions)),
        ranking_ids=tuple(ranking.id for ranking in members),
        tiers=tuple(_tiers_by_completion(ranking, ids) for ranking in members),
    )


def _tiers_by_completion(ranking: Ranking, ids: Sequence[str]) -> tuple[int, ...]:
    tier_of = {identifier: index for index, tier in enumerate(ranking.tiers) for identifier in tier}
    return tuple(tier_of[identifier] for identifier in ids)
