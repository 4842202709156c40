"""Batch elements: one prompt with its K completions as tokens, and every ranking of them.

All pairs of a ranking, and all rankings of a comparison, are in one element: their pairs are highly
correlated, and in one element each completion is forwarded once (InstructGPT §3.5, footnote 5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from language.batching import seeded_order
from language.chat import render_completion, render_prompt
from records import Message, Ranking
from rewardmodel.loss import merge_rankings, pairs_of_tiers

# What must be left of a prompt that is cut from the left: the end of the question and the header of the answer.
LEAST_PROMPT_TOKENS = 16


@dataclass(frozen=True)
class Comparison:
    """One prompt, its completions (each ending with the end token), and `tiers[r][i]`: where ranking r put i.

    `num_characters[i]` is the length of completion i's text, the same whatever the tokenizer. `adjudicated` are the
    indices of rankings that are no trainer's, but settle what trainers ranked differently.
    """

    id: str
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[tuple[int, ...], ...]
    num_characters: tuple[int, ...]
    ranking_ids: tuple[str, ...]
    tiers: tuple[tuple[int, ...], ...]
    adjudicated: frozenset[int] = frozenset()

    @property
    def num_tokens(self) -> int:
        """Tokens to be forwarded where the prompt is shared."""
        return len(self.prompt_ids) + sum(map(len, self.completion_ids))


@dataclass(frozen=True)
class FittedComparison:
    """A comparison that fits the model, and how many tokens its prompt lost from the left."""

    comparison: Comparison
    num_cut: int


@dataclass(frozen=True)
class TokenizedRankings:
    """Comparisons that fit the model, how many prompts were cut, and which rankings did not fit."""

    comparisons: tuple[Comparison, ...]
    num_prompts_cut: int
    too_long: tuple[str, ...]


@dataclass(frozen=True)
class RankingPairs:
    """The pairs of some comparisons, as indices into their completions laid end to end."""

    pairs: Int[Tensor, "pairs 2"]
    ranking_of_pair: Int[Tensor, " pairs"]
    tier_gaps: Int[Tensor, " pairs"]
    probabilities: Float[Tensor, " pairs"]
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

    A prompt too long for its longest completion is cut from the left, alike for all completions. A
    completion is never cut: where one leaves no room for a prompt the answer is None.
    """
    completions = [render_completion(tokenizer, content) for content in contents]
    prompt = render_prompt(tokenizer, messages)
    fitted = fit_prompt(prompt, max(map(len, completions)), max_tokens)
    if fitted is None:
        return None
    comparison = Comparison(
        id=identifier,
        prompt_ids=tuple(fitted),
        completion_ids=tuple(map(tuple, completions)),
        num_characters=tuple(map(len, contents)),
        ranking_ids=(),
        tiers=(),
    )
    return FittedComparison(comparison, len(prompt) - len(fitted))


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


def pairs_of(
    comparisons: Sequence[Comparison], device: str | torch.device = "cpu", *, soft_labels: bool = False
) -> RankingPairs:
    """Every (chosen, rejected) of every ranking of the comparisons.

    With soft labels the rankings of one comparison count as one, with a probability a pair and no tiers.
    """
    pairs: list[tuple[int, int]] = []
    owners: list[int] = []
    gaps: list[int] = []
    probabilities: list[float] = []
    offset = num_rankings = 0
    for comparison in comparisons:
        for found in [_merged_pairs(comparison)] if soft_labels else map(_certain_pairs, comparison.tiers):
            pairs += [(offset + i, offset + j) for i, j, _, _ in found]
            probabilities += [p for _, _, p, _ in found]
            gaps += [gap for _, _, _, gap in found]
            owners += [num_rankings] * len(found)
            num_rankings += 1
        offset += len(comparison.completion_ids)
    columns = [torch.tensor(column, dtype=torch.long, device=device) for column in (pairs, owners, gaps)]
    chances = torch.tensor(probabilities, dtype=torch.float32, device=device)
    return RankingPairs(columns[0].reshape(-1, 2), columns[1], columns[2], chances, num_rankings)


def _certain_pairs(tiers: Sequence[int]) -> list[tuple[int, int, float, int]]:
    """(chosen, rejected, probability, tiers between them) of one ranking."""
    return [(i, j, 1.0, tiers[j] - tiers[i]) for i, j in pairs_of_tiers(tiers)]


def _merged_pairs(comparison: Comparison) -> list[tuple[int, int, float, int]]:
    """The same of all its rankings together."""
    return [(i, j, p, 0) for i, j, p in merge_rankings(comparison.tiers)]


def _with_rankings(comparison: Comparison, members: list[Ranking]) -> Comparison:
    ids = [completion.id for completion in members[0].completions]
    return replace(
        comparison,
        ranking_ids=tuple(ranking.id for ranking in members),
        tiers=tuple(_tiers_by_completion(ranking, ids) for ranking in members),
        adjudicated=frozenset(index for index, ranking in enumerate(members) if ranking.adjudication is not None),
    )


def _tiers_by_completion(ranking: Ranking, ids: Sequence[str]) -> tuple[int, ...]:
    tier_of = {identifier: index for index, tier in enumerate(ranking.tiers) for identifier in tier}
    return tuple(tier_of[identifier] for identifier in ids)
