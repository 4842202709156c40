"""Rankings as DPO learns from them: every completion of a prompt at once, with all that rankings say of it.

Read, checked and split as the reward model's trainer does it. What does not fit is left out whole, never cut: a
policy is not to answer prompts without their beginning.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import comb
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from records import Ranking
from rewardmodel.comparisons import Comparison, tokenize_rankings
from rewardmodel.data import DataError, Source, load_rankings
from rewardmodel.limits import BEYOND, at_most


@dataclass(frozen=True)
class PreferenceSet:
    """Comparisons to learn from and to be judged by, how many rankings they hold, and what was left out."""

    source: Source
    train: tuple[Comparison, ...]
    validation: tuple[Comparison, ...]
    left_out: dict[str, int]
    num_tied_pairs: int = 0
    """Pairs of the rankings that are learnt from which are tied, and so are no pairs."""

    @property
    def num_rankings(self) -> int:
        """Rankings that are learnt from."""
        return sum(len(comparison.tiers) for comparison in self.train)


def load_preferences(
    path: Path,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_tokens: int,
    validation_fraction: float,
    max_records: int = 0,
) -> PreferenceSet:
    """The rankings of an export directory or a .jsonl file, as tokens.

    `left_out` counts rankings by reason: abstained, all_tied, leaking, too_long, beyond_max_records, other_split.
    Raises DataError or RecordError, naming file, record and field, where nothing can be learnt.
    """
    data = load_rankings(path, validation_fraction=validation_fraction)
    found = data.of_split("train")
    if not found:
        raise DataError(
            f"{data.source.path}: no ranking to learn from: DPO needs two completions in order; "
            f"left out: {data.left_out or 'none'}"
        )
    taken = at_most(found, max_records, id_of=lambda ranking: ranking.id)
    train, too_long = _tokenize(taken, tokenizer, max_tokens=max_tokens)
    validation, held_out_too_long = _tokenize(data.of_split("validation"), tokenizer, max_tokens=max_tokens)
    if not train:
        raise DataError(f"{data.source.path}: no ranking fits {max_tokens} tokens; raise --max-tokens")
    learnt = set(chain.from_iterable(comparison.ranking_ids for comparison in train))
    beyond = len(found) - len(taken)
    left_out = {**data.left_out, "too_long": too_long + held_out_too_long, BEYOND: beyond}
    if others := len(data.of_split("test")):
        left_out["other_split"] = others
    tied = sum(num_tied_pairs(ranking) for ranking in taken if ranking.id in learnt)
    return PreferenceSet(data.source, train, validation, left_out, tied)


def num_tied_pairs(ranking: Ranking) -> int:
    """Pairs that the ranking holds equal. What a choice says nothing of is not tied."""
    tiers = ranking.tiers[:-1] if ranking.choice else ranking.tiers
    return sum(comb(len(tier), 2) for tier in tiers)


def _tokenize(
    rankings: Sequence[Ranking], tokenizer: PreTrainedTokenizerBase, *, max_tokens: int
) -> tuple[tuple[Comparison, ...], int]:
    """Comparisons of those rankings whose prompt fits with its longest completion, and how many rankings did not."""
    tokenized = tokenize_rankings(rankings, tokenizer, max_tokens=sys.maxsize)
    fitting = tuple(one for one in tokenized.comparisons if longest_of(one) <= max_tokens)
    return fitting, len(rankings) - sum(len(one.tiers) for one in fitting)


def longest_of(comparison: Comparison) -> int:
    """Tokens of the prompt with its longest completion."""
    return len(comparison.prompt_ids) + max(map(len, comparison.completion_ids))
