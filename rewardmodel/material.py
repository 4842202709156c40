"""What a training run learns from, is judged by and is normalised over, all read before it begins."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from records import Message, Ranking
from rewardmodel.comparisons import Comparison, tokenize_comparison, tokenize_rankings
from rewardmodel.data import DataError, Source, load_demonstrations, load_rankings
from rewardmodel.limits import BEYOND, at_most
from rewardmodel.splits import SplitBy
from rewardmodel.trainer_weights import CannotWeigh, TrainerWeights, weigh_trainers

# References that the normalisation averages over: the mean is then known to a twentieth of a deviation.
NUM_REFERENCES = 512


@dataclass(frozen=True)
class Material:
    """Comparisons to train on, rankings to validate on, references to normalise over; and what was left out."""

    source: Source
    comparisons: tuple[Comparison, ...]
    training: tuple[Ranking, ...]
    validation: list[Ranking]
    references: list[Comparison]
    references_are: str
    demonstrations_sha256: str | None
    left_out: dict[str, int]
    num_prompts_cut: int
    validation_fraction: float
    split_by: SplitBy = "prompt"
    num_other_split: int = 0
    """Rankings of split test, which nothing here looks at."""
    trainer_weights: TrainerWeights | None = None
    """How much each training ranking counts; None where all count alike."""


def load_material(
    path: Path,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_tokens: int,
    demonstrations: Path | None,
    validation_fraction: float,
    split_by: SplitBy = "prompt",
    seed: int,
    max_records: int = 0,
    weighs_trainers: bool = False,
) -> Material:
    """Read and tokenize everything. Raises DataError or RecordError where training could not be honest."""
    data = load_rankings(path, validation_fraction=validation_fraction, split_by=split_by)
    training = data.of_split("train")
    if not training:
        raise DataError(f"{data.source.path}: no rankings left to train on; left out: {data.left_out or 'none'}")
    num_found = len(training)
    training = list(at_most(training, max_records, id_of=lambda ranking: ranking.id))
    tokenized = tokenize_rankings(training, tokenizer, max_tokens=max_tokens)
    if not tokenized.comparisons:
        raise DataError(f"{data.source.path}: no ranking fits {max_tokens} tokens; raise --max-tokens")
    fitting = set().union(*(comparison.ranking_ids for comparison in tokenized.comparisons))
    used = tuple(ranking for ranking in training if ranking.id in fitting)
    weights = _weights(data.source, used) if weighs_trainers else None
    answers, sha256 = _demonstrated(demonstrations) if demonstrations else (best_completions(used), None)
    return Material(
        source=data.source,
        comparisons=tokenized.comparisons if weights is None else _weighed(tokenized.comparisons, weights),
        training=used,
        validation=data.of_split("validation"),
        references=_references(answers, tokenizer, max_tokens=max_tokens, seed=seed),
        references_are="demonstrations" if demonstrations else "best-ranked completions",
        demonstrations_sha256=sha256,
        left_out={**data.left_out, "too_long": len(tokenized.too_long), BEYOND: num_found - len(training)},
        num_prompts_cut=tokenized.num_prompts_cut,
        validation_fraction=validation_fraction,
        split_by=split_by,
        num_other_split=len(data.of_split("test")),
        trainer_weights=weights,
    )


def best_completions(rankings: Sequence[Ranking]) -> list[tuple[tuple[Message, ...], str]]:
    """Prompt and text of the first completion of every ranking's best tier."""
    answers = []
    for ranking in rankings:
        best = next(completion for completion in ranking.completions if completion.id in ranking.tiers[0])
        answers.append((ranking.messages, best.content))
    return answers


def _weights(source: Source, rankings: Sequence[Ranking]) -> TrainerWeights:
    try:
        return weigh_trainers(rankings)
    except CannotWeigh as error:
        raise DataError(f"{source.path}: {error}") from None


def _weighed(comparisons: Sequence[Comparison], weights: TrainerWeights) -> tuple[Comparison, ...]:
    return tuple(
        replace(one, weights=tuple(weights.by_ranking[ranking] for ranking in one.ranking_ids)) for one in comparisons
    )


def _demonstrated(path: Path) -> tuple[list[tuple[tuple[Message, ...], str]], str]:
    """Prompt and text of every demonstration's last assistant message."""
    source, demonstrations = load_demonstrations(path)
    answers = []
    for demonstration in demonstrations:
        messages = demonstration.messages
        last = max(i for i, message in enumerate(messages) if message.role == "assistant")
        if last > 0:
            answers.append((messages[:last], messages[last].content))
    return answers, source.sha256


def _references(
    answers: Sequence[tuple[tuple[Message, ...], str]],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_tokens: int,
    seed: int,
) -> list[Comparison]:
    chosen = list(answers)
    random.Random(f"references/{seed}").shuffle(chosen)
    fitted = (
        tokenize_comparison(str(i), messages, [content], tokenizer, max_tokens=max_tokens)
        for i, (messages, content) in enumerate(chosen[:NUM_REFERENCES])
    )
    references = [found.comparison for found in fitted if found is not None]
    if not references:
        raise DataError(f"none of {len(answers)} references to normalise over fits {max_tokens} tokens")
    return references
